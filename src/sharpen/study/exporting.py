"""Write the winner's weights for other tools, and check by answers that they are what was evaluated."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sharpen.data import load
from sharpen.errors import UserError
from sharpen.models import Local, is_hosted, open_model, pull, read_gguf, write_gguf
from sharpen.runtime import Answers, Engines, answer_all
from sharpen.store import is_text
from sharpen.study.asking import program_of
from sharpen.study.card import describe
from sharpen.study.folder import RunFolder
from sharpen.study.folds import arm_of, program_said
from sharpen.study.reading import Report, read_report
from sharpen.study.setting import Setting
from sharpen.types import Example, Progress, System, silent

FORMATS = ("adapter", "hf", "gguf")
CHECKED = 50  # questions that run and export both answer
ENOUGH = 0.9  # share of equal answers below which an export is refused


@dataclass(frozen=True)
class Exported:
    """What was written, and on how many of ``n`` questions it answers exactly as the run did."""

    folder: Path
    format: str
    files: tuple[str, ...]
    same: int
    n: int


def export(
    run: Path | str, to: Path | str, format: str = "hf", arm: str | None = None, progress: Progress = silent
) -> Exported:
    """Export an arm's weights.

    Args:
        run: a finished run's folder.
        to: a new folder.
        format: ``adapter`` (PEFT), ``hf`` (merged safetensors with tokenizer and template) or ``gguf`` (merged, with a
            Modelfile for Ollama).
        arm: another arm than the chosen one.
        progress: told what is going on.

    Raises:
        UserError: the format is not known, there is nothing of that kind to export, or the exported files answer
            differently; in the last case they are left for inspection and the error says how many answers differ.
    """
    target = Path(to).resolve()
    if format not in FORMATS:
        raise UserError(f"there is no format {format!r}.", do=f"There are: {', '.join(FORMATS)}.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError("is there already and not empty.", str(to), "Name a new folder.")
    if not is_text(target):
        what = "has a name that is not UTF-8, and weights can be written to no such folder."
        raise UserError(what, str(target), "Name another folder.")
    setting, program = program_of(run, arm)
    report = read_report(run)
    if arm is None and report.winner is None:
        names = ", ".join(a["name"] for a in report["arms"] if a["fingerprint"])
        raise UserError("the study chose no arm.", str(run), f"Name the one to export with --arm; there are: {names}.")
    name = arm or report.winner or report["baseline"]
    folded = report.data.get("folds")
    row = report.arm(arm_of(name) if folded else name)
    if is_hosted(program.model):
        raise UserError(f"{program.model} has no weights that could be exported.", do="Export an arm of a local model.")
    data = _data_folder(report, setting)
    adapters = [setting.store.path(a) for a in program.adapters]
    if format == "adapter" and not adapters:
        raise UserError("this arm has no adapter: it uses the model's own weights.", do="Use --format hf or gguf.")
    local = pull(program.model)
    target.parent.mkdir(parents=True, exist_ok=True)
    made, read = (target.with_name(f".{target.name}.{secrets.token_hex(4)}") for _ in range(2))
    made.mkdir()
    try:  # whole or not at all, so that the same command works again after an interruption
        progress(f"write {format}", 0, None)
        opened = _write(format, local, adapters, made, read)
        describe(made, format, report, {**row, "which": program_said(folded, name) if folded else ""}, program, local)
        same, n = _agreement(setting, program, opened, data, progress)
        made.rename(target)
    finally:
        for hidden in (made, read):
            shutil.rmtree(hidden, ignore_errors=True)
    if n and same / n < ENOUGH:
        raise UserError(
            f"the exported {format} answers {n - same} of {n} questions otherwise than the run did.",
            str(to),
            "Do not ship it; another --format may carry this model.",
        )
    files = tuple(sorted(p.name for p in target.iterdir()))
    return Exported(target, format, files, same, n)


def _write(format: str, local: Local, adapters: Sequence[Path], target: Path, read: Path) -> tuple[str, list[Path]]:
    """Write the files; return what opens them: a reference and adapters. ``read`` is where a GGUF is read back to."""
    if format == "adapter":
        if len(adapters) > 1:
            raise UserError("this arm has several adapters.", do="Use --format hf or gguf, which merge them.")
        for path in adapters[0].iterdir():
            if path.name != "training.json":
                shutil.copy2(path, target / path.name)
        return local.ref, [target]
    if format == "hf":
        from sharpen.models.transformers import write_folder

        write_folder(local, target, adapters)
        return str(target), []
    write_gguf(local, target / "model.gguf", "f16", adapters)
    read.mkdir()
    read_gguf(target / "model.gguf", read)
    return str(read), []


def _agreement(
    setting: Setting, program: System, opened: tuple[str, list[Path]], folder: Path, progress: Progress
) -> tuple[int, int]:
    """Ask the exported files, read by transformers, what the run was asked; count equal answers.

    The questions are those of dev, whose answers the run keeps.
    """
    data = load(folder)
    questions: list[Example] = [*data.dev, *data.train][:CHECKED]
    engines = setting.engines()
    # What was answered with passages that may no longer be used is not looked up.
    kept = None if setting.leaves_out else Answers(setting.store.root / "answers.sqlite")
    total = len(questions)
    before = answer_all(program, questions, engines, kept, lambda n: progress("the run's answers", n, total))
    engines.release()
    ref, adapters = opened

    def opener(_: str, __: Sequence[Path]) -> Any:
        return open_model(ref, adapters=adapters, engine="transformers")

    fresh = Engines(setting.store, opener, setting.embedder, leaves_out=setting.leaves_out, rerankers=setting.reranker)
    own = replace(program, adapters=())
    try:
        after = answer_all(own, questions, fresh, None, lambda n: progress("the export's answers", n, total))
    finally:
        fresh.release()
    return sum(a.text == b.text for a, b in zip(before, after, strict=True)), total


def _data_folder(report: Report, setting: Setting) -> Path:
    """The prepared data of the run."""
    folder = setting.store.root / "data" / RunFolder(report.path).finished()[0]
    if not (folder / "data.json").is_file():
        raise UserError("the run's prepared data is gone.", str(folder), "Run the study again; it prepares it anew.")
    return folder

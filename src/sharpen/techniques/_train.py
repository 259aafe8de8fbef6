"""What lies between a technique that trains and the training loop: the module, the rows, the kept adapter."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.runtime import give_back
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import Message, Ref, System, digest

CPUINFO = Path("/proc/cpuinfo")
BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # what it says of processors that have it; the last one on Arm


def tune(
    program: System,
    train: Sequence[tuple[Message, ...]],
    dev: Sequence[tuple[Message, ...]],
    bench: Bench,
    options: dict[str, Any],
) -> list[tuple[str, Ref]]:
    """Train on conversations, keep what came of it in the store, and return it, each with a label.

    That is the adapter of the smallest validation loss and, where it is another, the one of the last step. The bench's
    work folder holds checkpoints and the result: the same call after a kill goes on from there. Who gave the folder
    removes it; without one, nothing is left and nothing can be gone on with.

    Raises:
        NotAvailable: bf16 is asked for, and the hardware has none; no row can be learned, or the loss diverged.
    """
    if bench.work is None:
        with tempfile.TemporaryDirectory(prefix="sharpen-") as scratch:
            return tune(program, train, dev, replace(bench, work=Path(scratch)), options)
    from sharpen import tuning
    from sharpen.models import pull
    from sharpen.models.transformers import load_module, placed

    settings = train_options(bench, options)
    if settings.bf16 and not multiplies_bf16():
        what = "this machine has no bf16 in hardware, and emulated it is slower than float32."
        raise NotAvailable(what, do="Leave bf16 out.")
    model = bench.model(program)
    rows, dev_rows = ([model.render(m) for m in part] for part in (train, dev))
    # What is longer than what the model reads could be learned and not be asked.
    settings = replace(settings, max_length=min(settings.max_length, getattr(model, "context", settings.max_length)))
    del model
    work = bench.work / digest([program, train, dev, settings])[:16]  # a technique may train twice
    bench.engines.release()
    give_back()  # training needs the memory
    module, tokenizer = load_module(pull(program.model))
    try:
        trained = tuning.train(
            placed(module), rows, dev_rows, settings, work, bench.progress, lambda ids: tokenizer.decode(ids)
        )
    except tuning.Untrainable as e:  # this arm's misfortune; the others are studied
        raise NotAvailable(e.problems) from None
    del module
    bench.note("trained", {**trained.plain(), "options": asdict(settings)})

    about = json.dumps({"options": asdict(settings), "supervised_tokens": trained.supervised_tokens})

    def keep(made: Path) -> Ref:
        def fill(kept: Path) -> None:
            for path in made.iterdir():
                if path.is_file():
                    shutil.copy2(path, kept / path.name)
            (kept / "training.json").write_text(about, encoding="utf-8")

        return bench.keep("adapter", fill)

    found = [(f"step {trained.best_step}", keep(trained.adapter))]
    if trained.last is not None:
        found.append((f"step {trained.steps}", keep(trained.last)))
    return found


def multiplies_bf16() -> bool:
    """Whether the hardware that would train has bf16 itself; elsewhere it is emulated."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        said = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not BF16.isdisjoint(said.split())


def train_options(bench: Bench, options: dict[str, Any]) -> Any:
    """The loop's options: the technique's own, scaled by what the budget became."""
    settings = check_options({"seed": bench.seed, **options})
    if bench.counts.epochs != 1.0:
        settings = replace(settings, num_train_epochs=settings.num_train_epochs * bench.counts.epochs)
    return settings


def check_options(options: dict[str, Any]) -> Any:
    """Return the loop's options; nothing heavy is imported, so that a study can say what is wrong before it begins.

    Raises:
        UserError: an option is not known, or its value is not possible.
    """
    from sharpen.tuning import TrainOptions

    known = [f.name for f in fields(TrainOptions)]
    strange = [k for k in options if k not in known]
    if strange:
        near = get_close_matches(strange[0], known, n=1) or [k for k in known if strange[0] in k][:1]
        hint = f"Did you mean {near[0]}?" if near else f"It has: gold_share, {', '.join(known)}."
        raise UserError(f"lora has no option {', '.join(strange)}.", do=hint)
    return TrainOptions(**options)

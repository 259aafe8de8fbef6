"""Ask the winner of a run (or another of its arms) a question of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sharpen.config import arm_name, validate
from sharpen.errors import UserError
from sharpen.models import is_too_long, public_name
from sharpen.runtime import Engines, batch, embeds, streamed
from sharpen.study.allowing import allow
from sharpen.study.engine import engines_written
from sharpen.study.folder import RunFolder
from sharpen.study.preflight import weights_of
from sharpen.study.reading import read_report
from sharpen.study.setting import Setting, resolve
from sharpen.types import Answer, Example, Message, System, silent

Lend = Callable[[Setting, System], System]
"""What lends a program another index than that of its run."""


def ask(run: Path | str, question: str, arm: str | None = None, tell: Callable[[str], None] | None = None) -> Answer:
    """Answer a question with the chosen arm of a finished run, through the same path that was evaluated.

    ``tell`` hears the answer as it is written, where the engine can.

    Raises:
        UserError: there is no such run or arm, the arm has no program (its answers were given), or no answer came.
    """
    example = example_of(question)
    setting, program = program_of(run, arm)
    return answered(program, example, setting.engines(), tell)


def example_of(question: str) -> Example:
    """A question as it is asked.

    Raises:
        UserError: it is no text.
    """
    if any("\ud800" <= c <= "\udfff" for c in question):
        raise UserError("the question holds half a character.", do="Ask it in a terminal whose encoding is UTF-8.")
    return Example("asked", (Message("user", question),))


def answered(program: System, example: Example, engines: Engines, tell: Callable[[str], None] | None) -> Answer:
    """Answer a question, told as it is written where someone hears it.

    Raises:
        UserError: no answer came.
    """
    if tell:
        answer = streamed(program, example, engines, tell)
    else:
        _, answer = next(batch(program, [example], engines))  # also within a notebook's own event loop
    if answer.error:
        again = "Ask again; where it stays so, see whether the model is there."
        do = "Ask a shorter question, or another arm." if is_too_long(answer.error) else again
        raise UserError(f"no answer: {answer.error}", do=do)
    return answer


def program_of(run: Path | str, arm: str | None = None, lend: Lend | None = None) -> tuple[Setting, System]:
    """Return the setting of a run and the program of one of its arms, by default the chosen one.

    Where nothing was chosen, the baseline is meant: it is what there is today. What ``data.sources`` no longer allows
    is left out of it and of its searches, also of those in an index that ``lend`` puts in the place of the run's.
    """
    folder = RunFolder(Path(run))
    report = read_report(run)
    name = arm or report.winner or report["baseline"]
    programs = folder.programs()
    kept, base = folder.settings()
    uc = validate(kept, str(folder.path / "config.yaml"))
    if name not in programs:
        given = name in [arm_name(a) for a in uc.arms if a.answers]
        what = f"the run has no program called {name!r}."
        what = f"{name}: its answers were given, so there is no program to ask or to export." if given else what
        raise UserError(what, str(run), f"There are: {', '.join(programs)}.")
    setting = resolve(uc, (), silent, base)
    setting.engines_of = engines_written(folder) or {}
    _as_it_was(folder, setting, programs[name])
    return setting, allow(setting, folder, lend(setting, programs[name]) if lend else programs[name])


def _as_it_was(folder: RunFolder, setting: Setting, program: System) -> None:
    """Refuse a model that is another one under the same reference: what the run found out is not about that one."""
    before = folder.finished()[1]
    others = [setting.use_case.embeddings] if embeds(program) else []
    reranker = program.retriever.reranker if program.retriever else ""
    others += [reranker] if reranker and not reranker.startswith("reranker:") else []  # a trained one lies in the store
    for ref in (program.model, *others):
        if before.get(ref) != weights_of(ref):
            do = "Put it back as it was (or name its version), or run the study again with --out."
            raise UserError(f"{public_name(ref)} is no longer the model that the run used.", str(folder.path), do)

"""The prompts of a run: as the linter looks at them, and what their answers on dev show."""

from __future__ import annotations

from pathlib import Path

from sharpen.prompts.brief import SLOT
from sharpen.prompts.linting import Subject
from sharpen.prompts.repairing import Symptom, symptoms
from sharpen.study.asking import program_of
from sharpen.study.folder import RunFolder
from sharpen.study.reading import read_report
from sharpen.study.robustness import data_of
from sharpen.techniques import Counts
from sharpen.types import Progress, silent


def subjects_of(run: Path | str, context: int | None = None) -> list[Subject]:
    """The instructions of a finished run's programs, each different one once.

    Worked examples and passages are left out: they are data, also personal data, and no wording of the prompt's writer.

    Raises:
        UserError: there is no such run.
    """
    read_report(run)
    made: dict[tuple[str, str, str], Subject] = {}
    for name, program in RunFolder(Path(run)).programs().items():
        p = program.prompt
        known = {step.name for step in program.steps}
        fields = {"instruction": p.instruction, "template": p.context_template if program.retriever else p.template}
        # What a step wrote stands where its name stands: it is filled.
        fields = {k: SLOT.sub(lambda m, known=known: "…" if m[1] in known else m[0], v) for k, v in fields.items()}  # type: ignore[misc]
        key = (fields["instruction"], fields["template"], p.fence)
        made.setdefault(key, Subject(name, fields, context=context, template=True, fence=p.fence))
    return list(made.values())


def symptoms_of(run: Path | str, arm: str | None = None, progress: Progress = silent) -> tuple[str, list[Symptom]]:
    """The name of an arm (by default the chosen one, else the leader), and the symptoms of its answers on dev.

    Raises:
        UserError: there is no such run or arm, or the prepared data of the run is gone.
    """
    report = read_report(run)
    name = arm or report.winner or report["leader"]
    setting, program = program_of(run, name)
    setting.progress = progress
    data = data_of(report, setting)
    engines = setting.engines()
    answers = setting.bench(data, engines, Counts()).answer(program, data.dev, "dev answers")
    engines.release()
    return name, symptoms(data.dev, answers)

"""Number the passages, ask for citations, and show those that exist and support what is said.

Wordings are tried on dev: the one is taken whose answers rest most often on a citation that exists and supports them,
of equals the one that answers best. Citations are read and taken out of the answer; those that do not exist, or whose
passage does not say what it is cited for (:mod:`sharpen.support`), are dropped, and the answer's findings say so.
Worked examples with passages are shown with their citations, whether they come before this technique or after it.
A model that was trained before does not know the numbers: put ``cite`` before ``lora``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sharpen.errors import UserError
from sharpen.runtime import dropped
from sharpen.support import cited
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import System, Task, Technique

WORDINGS = (
    "After each statement, name the passage that it rests on by its number in square brackets, like [1].",
    "End the answer with the number of the passage that it comes from, in square brackets. Example: Paris [2]",
    "The passages are numbered. Write the answer and then the number of its passage, like this: answer [1]",
)


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Citations are written."""
    if "generate" not in can or program.decoding.choices:
        return (
            "a citation has to be written, and the answer is chosen among classes"
            if "generate" in can
            else ("the model cannot generate")
        )
    return None


def cite(wordings: tuple[str, ...] | str = WORDINGS, passage: str = "[{n}] {text}") -> Technique:
    """Return the technique.

    Args:
        wordings: what is added to the instruction; several are tried on dev.
        passage: how a passage is put, with {n} and {text}.
    """
    said = (wordings,) if isinstance(wordings, str) else tuple(wordings)
    if not said or not all(isinstance(w, str) and w.strip() for w in said):
        raise UserError(f"the option wordings is {wordings!r}.", do="Write texts: wordings=('Cite like [1].',)")
    if not isinstance(passage, str) or "[{n}]" not in passage or "{text}" not in passage:
        raise UserError(f"the option passage is {passage!r}.", do="It needs [{n}] and {text}: passage='[{n}] {text}'")

    def improve(program: System, bench: Bench) -> System:
        if program.retriever is None:
            raise NotAvailable("cite needs passages, and the program has none.", do="Put retrieve before it.")
        if program.decoding.schema:
            raise NotAvailable("cite needs free text, and the answer has to keep a schema.")
        demos = tuple(replace(d, answer=cited(d.answer, d.passages)) for d in program.demos)
        candidates = []
        for wording in said:
            instruction = f"{program.prompt.instruction} {wording}".strip()
            prompt = replace(program.prompt, instruction=instruction, passage_template=passage, cites=True)
            candidates.append((wording[:60], replace(program, prompt=prompt, demos=demos)))
        candidates = candidates[: max(1, bench.counts.trials)]
        tried = {label: _tried(label, p, bench) for label, p in candidates} if bench.dev else {}
        best = max(candidates, key=lambda c: tried.get(c[0], ()))  # of equals the first
        bench.note("chose", {"what": "cite", "candidate": best[0]})
        return best[1]

    return improve


def _tried(label: str, program: System, bench: Bench) -> tuple[Any, ...]:
    """The share of dev answers that rest on a citation, and what the metrics say."""
    dev = bench.dev[: bench.counts.dev]
    answers = bench.answer(program, dev, f"try cite {label}")
    judged = bench.judge(program, dev, answers, label)
    lost = [dropped(a.findings) for a in answers]
    share = sum(bool(a.citations) for a in answers) / len(dev)
    values = {
        "citing": share,
        "dropped_absent": sum(absent for absent, _ in lost) / len(dev),
        "dropped_unsupported": sum(other for _, other in lost) / len(dev),
        **{m.name: v for m, v in zip(bench.metrics, judged.values, strict=True) if abs(v) < float("inf")},
    }
    bench.note("tried", {"what": "cite", "candidate": label, "n": len(dev), "values": values})
    return (share, *judged.values)

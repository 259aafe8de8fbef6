"""Say what an answer must not do or hold, and check what it holds (negative prompting).

``words`` must not stand in an answer, whatever their case: an answer that holds one is asked for anew, and what stays
is a finding of that answer. ``must_not`` are rules in words (``name prices``) that nobody can check but a reader: they
stand in the prompt only. How it is told is chosen on dev. The metric ``avoids(words=('sorry',))`` says of every arm
which share of its replies holds none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sharpen.errors import UserError
from sharpen.runtime import held
from sharpen.techniques._options import count
from sharpen.techniques.bench import Bench
from sharpen.types import System, Task, Technique


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Only what is written can hold what it must not."""
    if "generate" not in can:
        return "the model writes nothing: it only chooses"
    return "an answer is one of the classes, and no other word" if program.decoding.choices else None


def avoid(
    words: str | Sequence[str] = ("as an AI", "as a language model", "I cannot"),
    must_not: str | Sequence[str] = (),
    retries: int = 1,
) -> Technique:
    """Return the technique.

    Args:
        words: words and phrases that no answer may hold.
        must_not: what an answer must not do, each a verb with what goes with it: ``give advice``.
        retries: how often an answer that holds one of the words is asked for anew.
    """
    held_not, do_not = texts("words", words), texts("must_not", must_not)
    again = count("retries", retries, least=0)
    if not held_not and not do_not:
        raise UserError("avoid has neither words nor must_not.", do="Write: avoid(words=('sorry',))")

    def improve(program: System, bench: Bench) -> System:
        retries_left = max(again, program.decoding.retries)
        decoding = replace(program.decoding, avoid=(*program.decoding.avoid, *held_not), retries=retries_left)
        candidates = []
        for name, told in _tellings(held_not, do_not):
            prompt = replace(program.prompt, instruction=f"{program.prompt.instruction}\n{told}".strip())
            candidates.append((name, replace(program, prompt=prompt, decoding=decoding)))
        made = bench.best(candidates, "avoid")
        answers = bench.answer(made, bench.dev, "avoided on dev")
        stays = sum(held(a.raw, held_not) is not None for a in answers)
        bench.note("avoided on dev", {"hold one of the words": stays, "n": len(answers)})
        return made

    return improve


def _tellings(words: Sequence[str], rules: Sequence[str]) -> list[tuple[str, str]]:
    """The list as rules, and the same as one sentence, which small models follow more often or less."""
    quoted = ", ".join(f'"{w}"' for w in words)
    told = [*(f"Do not {r.rstrip('.')}." for r in rules), *([f"Do not use these words: {quoted}."] if words else [])]
    listed = "You must not:\n" + "\n".join(
        [*(f"- {r.rstrip('.')}" for r in rules), *([f"- use these words: {quoted}"] if words else [])]
    )
    return [("sentences", " ".join(told)), ("list", listed)]


def texts(option: str, given: Any) -> tuple[str, ...]:
    """Read an option that is a text or several.

    Raises:
        UserError: it is something else.
    """
    several = (given,) if isinstance(given, str) else given
    if not isinstance(several, list | tuple) or not all(isinstance(t, str) and t.strip() for t in several):
        raise UserError(f"the option {option} is {given!r}.", do=f"Write a text, or several: {option}=('…', '…')")
    return tuple(dict.fromkeys(several))

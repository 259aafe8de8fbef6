"""Ask for no more than so many words, and cut what is longer.

The limit is told in the prompt, and what is longer all the same ends with its last whole sentence that keeps it, or of
a longer first sentence with the last word. How it is told is chosen on dev; how many answers had to be cut is noted.
The metric ``within_words(words=50)`` says of every arm which share of its replies kept a limit as they were written.
"""

from __future__ import annotations

from dataclasses import replace

from sharpen.techniques._options import LONGEST, count
from sharpen.techniques.bench import Bench
from sharpen.types import System, Task, Technique

TOLD = (
    "Use at most {words} words.",
    "Your answer must not be longer than {words} words: leave out what matters least.",
    "",
)


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Only what is written can be too long."""
    if "generate" not in can:
        return "the model writes nothing: it only chooses"
    return "a class is as long as its name" if program.decoding.choices else None


def shorten(words: int = 50) -> Technique:
    """Return the technique.

    Args:
        words: the most words of an answer.
    """
    most = count("words", words, most=LONGEST)

    def improve(program: System, bench: Bench) -> System:
        decoding, said = replace(program.decoding, words=most), program.prompt.instruction
        candidates = []
        for told in TOLD:
            instruction = f"{said} {told.replace('{words}', str(most))}".strip()
            prompt = replace(program.prompt, instruction=instruction)
            candidates.append((told or "not told, only cut", replace(program, prompt=prompt, decoding=decoding)))
        made = bench.best(candidates, "shorten")
        answers = bench.answer(made, bench.dev, "longer on dev")
        longer = sum(len(a.raw.split()) > most for a in answers)
        bench.note("longer on dev", {"words": most, "cut": longer, "n": len(answers)})
        return made

    return improve

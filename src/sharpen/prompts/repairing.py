"""From symptoms of answers to what may mend the prompt: too long, cut, wrong form, wrong details, and so on.

A symptom is a share of answers, counted by simple signs; it says where to look, and not that the prompt is at fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from sharpen.prompts.reading import words
from sharpen.types import Answer, Example

REFUSES = re.compile(
    r"^\W*(?:i'?m sorry|i am sorry|sorry,|i can(?:no|')t|i am (?:an|unable)|i'm (?:an|unable)|as an ai)\b", re.I
)
LEAKS = re.compile(r"</?(?:given|input|question|context)>|\b(?:Background|Format|Tone|The answer must(?: not)?):")
LONGER = 2.0  # times the words of its reference from which an answer is too long
REPEATS = 0.8  # share of the question's words from which an answer repeats it


@dataclass(frozen=True)
class Symptom:
    """What is seen in ``share`` of ``n`` answers, and what may mend it."""

    name: str
    share: float
    n: int
    repair: str

    def __str__(self) -> str:
        return f"{self.name}: {self.share:.0%} of {self.n} answers. {self.repair}"


def _fold(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _holds(example: Example, answer: Answer) -> bool:
    """Whether a reference stands in the answer, case and marks apart."""
    said = f" {_fold(answer.text)} "
    return any(_fold(t) and f" {_fold(t)} " in said for t in example.targets)


def _is(example: Example, answer: Answer) -> bool:
    return any(_fold(t) == _fold(answer.text) for t in example.targets)


def _long(example: Example, answer: Answer) -> bool:
    most = max((len(t.split()) for t in example.targets), default=0)
    return bool(most) and len(answer.text.split()) > max(LONGER * most, most + 3)


def _short(example: Example, answer: Answer) -> bool:
    least = min((len(t.split()) for t in example.targets), default=0)
    return bool(answer.text.strip()) and len(answer.text.split()) < least / LONGER


def _repeats(example: Example, answer: Answer) -> bool:
    asked, said = set(words(example.question)), set(words(answer.text))
    return len(asked) > 3 and len(asked & said) >= REPEATS * len(asked)


Sign = Callable[[Example, Answer], bool]
SIGNS: tuple[tuple[str, float, str, Sign], ...] = (
    ("nothing is said", 0.02, "Order it in task, and put indicator last.", lambda e, a: not a.text.strip()),
    (
        "it refuses",
        0.02,
        "Say in context what it is for, and in must what to do instead.",
        lambda e, a: bool(REFUSES.search(a.text)),
    ),
    ("cut off", 0.05, "Lower words, or raise max_new_tokens.", lambda e, a: a.finish == "length"),
    ("too long", 0.10, "Set words, say the form in format, and show short examples.", _long),
    ("too short", 0.10, "Say in must what every answer holds, and show longer examples.", _short),
    (
        "wrong form",
        0.10,
        "Say the form in format, show two examples of it, or set output_schema.",
        lambda e, a: _holds(e, a) and not _is(e, a),
    ),
    (
        "wrong details",
        0.30,
        "Give facts, or retrieve; say in must what the reader looks for.",
        lambda e, a: bool(e.targets) and not _holds(e, a),
    ),
    ("the schema is not kept", 0.02, "Show an example that keeps it; allow fewer keys.", lambda e, a: a.valid is False),
    ("the question is repeated", 0.05, "Add to must_not: repeat the question.", _repeats),
    (
        "parts of the prompt are repeated",
        0.02,
        "Move rules from the input into task and must.",
        lambda e, a: bool(LEAKS.search(a.text)),
    ),
)
"""Name, the share from which it is told, the repair, and the sign in one answer."""


def symptoms(examples: Sequence[Example], answers: Sequence[Answer]) -> list[Symptom]:
    """The symptoms of answers, the most frequent first.

    Only answers that did not fail are looked at. Where references are long (20 words or more in the middle), whether
    one stands in an answer says nothing, and form and details are left out.
    """
    pairs = [(e, a) for e, a in zip(examples, answers, strict=True) if not a.error]
    lengths = [len(t.split()) for e, _ in pairs for t in e.targets]
    free = bool(lengths) and median(lengths) >= 20
    found = []
    for name, least, repair, sign in SIGNS:
        if free and name in ("wrong form", "wrong details"):
            continue
        n = sum(sign(e, a) for e, a in pairs)
        if pairs and n and n >= least * len(pairs):
            found.append(Symptom(name, n / len(pairs), len(pairs), repair))
    return sorted(found, key=lambda s: -s.share)

"""How often two engines give the same answer: a fixed set of questions, short enough to be asked before every study."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path
from typing import Any

from sharpen.models._local import cache
from sharpen.store import hash_files, read_cached, write_text
from sharpen.types import Decoding, Generate, Message, Model

ENOUGH = 0.95
"""Share of equal answers from which one engine may stand in for another."""

APART = 0.01
"""Share of right answers by which the two may differ at most."""

NEW_TOKENS = 24
INSTRUCTION = "Answer the question from the text in a few words."
TEXTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "The harbour of Lindholm was dug by hand between 1871 and 1879. Four hundred workers moved the clay in carts "
        "drawn by oxen, and the engineer Amalia Berg paid them in silver every second Friday. Storms twice tore the "
        "northern wall away before it was rebuilt in granite.",
        (
            ("When was the harbour finished?", "1879"),
            ("Who paid the workers?", "Amalia Berg"),
            ("What was the northern wall rebuilt in?", "granite"),
            ("How many workers moved the clay?", "four hundred"),
            ("What pulled the carts?", "oxen"),
        ),
    ),
    (
        "To return a kettle, put it into its box with the lid and the base, print the label from your account and "
        "bring the parcel to any post office within 30 days. We refund the price to the card that you paid with, "
        "usually in five working days. Kettles that have been descaled with acid cannot be returned.",
        (
            ("How long do I have to return a kettle?", "30 days"),
            ("Where do I find the label?", "account"),
            ("How is the money paid back?", "card"),
            ("Which kettles cannot be returned?", "acid"),
            ("What has to be in the box?", "lid"),
        ),
    ),
    (
        "Lichens are partnerships of a fungus and an alga. The fungus holds water and anchors the pair to bark or "
        "stone, and the alga makes sugar from light. Because they have no roots they take what they need from rain "
        "and dust, which is why few kinds grow in cities with dirty air.",
        (
            ("What is a lichen made of?", "fungus"),
            ("What does the alga make?", "sugar"),
            ("Why do few lichens grow in cities?", "dirty air"),
            ("What does the fungus do?", "holds water"),
            ("Do lichens have roots?", "no"),
        ),
    ),
    (
        "Staff who work on a public holiday receive double pay or a day off in the same quarter, as they choose. The "
        "choice is made in the time sheet before the tenth of the following month. Managers approve it; without an "
        "answer within a week it counts as approved.",
        (
            ("What do staff receive for work on a public holiday?", "double pay"),
            ("By when must the choice be made?", "tenth"),
            ("Who approves the choice?", "managers"),
            ("What happens without an answer?", "approved"),
            ("Where is the choice entered?", "time sheet"),
        ),
    ),
    (
        "The night train leaves Tarn at 21:40 and reaches Vess at 6:15. It carries two sleeping cars, a car with seats "
        "and, from June to September, a van for bicycles. Passengers with a cabin get breakfast; tea can be bought "
        "from the attendant until midnight.",
        (
            ("When does the train reach Vess?", "6:15"),
            ("In which months can bicycles be taken?", "June to September"),
            ("Who gets breakfast?", "cabin"),
            ("How many sleeping cars are there?", "two"),
            ("Until when is tea sold?", "midnight"),
        ),
    ),
    (
        "In 1954 the chemist Ivo Marek noticed that glass coated with tin oxide stayed clear in fog. He sold the idea "
        "to a maker of ship's lamps for the price of a used car. By 1960 every lighthouse on the western coast had "
        "panes of his glass, and the maker had become the largest employer in the valley.",
        (
            ("What did Marek notice?", "stayed clear"),
            ("Whom did he sell the idea to?", "lamps"),
            ("What did he get for it?", "used car"),
            ("What had changed by 1960?", "lighthouse"),
            ("What was the glass coated with?", "tin oxide"),
        ),
    ),
    (
        "Bread dough with more water ferments faster and gives larger holes, but it is hard to shape. Bakers fold it "
        "every half hour instead of kneading it. Salt slows the yeast, so it is added last; a dough without salt can "
        "rise in half the time and tastes of little.",
        (
            ("What does more water do to dough?", "faster"),
            ("How often do bakers fold it?", "half hour"),
            ("Why is salt added last?", "slows"),
            ("How does dough without salt taste?", "little"),
            ("What is done instead of kneading?", "fold"),
        ),
    ),
    (
        "The council voted 7 to 4 to close Mill Street to cars from May. Shops may be supplied until ten in the "
        "morning, residents keep a permit for one car, and buses run along the river instead. After a year the "
        "council will count visitors and decide again.",
        (
            ("How did the council vote?", "7 to 4"),
            ("Until when may shops be supplied?", "ten"),
            ("Where will buses run?", "river"),
            ("What do residents keep?", "permit"),
            ("When will the council decide again?", "year"),
        ),
    ),
)


@dataclass(frozen=True)
class Agreement:
    """``equal`` of ``n`` whole answers are the same; ``differing`` holds up to five questions with both answers.

    ``right`` and ``reference_right`` count the answers of each in which what was asked for stands.
    """

    equal: int
    n: int
    differing: tuple[tuple[str, str, str], ...] = ()
    right: int = 0
    reference_right: int = 0

    @property
    def share(self) -> float:
        """Share of equal answers."""
        return self.equal / self.n

    @property
    def enough(self) -> bool:
        """Whether one may stand in for the other."""
        return self.share >= ENOUGH and abs(self.right - self.reference_right) <= APART * self.n

    @property
    def said(self) -> str:
        """The result in words."""
        equal = f"its answers are those of fp32 transformers on {self.equal} of {self.n} questions"
        return f"{equal}, and {self.right} are right where {self.reference_right} are in fp32"


def agrees(model: Model, reference: Model | Callable[[], Model], against: str = "") -> Agreement:
    """Ask both models the fixed set, greedily, and compare whole answers; remembered by both identities.

    Args:
        model: The engine in question.
        reference: The engine that is trusted, or what opens it: it is opened only when the result is not known.
        against: The reference's identity, when ``reference`` opens it.
    """
    if not callable(reference):
        against = reference.identity
    asked = [NEW_TOKENS, INSTRUCTION, TEXTS, _code()]
    key = hashlib.sha256(json.dumps([model.identity, against, *asked]).encode()).hexdigest()
    path = cache() / "agreement" / f"{key[:32]}.json"
    known = read_cached(path, _agreement) if against else None
    if known:
        return known
    questions = [(text, question) for text, asked in TEXTS for question, _ in asked]
    wanted = [target.lower() for _, asked in TEXTS for _, target in asked]
    # One after the other: a reference that was opened here is let go before the engine takes its memory.
    theirs = _answers(reference() if callable(reference) else reference, questions)
    ours = _answers(model, questions)
    pairs = [(q, a, b) for (_, q), a, b in zip(questions, ours, theirs, strict=True)]
    differing = tuple(p for p in pairs if p[1] != p[2])
    right = [sum(t in a.lower() for t, a in zip(wanted, answers, strict=True)) for answers in (ours, theirs)]
    result = Agreement(len(pairs) - len(differing), len(pairs), differing[:5], *right)
    if against:
        write_text(path, json.dumps(dataclasses.asdict(result), ensure_ascii=False, indent=1))
    return result


@once
def _code() -> str:
    """Hash of this room's code: other code, perhaps other answers."""
    return hash_files(sorted(Path(__file__).parent.glob("*.py")))


def _agreement(data: Any) -> Agreement:
    """An agreement that was found before, as it was written down."""
    return Agreement(**{**data, "differing": tuple((q, a, b) for q, a, b in data["differing"])})


def _answers(model: Model, questions: list[tuple[str, str]]) -> list[str]:
    decoding = Decoding(max_new_tokens=NEW_TOKENS)
    requests = [
        Generate(model.ref, (), (Message("system", INSTRUCTION), Message("user", f"{text}\n\nQuestion: {q}")), decoding)
        for text, q in questions
    ]
    texts = [""] * len(requests)
    for i, completion in model.generate(requests):
        texts[i] = completion.text if completion.error is None else f"[{completion.error}]"
    return texts

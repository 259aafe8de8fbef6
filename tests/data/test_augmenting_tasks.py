"""Augmentations of one task each: sentences of what is summarised, names of code."""

from __future__ import annotations

import pytest

from sharpen.data.augmentations.renaming import pieces, renameable, renamed
from sharpen.data.augmentations.sentences import split, untouched
from sharpen.data.augmenting import Material, Variant, open_augmentation
from sharpen.errors import UserError
from sharpen.types import Example, Message

STORY = (
    "The council met on Monday evening. The new bridge over the river will open in March. "
    "Lunch was served by volunteers. Several dogs slept under tables. He praised them. "
    "Repairs of the bridge cost nine million euros. "
    "Visitors parked behind the church. Everybody went home before midnight."
)
SUMMARY = "The bridge opens in March; repairs cost nine million."


def row(question: str, *targets: str, label: str = "") -> Example:
    return Example("a", (Message("user", question),), targets, labels=(label,) if label else ())


def variants(name: str, example: Example, n: int = 1, **options: object) -> list[Variant]:
    return list(open_augmentation(name, options)(Material((example,), n=n)))


def test_only_sentences_that_the_summary_does_not_rest_on_are_free() -> None:
    parts = split(STORY)
    assert "".join(parts) == STORY
    assert len(parts[::2]) == 8
    # 0 and 7 are the ends, 1 and 5 are told, "He" points back to the dogs (3) and is itself a word that points (4)
    assert untouched(parts[::2], [SUMMARY]) == [2, 6]
    assert untouched(parts[::2], [SUMMARY, "Lunches were served."]) == [6]


def test_sentences_that_are_told_stay_in_every_variant() -> None:
    made = variants("sentences", row(STORY, SUMMARY), n=30)
    assert made
    for v in made:
        assert "The new bridge over the river will open in March." in v.question
        assert "Repairs of the bridge cost nine million euros." in v.question
        assert v.question.startswith("The council met")
        assert v.question.endswith("before midnight.")
        assert v.target is None
        assert set(split(v.question)[::2]) <= set(split(STORY)[::2])
    assert {v.how for v in made} >= {"1 of 8 sentences left out", "2 of 8 sentences left out"}


def test_neighbours_change_places() -> None:
    text = STORY.replace("Several dogs slept under tables. He praised them. ", "Several dogs slept under tables. ")
    made = variants("sentences", row(text, SUMMARY), n=30)
    swapped = [v.question for v in made if "changed places" in v.how]
    assert set(swapped) == {
        text.replace(
            "Lunch was served by volunteers. Several dogs slept under tables.",
            "Several dogs slept under tables. Lunch was served by volunteers.",
        )
    }
    assert not any("changed places" in v.how for v in variants("sentences", row(text, SUMMARY), n=30, order=False))


@pytest.mark.parametrize(
    "example",
    [
        row(STORY, "Dogs everywhere asked for something entirely different without relation"),  # not what stands there
        row(STORY, STORY),  # no shorter
        row(STORY, "council", label="council"),
        row("What is it? I live there. And my wife too.", "it"),
    ],
)
def test_what_is_no_summary_is_left_alone(example: Example) -> None:
    assert variants("sentences", example, n=5) == []


def test_abbreviations_and_names_end_no_sentence() -> None:
    assert split("We met Dr. Smith in Bern. They left early. So did I.")[::2] == [
        "We met Dr. Smith in Bern. They left early.",
        "So did I.",
    ]


ADD = "def add(rows, start=0):\n    total = start\n    for row in rows:\n        total += row.size"
ASK = f"What does `total` hold?\n\n```python\n{ADD}\n    print(f'{{start}}')\n    return total\n```\nAdd a tax."
TOLD = f"Multiply `total`:\n```python\n{ADD} * 1.2  # of each row\n    return total\n```"


def test_names_that_may_be_others() -> None:
    """``start`` stands in a string, ``row`` in a comment, ``add`` is a function, ``size`` an attribute."""
    assert renameable([ASK, TOLD]) == ["rows", "total"]
    assert renameable([ASK, TOLD + " All rows count."]) == ["total"], "what the text around the code says stays"
    assert renameable([ASK.replace("print(", "print(locals(), "), TOLD]) == []
    assert renameable([ASK, "```\nnot python at all(\n```"]) == []
    earlier = Example("a", (Message("system", "rows and total"), Message("user", ASK)), (TOLD,))
    assert variants("renaming", earlier) == [], "what was said before stays what it is"
    assert renameable(["Why is the sky blue?", "It is."]) == []
    assert renameable(["r = 1\nf(r'x', x=2)\ny = r"]) == ["y"]
    assert renameable(["class A:\n    x = 1\ny = 2"]) == ["y"]


def test_code_does_the_same_under_other_names() -> None:
    code = "def mean(xs):\n    n = len(xs)\n    s = 0\n    for x in xs:\n        s += x\n    return s / n"
    for v in variants("renaming", row(f"Explain:\n```python\n{code}\n```", code), n=10):
        assert v.target is not None
        assert v.target in v.question, "the same names in both"
        assert v.target != code
        held: dict[str, object] = {}
        exec(v.target, held)
        mean = held["mean"]
        assert callable(mean)
        assert mean([1, 2, 6]) == 3.0


def test_what_is_between_back_ticks_follows() -> None:
    assert renamed(TOLD, {"total": "item"}).startswith(
        "Multiply `item`:\n```python\ndef add(rows, start=0):\n    item = "
    )
    assert "".join(part for _, part in pieces(ASK)) == ASK
    (v,) = variants("renaming", row("x = 1\nprint(x + x)", "2"), rate=1.0)
    assert v.target is None
    assert "x" not in v.question.replace("print", "")


def test_options_out_of_range_are_refused() -> None:
    for name, options in (("sentences", {"drop": 1}), ("renaming", {"rate": 0}), ("renaming", {"rate": True})):
        with pytest.raises(UserError, match="option"):
            open_augmentation(name, options)

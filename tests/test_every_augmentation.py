"""What holds for every augmentation: it has a page, is the same again, stays in train, and survives any text."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharpen import parts
from sharpen.data.augmenting import MARK, Augmented, Limits, Material, augment, open_augmentation
from sharpen.errors import UserError
from sharpen.types import Document, Example, Message

NAMES = sorted(n for n, p in parts.all_parts("augmentation").items() if p.origin == "sharpen")
HERE = [
    name for name in NAMES if all(importlib.util.find_spec(need) for need in parts.find("augmentation", name).needs)
]
PAPER = Document(
    "plans.md",
    "# Plans\n\nThe basic plan costs 9 EUR a month and can be cancelled at any time by the customer in his account.\n\n"
    "| plan | fee |\n|---|---|\n| Basic | 9 EUR |\n| Large | 19 EUR |\n\n"
    "Whoever buys a large plan gets a lamp, and his wife may use the same account without paying any more for it.\n",
)
ASKED = [
    ("How do I change the address on my account?", "address"),
    ("My husband moved, where can he change his address?", "address"),
    ("Can I buy a larger plan for my brother before Monday?", "plan"),
    ("What does the basic plan cost when I pay by the year?", "plan"),
    ("please cancel everything", "cancel"),
    ("I want to stop paying for the service next month", "cancel"),
]
STORY = (
    "The council met on Monday evening. The bridge over the river opens in March. Lunch was served by some volunteers. "
    "Several dogs slept under tables. Visitors parked behind church walls. Everybody went home before midnight."
)
CODE = "```python\ntotal = 0\nfor n in (1, 2):\n    total += n\n```"
TRAIN = (
    *(
        Example(f"q{i}", (Message("user", text),), (label,), labels=(label,), source=f"s{i}", weight=2.0)
        for i, (text, label) in enumerate(ASKED)
    ),
    Example("summary", (Message("user", STORY),), ("The bridge opens in March.",), source="s6"),
    Example("code", (Message("user", CODE),), ("total = 3",)),
)


def ask(conversations: Sequence[Sequence[Message]]) -> list[str]:
    """A scripted model: says what each operator expects, told apart by the instruction."""
    said = []
    for c in conversations:
        text = c[-1].content
        if c[0].content.startswith("Answer the question"):
            said.append("9 EUR a month.")
        elif "Question:" in c[0].content:
            said.append("Question: What does it cost?\nAnswer: 9 eur a month" if "9 EUR a month" in text else "Sorry.")
        elif "Translate" in c[0].content:
            said.append(f"{text}, please")
        else:
            said.append(f"1. {text} Thank you.\n2. {text}")
    return said


def predict(texts: Sequence[str]) -> list[str]:
    """A model that knows the questions to the letter and nothing else."""
    known = dict(ASKED)
    return [known.get(text, "unknown") for text in texts]


def material(train: tuple[Example, ...] = TRAIN, n: int = 2, seed: int = 0) -> Material:
    return Material(train, (PAPER,), n, seed, ask, predict)


def made(name: str, given: Material, share: float = 10.0) -> Augmented:
    return augment(name, open_augmentation(name), given, Limits(share=share))


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_page_and_a_usage(name: str) -> None:
    part = parts.find("augmentation", name)
    assert part.summary.endswith((".", ":"))
    assert "Return the augmentation" in part.usage


@pytest.mark.parametrize("name", HERE)
def test_it_makes_rows_of_train_that_say_where_they_come_from(name: str) -> None:
    found = made(name, material())
    assert found.examples, "every operator has something to do with these"
    parents = {e.id: e for e in TRAIN}
    assert len({e.id for e in found.examples} | parents.keys()) == len(found.examples) + len(parents)
    for e in found.examples:
        assert e.meta[MARK] == name
        assert e.meta["how"]
        parent = parents.get(str(e.meta.get("of")))
        if parent:
            assert (e.source, e.labels, e.weight) == (parent.source, parent.labels, parent.weight)
            assert e.targets == parent.targets or name == "renaming", "an answer changes with its question only there"
            assert e.question != parent.question
        else:
            (gold,) = e.gold
            assert PAPER.text[gold.start : gold.end] == e.targets[0]
            assert e.source == PAPER.source
    assert found.proposed == len(found.examples) + sum(found.refused.values())


@pytest.mark.parametrize("name", HERE)
def test_the_same_seed_makes_the_same(name: str) -> None:
    assert made(name, material()) == made(name, material())


@pytest.mark.parametrize("name", HERE)
def test_no_example_gets_more_than_was_asked_for_and_the_cap_holds(name: str) -> None:
    found = made(name, material(n=3))
    for e in TRAIN:
        assert sum(x.meta.get("of") == e.id for x in found.examples) <= 3
    assert len(made(name, material(n=3), 0.5).examples) <= len(TRAIN) // 2


@pytest.mark.parametrize("name", HERE)
def test_nothing_of_nothing(name: str) -> None:
    empty = Material((), (), 1, 0, ask, predict)
    assert made(name, empty) == Augmented((), {}, 0)


@pytest.mark.parametrize("name", HERE)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=60), max_size=5))
def test_any_text_is_survived(name: str, texts: list[str]) -> None:
    rows = tuple(Example(f"x{i}", (Message("user", t),), (t or "-",), labels=("l",)) for i, t in enumerate(texts))
    documents = tuple(Document(f"d{i}", t) for i, t in enumerate(texts))
    found = made(name, Material(rows, documents, 2, 0, ask, lambda asked: ["l"] * len(asked)))
    assert all(e.question.strip() for e in found.examples)


@pytest.mark.parametrize("name", ["paraphrase", "back_translation", "synthetic_qa", "reworded_qa"])
def test_without_a_model_it_says_what_is_missing(name: str) -> None:
    with pytest.raises(UserError, match="no model was named that could write"):
        made(name, Material(TRAIN, (PAPER,)))


@pytest.mark.parametrize("name", ["adversarial", "adaptive"])
def test_without_a_model_that_predicts_it_says_so(name: str) -> None:
    with pytest.raises(UserError, match="needs a model that predicts classes"):
        made(name, Material(TRAIN))

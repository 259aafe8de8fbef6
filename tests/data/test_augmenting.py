"""What each augmentation does, on texts small enough to be done by hand."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from sharpen.data.augmentations.adaptive import misled
from sharpen.data.augmentations.counterfactual import swapped
from sharpen.data.augmentations.facts import triples
from sharpen.data.augmentations.typos import BESIDE, mistyped
from sharpen.data.augmenting import Augmentation, Limits, Material, Variant, augment, open_augmentation, tokens
from sharpen.data.writing import lines
from sharpen.errors import UserError
from sharpen.types import Document, Example, Message, Span


def row(name: str, text: str, label: str = "", target: str = "") -> Example:
    labels = (label,) if label else ()
    return Example(name, (Message("user", text),), (target or label,), labels=labels, source=f"of {name}")


def variants(name: str, text: str, n: int = 1, **options: object) -> list[str]:
    made = open_augmentation(name, options)(Material((row("a", text, "x"),), n=n))
    return [v.question for v in made]


def fixed(*found: Variant) -> Augmentation:
    return lambda material: list(found)


def test_tokens_joined_are_the_text() -> None:
    text = "Don't  pay 3.50 EUR,\tplease – it's über!\n"
    assert "".join(tokens(text)) == text


def test_deletion_leaves_out_so_many_words_and_keeps_two() -> None:
    text = "one two three four five six seven eight nine ten"
    (half,) = variants("deletion", text, rate=0.5)
    assert len(half.split()) == 5
    assert [w for w in text.split() if w in half.split()] == half.split(), "in their order"
    (most,) = variants("deletion", text, rate=1.0)
    assert len(most.split()) == 2
    assert variants("deletion", "two words") == []


def test_swap_keeps_every_word() -> None:
    (made,) = variants("swap", "pay the bill now", rate=0.25)
    assert sorted(made.split()) == sorted(["pay", "the", "bill", "now"])
    assert made != "pay the bill now"
    assert variants("swap", "alone") == []


def test_numbers_and_codes_are_facts() -> None:
    for name in ("typos", "scanned", "swap", "deletion"):
        for made in variants(name, "order A17-4 cost 1200 euros yesterday evening", n=8):
            assert "17" in made
            assert "1200" in made


@pytest.mark.parametrize("seed", range(40))
def test_a_typo_is_one_mistake_and_never_in_the_first_letter(seed: int) -> None:
    word = mistyped("account", random.Random(seed))
    assert word[0] == "a"
    assert abs(len(word) - 7) <= 1
    if len(word) == 7:
        assert 1 <= sum(a != b for a, b in zip(word, "account", strict=True)) <= 2


def test_keys_that_lie_beside_each_other() -> None:
    assert BESIDE["q"] == {"w", "a"}
    assert BESIDE["g"] == {"f", "h", "t", "y", "v", "b"}


def test_scanned_confuses_as_recognition_does() -> None:
    (made,) = variants("scanned", "mm", rate=1.0)
    assert made == "rnm"


def test_letter_case_goes_through_its_forms() -> None:
    assert set(variants("letter_case", "Pay it now.", n=4)) == {
        "pay it now.",
        "PAY IT NOW.",
        "Pay It Now.",
        "Pay it now",
    }
    with pytest.raises(UserError, match="forms"):
        open_augmentation("letter_case", {"forms": ["italic"]})


def test_truncation_keeps_the_beginning() -> None:
    text = "one two three four five"
    for made in variants("truncation", text, n=6):
        assert text.startswith(made)
        assert 3 <= len(made.split()) <= 4


def test_insertion_takes_words_of_the_same_class_only() -> None:
    train = (row("a", "pay bill", "x"), row("b", "settle invoice", "x"), row("c", "lost password", "y"))
    made = open_augmentation("insertion")(Material(train, n=3))
    for v in made:
        added = set(v.question.split()) - set(next(e.question for e in train if e.id == v.of).split())
        assert added <= ({"settle", "invoice", "bill"} if v.of != "c" else set())
    assert {v.of for v in made} == {"a", "b"}


def test_replacement_takes_the_end_of_another_question_of_the_class() -> None:
    train = (row("a", "How can I top up by card", "x"), row("b", "May we add money with a watch", "x"))
    made = {v.of: v.question for v in open_augmentation("replacement")(Material(train))}
    assert made == {"a": "How can I top with a watch", "b": "May we add money up by card"}
    assert open_augmentation("replacement")(Material((row("a", "no class of its own here", target="t"),))) == []


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("He lost his card.", "She lost her card."),
        ("I sent her the money, call her back.", "I sent him the money, call him back."),
        ("Her husband moved", "His wife moved"),
        ("It is his.", "It is hers."),
        ("MR Lee", "MRS Lee"),
        ("The theme of this", None),
    ],
)
def test_counterfactual_swaps_gender_and_nothing_else(text: str, other: str | None) -> None:
    assert swapped(text) == (other or text, 0 if other is None else swapped(text)[1])


def test_facts_of_a_table_and_of_lines() -> None:
    text = "| plan | fee | term |\n|---|---|---|\n| Basic | 9 EUR | a month |\n\nBerlin | capital | Germany\n"
    found = list(triples(Document("d", text)))
    said = [(s, r, o) for s, r, o, _ in found]
    assert said == [("Basic", "fee", "9 EUR"), ("Basic", "term", "a month"), ("Berlin", "capital", "Germany")]
    assert [text[g.start : g.end] for *_, g in found] == ["9 EUR", "a month", "Germany"]


def test_a_question_whose_answer_does_not_stand_in_its_passage_is_thrown_away() -> None:
    text = "The fee of nine euros is due on the first working day of each month, as the contract says. " * 2
    said = iter(["Question: When?\nAnswer: the First working day", "Question: How much?\nAnswer: ten euros"])

    def ask(conversations: Sequence[Sequence[Message]]) -> list[str]:
        return [next(said) for _ in conversations]

    train = (row("a", "x", "y"), row("b", "z", "y"))
    document = Document("d.md", f"{text}\n\n{text}")
    made = open_augmentation("synthetic_qa")(Material(train, (document,), ask=ask))
    (one,) = made
    assert (one.question, one.target) == ("When?", "the first working day")
    assert one.gold is not None
    assert document.text[one.gold.start : one.gold.end] == "the first working day"


def test_back_translation_asks_there_and_back() -> None:
    heard: list[str] = []

    def ask(conversations: Sequence[Sequence[Message]]) -> list[str]:
        heard.extend(c[0].content for c in conversations)
        return ["hallo" if "German" in c[0].content else "hi there" for c in conversations]

    made = open_augmentation("back_translation", {"languages": ["German"]})(
        Material((row("a", "hello", "x"),), ask=ask)
    )
    assert [v.question for v in made] == ["hi there"]
    assert ["German" in h for h in heard] == [True, False]


def test_adversarial_keeps_what_misleads_and_adaptive_weighs_by_it() -> None:
    train = (row("a", "please pay the invoice", "pay"), row("b", "cancel the order", "cancel"))

    def predict(texts: Sequence[str]) -> list[str]:
        return ["pay" if "pay" in t.split() else "cancel" for t in texts]

    material = Material(train, n=5, predict=predict)
    for v in open_augmentation("adversarial", {"tries": 5})(material):
        assert v.of == "a", "the other is called cancel whatever happens"
        assert "pay" not in v.question.split()
    found = misled(material, ("swap", "letter_case"), 10)
    assert found["swap"] == 0.0, "all words stay"


def test_a_mixture_gives_each_operator_its_share() -> None:
    train = tuple(row(f"e{i}", "how do I pay the invoice of last month by card", "x") for i in range(200))
    made = open_augmentation("mixture", {"shares": {"swap": 3, "deletion": 1}})(Material(train))
    assert len(made) == 200
    swaps = sum(v.how.startswith("swap: ") for v in made)
    assert 125 <= swaps <= 172  # 150, and four standard deviations
    with pytest.raises(UserError, match="shares"):
        open_augmentation("mixture", {"shares": {"swap": -1}})


def test_filters_say_why_a_variant_went() -> None:
    train = (row("a", "pay the bill", "x"), row("b", "lost my card", "y"))
    found = augment(
        "hand",
        fixed(
            Variant("a", "pay the bill"),
            Variant("a", "Lost my card!"),
            Variant("a", "entirely other words here"),
            Variant("a", "   "),
            Variant("a", "pay the big bill"),
            Variant("a", "pay the other bill"),
            Variant("b", "lost my card " * 9),
            Variant("", "from nowhere"),
        ),
        Material(train, n=1),
        Limits(share=5),
    )
    assert [e.question for e in found.examples] == ["pay the big bill"]
    assert found.refused == {
        "stands there already": 1,
        "is the text of another answer": 1,
        "is too far from its parent": 1,
        "holds no words": 1,
        "one more than was asked for": 1,
        "is too long": 1,
        "has no answer": 1,
    }


def test_a_conversation_keeps_its_earlier_turns() -> None:
    turns = (Message("system", "s"), Message("user", "first"), Message("assistant", "yes"), Message("user", "and then"))
    parent = Example("c", turns, ("done",))
    (made,) = augment("hand", fixed(Variant("c", "and then what")), Material((parent,)), Limits()).examples
    assert made.messages == (*turns[:3], Message("user", "and then what"))
    assert made.gold == ()


def test_a_variant_keeps_the_gold_of_its_parent() -> None:
    parent = Example("c", (Message("user", "what is due"),), ("9",), gold=(Span("d", 1, 2),))
    (made,) = augment("hand", fixed(Variant("c", "what is due now")), Material((parent,)), Limits()).examples
    assert made.gold == parent.gold


def test_lists_of_models_are_read() -> None:
    assert lines('1. One?\n2) "Two?"\n\n- Three?\n* Four') == ["One?", "Two?", "Three?", "Four"]
    assert lines("3 cards are lost") == ["3 cards are lost"]


def test_synonyms_are_those_of_the_sense_and_in_the_form() -> None:
    pytest.importorskip("pattern")
    from sharpen.data.thesaurus import synonyms

    assert "purchasing" in synonyms("buying")
    assert "automobile" in synonyms("car")
    assert synonyms("be") == ()
    assert "buyed" not in synonyms("purchased")

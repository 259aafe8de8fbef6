"""Bias in data: ratios and intervals computed by hand, and a bias that was planted is found where it was planted."""

from __future__ import annotations

import math

import pytest

from sharpen.data.bias import (
    GROUPS,
    class_rates,
    groups_of,
    impact,
    mentions,
    occupations,
    offensive,
    probes,
    shown,
    wilson,
)
from sharpen.data.wording import words
from sharpen.types import Document, Example, Message


def row(i: int, text: str, label: str = "") -> Example:
    return Example(str(i), (Message("user", text),), (label,) if label else ("yes",), labels=(label,) if label else ())


def said(text: str) -> frozenset[str]:
    return frozenset(words(text))


def test_the_ratio_and_its_interval_by_hand() -> None:
    """20 of 50 against 40 of 50: 0.4 / 0.8; the variance is 1/20 - 1/50 + 1/40 - 1/50 = 0.035."""
    ratio, se = impact((20, 50), (40, 50))
    assert ratio == 0.5
    assert se == pytest.approx(math.sqrt(0.035))
    examples = [row(i, "She asks for a loan", "granted" if i < 20 else "refused") for i in range(50)]
    examples += [row(50 + i, "He asks for a loan", "granted" if i < 40 else "refused") for i in range(50)]
    found = {r["label"]: r for r in class_rates(examples, [said(e.question) for e in examples], "gender")}
    granted = found["granted"]
    assert (granted["low"], granted["high"]) == (
        {"group": "women", "k": 20, "n": 50},
        {"group": "men", "k": 40, "n": 50},
    )
    assert granted["ratio"] == 0.5
    assert granted["interval"] == [
        pytest.approx(0.5 * math.exp(-1.959964 * math.sqrt(0.035)), abs=1e-4),
        pytest.approx(0.5 * math.exp(1.959964 * math.sqrt(0.035)), abs=1e-4),
    ]
    assert found["refused"]["low"]["group"] == "men"
    assert found["refused"]["ratio"] == pytest.approx(10 / 30, abs=1e-4)
    assert [r["shown"] for r in shown(list(found.values()))] == [True, True]


def test_a_class_that_a_group_does_not_have_at_all_has_a_ratio_of_0_and_an_interval() -> None:
    ratio, se = impact((0, 20), (10, 20))
    assert ratio == pytest.approx((0.5 / 20.5) / (10.5 / 20.5))
    assert se == pytest.approx(math.sqrt(1 / 0.5 - 1 / 20.5 + 1 / 10.5 - 1 / 20.5))


def test_a_small_difference_is_no_finding_and_few_rows_are_none() -> None:
    even = [row(i, f"{'She' if i % 2 else 'He'} asks", "yes" if i % 20 < 10 else "no") for i in range(200)]
    assert probes(even)["rates"] == []
    few = [row(i, "She asks", "no") for i in range(9)] + [row(20 + i, "He asks", "yes") for i in range(90)]
    assert probes(few)["compared"] == 0, "9 rows of a group are too few"


def test_ratios_below_the_rule_by_chance_are_listed_and_not_called_shown() -> None:
    examples = [row(i, "She asks", "yes" if i < 4 else "no") for i in range(12)]
    examples += [row(20 + i, "He asks", "yes" if i < 7 else "no") for i in range(12)]
    (one, *_) = probes(examples)["rates"]
    assert one["ratio"] < 0.8
    assert not one["shown"]
    assert one["interval"][1] > 0.8


def test_rows_that_speak_of_both_say_nothing_of_either() -> None:
    examples = [row(i, "He and she ask", "yes") for i in range(50)]
    assert class_rates(examples, [said(e.question) for e in examples], "gender") == []


def test_a_planted_bias_is_found_and_the_same_data_without_it_are_clean() -> None:
    def made(biased: bool) -> tuple[list[Example], list[Document]]:
        examples = []
        for i in range(300):
            who = ("My mother", "My father")[i % 2]
            refused = i % 10 < (8 if biased and i % 2 else 4)
            examples.append(row(i, f"{who} wants card number {i}.", "refuse" if refused else "grant"))
        text = ""
        for i in range(40):
            he = i % 2 if not biased else 0
            text += f"The nurse said {'he' if he else 'she'} was late. "
            text += f"The engineer said {'she' if he else 'he'} was on time. "
        return examples, [Document("d", text)]

    found, clean = (probes(*made(biased)) for biased in (True, False))
    assert {r["label"] for r in found["rates"] if r["shown"]} == {"refuse", "grant"}
    assert {r["name"] for r in found["occupations"]["rows"] if r["skewed"]} == {"nurse", "engineer"}
    assert not [r for r in clean["rates"] if r["shown"]]
    assert not [r for r in clean["occupations"]["rows"] if r["skewed"]]


def test_mentions_are_counted_once_a_text() -> None:
    found = mentions([said("He told him that his son"), said("She."), said("Nobody")], "gender")
    assert found == [{"group": "men", "n": 1, "share": 0.33333}, {"group": "women", "n": 1, "share": 0.33333}]


@pytest.mark.parametrize(
    ("text", "family", "groups"),
    [
        ("The elderly pensioner", "age", ["old"]),
        ("My kids and my grandparents", "age", ["young", "old"]),
        ("A mosque beside the church", "religion", ["Christian", "Muslim"]),
        ("Please polish my new card", "nationality", []),
        ("The heater sheds hissing heat", "gender", []),
        ("Her mom's card", "gender", ["women"]),
    ],
)
def test_who_is_named(text: str, family: str, groups: list[str]) -> None:
    assert groups_of(said(text), family) == groups


def test_no_word_stands_for_two_groups_of_a_family() -> None:
    for family in GROUPS.values():
        every = [w for named in family.values() for w in named]
        assert len(every) == len(set(every))
        assert all(words(w) == (w,) for w in every), "words are compared as the lists have them"


def test_occupations_by_hand() -> None:
    found = occupations(["The nurses said she left. The doctor saw him! A pilot met her and him. No pilot."])
    assert found["n"] == 2
    assert {(r["name"], r["men"], r["women"]) for r in found["rows"]} == {("nurse", 0, 1), ("doctor", 1, 0)}


def test_offensive_words_are_counted_by_kind_and_beside_groups() -> None:
    rows = [said("You idiot, she said"), said("All is fine"), said("This is shit and you are a moron")]
    found = offensive(rows, [said("damn")])
    assert found["kinds"]["insult"] == {"rows": 2, "documents": 0}
    assert found["kinds"]["profanity"] == {"rows": 1, "documents": 1}
    assert (found["rows"], found["share"]) == (2, 0.66667)
    assert found["beside"] == {"women": 1}


def test_wilson_by_hand() -> None:
    """8 of 10, from Brown, Cai and DasGupta's formula: 0.4902 to 0.9433."""
    assert wilson(8, 10) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson(0, 0) == (0.0, 1.0)


def test_by_chance_alone_the_rule_is_seldom_called_broken() -> None:
    """Five groups and two classes without any bias, a hundred times: the worst pair is chosen after a look at all."""
    import random

    groups = ["christian", "muslim", "jewish", "hindu", "buddhist"]
    alarms = 0
    for seed in range(100):
        r = random.Random(seed)
        made = [row(i, f"A {r.choice(groups)} asks", r.choice("ab")) for i in range(250)]
        rates = class_rates(made, [said(e.question) for e in made], "religion")
        alarms += any(x["shown"] for x in shown(rates))
    assert alarms <= 8

"""Classes evened out, languages, keyboards, pairs of one's own, what a probe tells, and robustness sets."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data import perturbed, probe
from sharpen.data.augmentations.counterfactual import swapped
from sharpen.data.augmentations.typos import LAYOUTS, beside, mistyped
from sharpen.data.augmenting import Augmentation, Limits, Material, Variant, augment, open_augmentation
from sharpen.data.robustness import CHANGES, origin
from sharpen.data.robustness import beside as as_they_are
from sharpen.errors import UserError
from sharpen.types import Example, Message


def row(name: str, text: str, label: str = "", group: str = "") -> Example:
    labels = (label,) if label else ()
    return Example(name, (Message("user", text),), (label or "x",), labels=labels, group=group, source=f"s{name}")


def uneven(**sizes: int) -> tuple[Example, ...]:
    """So many questions of each class."""
    return tuple(row(f"{c}{i}", f"what about {c} and number {i} of it", c) for c, n in sizes.items() for i in range(n))


def counting(seen: list[str]) -> Augmentation:
    """As many variants as are wanted, and which examples it was given."""

    def make(material: Material) -> list[Variant]:
        seen.extend(e.id for e in material.train)
        return [Variant(e.id, f"{e.question} {k}", "n") for e in material.train for k in "abc"[: material.n]]

    return make


def test_small_classes_get_what_they_lack_and_no_more() -> None:
    train, seen = uneven(a=6, b=2, c=4), list[str]()
    found = augment("typos", counting(seen), Material(train, n=3), Limits(share=9, even=True))
    assert Counter(e.labels[0] for e in found.examples) == {"b": 4, "c": 2}
    assert found.groups == {"a": (6, 6), "b": (2, 6), "c": (4, 6)}
    assert found.facts["groups"]["b"] == [2, 6]
    assert not any(i.startswith("a") for i in seen), "a model would have been asked for nothing"
    assert found.refused["more than its class lacks"] == 12
    assert found.proposed == 18 == len(found.examples) + sum(found.refused.values())
    less = augment("typos", counting([]), Material(train, n=1), Limits(share=9, even=True))
    assert less.groups == {"a": (6, 6), "b": (2, 4), "c": (4, 6)}, "one variant each cannot fill what b lacks"
    assert augment("typos", counting([]), Material(train, n=3), Limits(share=9)).groups == {}


def test_groups_count_where_there_are_no_classes() -> None:
    train = tuple(row(str(i), f"how much is number {i} of these", group="x" if i else "y") for i in range(4))
    found = augment("typos", counting([]), Material(train, n=3), Limits(share=9, even=True))
    assert found.groups == {"x": (3, 3), "y": (1, 3)}
    even = augment("typos", counting([]), Material(uneven(a=2, b=2)), Limits(even=True))
    assert (even.examples, even.proposed) == ((), 0)


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 9), min_size=1), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_no_class_outgrows_the_largest(sizes: dict[str, int], n: int) -> None:
    train = uneven(**sizes)
    found = augment("typos", counting([]), Material(train, n=n), Limits(share=99, even=True))
    after = Counter(e.labels[0] for e in (*train, *found.examples))
    assert max(after.values()) == max(sizes.values())
    assert after == {c: min(max(sizes.values()), k * (n + 1)) for c, k in sizes.items()}


GERMAN = tuple(
    row(str(i), f"Wie kann ich die Adresse in meinem Konto ändern, wenn ich nicht mehr in der Stadt {i} wohne?")
    for i in range(8)
)


def test_an_operator_refuses_a_language_that_it_does_not_know() -> None:
    operator = open_augmentation("counterfactual")
    with pytest.raises(UserError, match="counterfactual knows en only, and the examples are in de"):
        augment("counterfactual", operator, Material(GERMAN))
    assert augment("counterfactual", operator, Material(GERMAN, language="en")).proposed == 0, "told, not guessed"
    with pytest.raises(UserError, match="the examples are in fr"):
        augment("counterfactual", operator, Material(uneven(a=2), language="fr"))
    assert augment("swap", open_augmentation("swap"), Material(GERMAN)).examples
    assert augment("counterfactual", operator, Material(GERMAN[:1])).proposed == 0, "too short to be told"


def test_pairs_of_ones_own_are_swapped_both_ways_in_any_language() -> None:
    train = (*GERMAN, row("x", "Hat ANNA in Bern ein Konto, und Aylin in Basel?"))
    operator = open_augmentation("counterfactual", {"pairs": {"Anna": "Aylin", "Bern": "Basel"}})
    (made,) = augment("counterfactual", operator, Material(train)).examples
    assert made.question == "Hat AYLIN in Basel ein Konto, und Anna in Bern?"
    assert made.meta["how"] == "4 words swapped"
    assert swapped("he told Anna", {"anna": "Aylin"}) == ("he told Aylin", 1), "gender is left alone"
    for wrong in ({}, {"New York": "Bern"}, {"a": 3}):
        with pytest.raises(UserError, match="pairs"):
            open_augmentation("counterfactual", {"pairs": wrong})


def test_keyboards() -> None:
    assert "z" in beside("qwertz")["t"]
    assert "z" not in beside("qwerty")["t"]
    assert "ö" in beside("qwertz")["l"]
    assert "q" in beside("azerty")["a"]
    assert {letter for name in LAYOUTS for letter, near in beside(name).items() if not near} == set()
    with pytest.raises(UserError, match="layout"):
        open_augmentation("typos", {"layout": "dvorak"})
    cyrillic = {mistyped("привет", random.Random(i), beside("jcuken")) for i in range(60)}
    letters = set("".join(LAYOUTS["jcuken"]))
    assert any(set(w) - set("привет") for w in cyrillic), "neighbours on the keyboard"
    assert all(set(w) <= letters for w in cyrillic)


def test_a_probe_sees_a_leaning_that_comes_in() -> None:
    train = [row(f"a{i}", f"{'he' if i % 2 else 'she'} wants a loan of {i}", "loan") for i in range(20)]
    train += [row(f"b{i}", f"{'he' if i % 2 else 'she'} lost a card of {i}", "card") for i in range(20)]
    plain = probe(train, [])
    assert (plain["before"]["gender"], plain["before"]["leaning"], plain["warnings"]) == (0.5, 0.0, [])
    assert plain["before"] == plain["after"]
    more = [replace(row(f"v{i}", f"he wants a loan of {i} now", "loan"), meta={"of": f"a{i}"}) for i in range(20)]
    found = probe(train, more)
    assert found["after"]["gender"] == pytest.approx(40 / 60, abs=1e-4)
    assert found["after"]["leaning"] == pytest.approx(abs(0.5 - 40 / 60), abs=1e-4), "card: 10 of 20"
    assert found["after"]["imbalance"] == 2.0
    assert len(found["warnings"]) == 3
    assert found["made"]["unknown"] == pytest.approx(1 / 7, abs=1e-4), "now"


def test_a_probe_sees_variants_that_say_another_class() -> None:
    train = [row(f"a{i}", f"loan money rate {i}", "loan") for i in range(6)]
    train += [row(f"b{i}", f"card lost block {i}", "card") for i in range(6)]
    right = [replace(row(f"v{i}", f"money loan {i}", "loan"), meta={"of": f"a{i}"}) for i in range(6)]
    wrong = [replace(row(f"w{i}", f"lost card {i}", "loan"), meta={"of": f"a{i}"}) for i in range(6)]
    assert probe(train, [])["before"]["elsewhere"] == 0.0
    assert probe(train, right)["made"]["elsewhere"] == 0.0
    found = probe(train, wrong)
    assert found["made"]["elsewhere"] == 1.0
    assert found["warnings"][1:] == ["100% of the variants look like another class than their own, 0% of train do."]


def test_a_probe_tells_nothing_from_a_handful() -> None:
    """A typo that makes "he" of "the" is no bias."""
    train = [row(f"a{i}", f"she wants loan {i}", "loan") for i in range(10)]
    found = probe(train, [replace(row("v", "he wants loan 1", "loan"), meta={"of": "a1"})])
    assert (found["after"]["gender"], found["after"]["leaning"], found["warnings"]) == (None, None, [])


def test_a_probe_of_nothing_and_of_no_classes() -> None:
    assert probe([], []) == {"before": probe([], [])["after"], "after": probe([], [])["before"]} | {
        "made": {},
        "warnings": [],
    }
    found = probe(GERMAN, GERMAN[:1])
    assert found["before"]["elsewhere"] is None
    assert found["before"]["imbalance"] is None


def test_a_robustness_set_is_marked_and_stays_with_its_questions() -> None:
    judged = [row(str(i), f"Where can the customer see the balance of account {i}?", f"l{i % 3}") for i in range(6)]
    made = perturbed(judged, seed=3)
    assert set(made) == set(CHANGES)
    asked = as_they_are(judged, made)
    for name, found in made.items():
        assert len(found) == 6
        assert [origin(v) for v in found] == [e.id for e in asked[name]]
        for v, e in zip(found, asked[name], strict=True):
            assert (v.meta["synthetic"], v.meta["robustness"]) == (name, True)
            assert v.question != e.question
            assert (v.targets, v.labels, v.source, v.gold) == (e.targets, e.labels, e.source, e.gold)
            assert v.id != e.id
    assert made == perturbed(judged, seed=3)
    assert made != perturbed(judged, seed=4)
    assert perturbed(judged[2:3], ["typos"], 3)["typos"] == tuple(v for v in made["typos"] if origin(v) == "2")
    with pytest.raises(UserError, match="paraphrase is no change that leaves a question what it is"):
        perturbed(judged, ["paraphrase"])

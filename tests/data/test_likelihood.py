"""How likely variants are beside real rows, against values worked out by hand."""

from __future__ import annotations

import random

import pytest

from sharpen.data.augmenting import Limits, Material, augment, open_augmentation
from sharpen.data.likelihood import DISCOUNT, FEWEST, ORDER, START, STOP, Letters, Likely, Realism
from sharpen.types import Example, Message

SAID = "please tell me where can i change the limit of my card account password today and why it was not sent"
WORDS = SAID.split()


def texts(n: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=8)) + "?" for _ in range(n)]


def rows(n: int) -> tuple[Example, ...]:
    return tuple(Example(f"r{i}", (Message("user", t),), ("x",), labels=("x",)) for i, t in enumerate(texts(n)))


def test_chances_are_those_of_kneser_and_ney() -> None:
    """Of "ab" and "ac": after four starts an a (twice), after it b and c once each, after each of them the end."""
    model = Letters(["ab", "ac"])
    assert model.size == 5  # a, b, c, the end, and all others
    one = DISCOUNT * 4 / 5 / 5  # of the lowest order: a and b and c and the end stand after 1, 1, 1 and 2 letters
    low = {"a": (1 - DISCOUNT) / 5 + one, "b": (1 - DISCOUNT) / 5 + one, STOP: (2 - DISCOUNT) / 5 + one, "z": one}
    assert model.chance("", "a") == pytest.approx(low["a"])
    assert model.chance("", STOP) == pytest.approx(low[STOP])
    assert model.chance("", "z") == pytest.approx(low["z"])
    after = START * (ORDER - 2) + "a"
    p = low["b"]
    for _ in range(ORDER - 1):  # in every longer order two letters stand after it, once each
        p = (1 - DISCOUNT) / 2 + DISCOUNT * 2 / 2 * p
    assert model.chance(after, "b") == pytest.approx(p)


def test_chances_sum_to_one() -> None:
    model = Letters(texts(30))
    known = {*"".join(texts(30)), STOP}
    for history in (START * 4, "lese", "t me", "zzzz", "zz m"):
        assert sum(model.chance(history, c) for c in known) + model.chance(history, "\u00e9") == pytest.approx(1)


def test_texts_like_those_that_were_read_take_fewer_bits() -> None:
    model = Letters(texts(100))
    real, mixed, foreign = (
        model.bits(texts(1, 9)[0]),
        model.bits("tel em whree cna i hcange"),
        model.bits("xq zzvk jjwq"),
    )
    assert real < mixed < foreign


def test_the_cut_is_where_so_many_real_rows_are_beyond() -> None:
    likely = Likely(texts(200))
    for tail in (0.01, 0.1, 0.5):
        assert sum(b > likely.cut(tail) for b in likely.real) == round(tail * 200)
    assert likely.cut(0.0) == likely.real[-1]


def test_a_row_is_scored_by_the_half_that_has_not_seen_it() -> None:
    odd = texts(60)
    odd[7] = "xq zzvk jjwq"
    train = tuple(Example(f"r{i}", (Message("user", t),), ("x",)) for i, t in enumerate(odd))
    realism = Realism(train)
    assert realism.model is not None
    seen = realism.model.halves[0].bits(odd[7])
    told = realism.bits(odd[7], "r7")
    assert told is not None
    assert told > 2 * seen
    assert realism.model.real[-1] == told


def test_unlikely_variants_are_told_and_refused_where_that_is_asked() -> None:
    material = Material(rows(80))
    plain = augment("typos", open_augmentation("typos", {"rate": 0.8}), material)
    assert plain.likelihood["made"] > plain.likelihood["real"]
    assert plain.likelihood["beyond"] > 0.5
    assert plain.facts["likelihood"] == plain.likelihood
    strict = augment("typos", open_augmentation("typos", {"rate": 0.8}), material, Limits(likely=0.01))
    refused = strict.refused["is less likely than real texts"]
    assert refused == round(plain.likelihood["beyond"] * len(plain.examples))
    assert len(strict.examples) == len(plain.examples) - refused
    swapped = augment("insertion", open_augmentation("insertion"), material, Limits(likely=0.01))
    assert len(swapped.examples) > 0.7 * 80, "words that people use, in another place, are likely"


def test_of_few_rows_nothing_is_told() -> None:
    made = augment("typos", open_augmentation("typos"), Material(rows(FEWEST - 1)), Limits(likely=0.5))
    assert made.likelihood == {}
    assert "is less likely than real texts" not in made.refused

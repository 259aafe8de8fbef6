"""ROUGE-L against the package rouge-score, and our stemmer against NLTK's, word by word."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.metrics import open_metric
from sharpen.stemming import stem
from sharpen.types import Answer, Example, Message

scorers = pytest.importorskip("rouge_score.rouge_scorer")
porter = pytest.importorskip("nltk.stem.porter")

STEMS = "relat condition hope hopp tann fall hiss fail fil sky fly spi enjoy adjust general oper feudal control roll"
ENDINGS = (
    "s es ies sses ed ing eed ied ational tional enci anci izer bli alli entli eli ousli ization ation ator alism "
    "iveness fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence er ic "
    "able ible ant ement ment ent ion ou ism ate iti ous ive ize y e ll"
)
VOCABULARY = [s + e for s in STEMS.split() for e in ["", *ENDINGS.split()]]


def example(*targets: str) -> Example:
    return Example("1", (Message("user", "?"),), targets=targets)


def ours(answer: str, targets: tuple[str, ...], stemmer: bool) -> float | None:
    return open_metric("rouge_l", use_stemmer=stemmer).score([example(*targets)], [Answer(answer)])[0].value


def test_stems_are_those_of_nltk() -> None:
    reference = porter.PorterStemmer()
    words = [*VOCABULARY, "skies", "dying", "news", "proceed", "ties", "die", "yes", "y", "b12", "2024"]
    assert [stem(w) for w in words] == [reference.stem(w) for w in words]


@given(st.text(alphabet="aeioulstyzbdgnrvmcf", min_size=1, max_size=14))
@settings(max_examples=400, deadline=None)
def test_stems_of_any_letters_are_those_of_nltk(word: str) -> None:
    assert stem(word) == porter.PorterStemmer().stem(word)


@pytest.mark.parametrize("stemmer", [True, False])
def test_scores_are_those_of_rouge_score_to_the_last_digit(stemmer: bool) -> None:
    scorer = scorers.RougeScorer(["rougeL"], use_stemmer=stemmer)
    rng = random.Random(0)
    words = [*VOCABULARY[::7], "The", "the", "naïve", "3.5", "e-mail", "…"]
    for _ in range(400):
        answer, *targets = (" ".join(rng.choices(words, k=rng.randrange(0, 40))) for _ in range(3))
        wanted = scorer.score_multi(targets, answer)["rougeL"].fmeasure
        assert ours(answer, tuple(targets), stemmer) == wanted


def test_words_in_another_script_score_nothing() -> None:
    assert ours("москва", ("москва",), True) == 0

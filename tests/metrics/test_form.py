"""Metrics that judge the form of an answer, and options behind a metric's name."""

from __future__ import annotations

import pytest

from sharpen.errors import UserError
from sharpen.metrics import open_metric
from sharpen.types import Answer, Example, Message

ASKED = Example("1", (Message("user", "?"),))


def judged(name: str, answer: Answer) -> tuple[float | None, str]:
    (score,) = open_metric(name).score([ASKED], [answer])
    return score.value, score.why


@pytest.mark.parametrize(
    ("name", "raw", "value", "why"),
    [
        ("within_words(words=3)", "one two three", 1.0, "3 words"),
        ("within_words(words=3)", "one two three four", 0.0, "4 words"),
        ("within_words(words=3)", "<think>many words that are no answer</think> one", 1.0, "1 words"),
        ("avoids(words='sorry')", "I am SORRY.", 0.0, "it holds 'sorry'"),
        ("avoids(words=('sorry', 'as is'))", "He worries. Sorryful, as it is.", 1.0, ""),
        ("avoids(words=('C++',))", "I like C++.", 0.0, "it holds 'C++'"),
    ],
)
def test_the_reply_is_judged_as_it_was_written(name: str, raw: str, value: float, why: str) -> None:
    assert judged(name, Answer("cut", raw)) == (value, why)


def test_json_that_keeps_its_schema() -> None:
    assert judged("valid_json", Answer("a", valid=True)) == (1.0, "")
    assert judged("valid_json", Answer("a", valid=False))[0] == 0.0
    assert judged("valid_json", Answer("a")) == (0.0, "no JSON was asked for")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("within_words(words=0)", "the option words is 0"),
        ("avoids(words=())", "the option words is ()"),
        ("avoids(word='x')", "the metric avoids has no option word. It has: words."),
        ("avoids(words=", "there is no metric called 'avoids(words='"),
        ("avoids(oops)", "cannot read the options of 'avoids(oops)'"),
    ],
)
def test_what_is_wrong_with_options_is_a_sentence(name: str, says: str) -> None:
    with pytest.raises(UserError) as e:
        open_metric(name)
    assert says in str(e.value)

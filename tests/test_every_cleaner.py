"""What holds for every cleaner: it has a page, takes any text in linear time, says why, and does nothing twice."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharpen import parts
from sharpen.data.cleaning import Cleaner, Outcome, RowCleaner, TextCleaner, clean
from sharpen.errors import UserError

CLEANERS = sorted(parts.all_parts("cleaner"))
GOOD = [
    f"A customer may return item {i} within {i + 10} days, and the shop pays the postage for it." for i in range(20)
]
OPTIONS: dict[str, dict[str, Any]] = {
    "classifier": {"good": GOOD, "least": 0.3},
    "relevance": {"about": GOOD},
    "missing": {"fields": {"text": "drop", "city": "mode"}},
    "language": {"keep": ["en"]},
    "lengths": {"most": 500},
}
CANDIDATES = [*GOOD, *(f"Buy now {i} cheap pills offer click {i} win" for i in range(30))]
"""Only these lose something that is meant to be looked at again (relevance, likeness): none changes a text."""


def made(name: str) -> Cleaner:
    if parts.missing(parts.find("cleaner", name)):
        pytest.skip(f"{name} needs a package that is not installed")
    cleaner: Cleaner = parts.factory("cleaner", name)(**OPTIONS.get(name, {}))
    if isinstance(cleaner, TextCleaner):
        return cleaner.learn(CANDIDATES) if cleaner.learn else cleaner
    return cleaner.learn([{"text": t, "city": "Bern"} for t in CANDIDATES]) if cleaner.learn else cleaner


MADE: dict[str, Cleaner] = {}


def ready(name: str) -> Cleaner:
    if name not in MADE:
        MADE[name] = made(name)
    return MADE[name]


def run(cleaner: Cleaner, texts: list[str]) -> list[Outcome]:
    if isinstance(cleaner, RowCleaner):
        return cleaner.rows([{"text": t, "city": None} for t in texts])
    return cleaner.texts(texts)


def remains(outcome: Outcome) -> str | None:
    value = outcome.value
    return value["text"] if isinstance(value, dict) else value


@pytest.mark.parametrize("name", CLEANERS)
def test_page_and_rules(name: str) -> None:
    part = parts.find("cleaner", name)
    assert part.summary.endswith(".")
    cleaner = ready(name)
    assert cleaner.rules
    assert len(set(cleaner.rules)) == len(cleaner.rules)


ODD = "<>&[]|#…\n\t\r \u00a0Ã©â€™Â\ufffdÄ“ß\x00\x85ax1.。é\u0301日\u200b☺"


@pytest.mark.parametrize("name", CLEANERS)
@given(texts=st.lists(st.text(max_size=60) | st.text(ODD, max_size=80), max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text(name: str, texts: list[str]) -> None:
    """An outcome each, in order, by known rules, that depends on no other text; a drop has a reason; twice is once."""
    cleaner = ready(name)
    outcomes = run(cleaner, texts)
    assert len(outcomes) == len(texts)
    for text, outcome in zip(texts, outcomes, strict=True):
        assert set(outcome.rules) <= set(cleaner.rules)
        assert run(cleaner, [text]) == [outcome]
        if outcome.value is None:
            assert outcome.rules
            assert outcome.reason
            continue
        after = remains(outcome)
        assert after is not None
        assert bool(outcome.rules) or after == text
        again = run(cleaner, [after])[0]
        assert again.value is None or remains(again) == after


HARD = [
    "a",
    " ",
    "\n",
    "<",
    "&amp;",
    "[[",
    "<script>",
    "<!--",
    "Ã©",
    "â€",
    "\ufffd",
    "a\n",
    "a b ",
    "a | ",
    "...",
    "日",
]
HARD += ["&", "<b>", "cookies ", "accept ", "\u0301", "-", "# ", "</", "<a href=", "&#38;", "©", "p. 1", "a\n\n"]


@pytest.mark.parametrize("name", CLEANERS)
def test_linear_time(name: str) -> None:
    """Whatever is repeated, ten times as much takes no more than some forty times as long."""
    cleaner = ready(name)
    for piece in HARD:
        seconds = []
        for size in (4_000, 40_000):
            text = piece * (size // len(piece))
            begin = time.process_time()
            run(cleaner, [text])
            seconds.append(time.process_time() - begin)
        assert seconds[1] < max(40 * seconds[0], 0.25), (piece, seconds)


@pytest.mark.parametrize("name", CLEANERS)
def test_nothing_comes_of_nothing_and_good_text_stays(name: str) -> None:
    cleaner = ready(name)
    assert run(cleaner, []) == []
    assert [remains(o) for o in run(cleaner, GOOD)] == GOOD


@pytest.mark.parametrize("name", CLEANERS)
def test_in_a_run_every_row_is_kept_or_dropped_with_a_reason(name: str) -> None:
    rows = [
        {"id": i, "text": t, "answer": f" Ã© {t} ", "city": "Bern"} for i, t in enumerate(["", " ", "x", *CANDIDATES])
    ]
    ready(name)
    done = clean(rows, {name: OPTIONS.get(name, {})})
    assert sorted([*done.places, *(g.at for g in done.dropped)]) == list(range(len(rows)))
    assert [r["id"] for r in done.kept] == done.places
    assert all(r["answer"] == rows[r["id"]]["answer"] for r in done.kept)
    assert all(g.reason and g.rule.startswith(f"{name}.") and g.row == rows[g.at] for g in done.dropped)
    assert set(done.counts) == {f"{name}.{r}" for r in ready(name).rules}
    dropped = sum(done.counts.values())
    assert dropped >= len(done.dropped)


@pytest.mark.parametrize("name", CLEANERS)
def test_every_rule_can_be_switched_off(name: str) -> None:
    cleaner = ready(name)
    if len(cleaner.rules) == 1 or name == "missing":
        return  # one rule is switched off with its cleaner, and fields by not naming them
    for rule in cleaner.rules:
        less = parts.factory("cleaner", name)(**OPTIONS.get(name, {}), off=[rule])
        assert less.rules == tuple(r for r in cleaner.rules if r != rule)
    with pytest.raises(UserError, match="has no rule 'nonsense'"):
        parts.factory("cleaner", name)(off=["nonsense"])
    nothing = parts.factory("cleaner", name)(**OPTIONS.get(name, {}), off=list(cleaner.rules))
    odd = [ODD * 3, "# - " * 200, "Skip to content\nPage 3 of 4"]
    assert [o.value for o in nothing.texts(odd)] == odd

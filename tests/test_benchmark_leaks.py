"""The script that plants leaks: its own comparison, what it plants, and that it says when one was missed."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import leaks

_WORDS = "the old garden gate was painted green by two men who came from a town beyond the long river in May"
WORDS = _WORDS.split(" ")


def tiny(sources: int = 14, each: int = 8) -> leaks.Set:
    """Questions of many words, none like another, and documents."""
    rng, rows = random.Random(0), list[leaks.Row]()
    for s in range(sources):
        for i in range(each):
            text = " ".join(f"{w}{rng.randrange(400)}" for w in rng.sample(WORDS, 14))
            rows.append({"id": f"{s}-{i}", "question": f"{text}?", "answers": [f"a{s}x{i}"], "source": f"s{s}.md"})
    papers = {f"s{s}.md": " ".join(f"{w}{rng.randrange(900)}" for w in WORDS * 4) for s in range(sources)}
    return leaks.Set("tiny", rows, "source", papers)


def test_similarities_are_those_of_all_pairs() -> None:
    rng = random.Random(1)
    texts = [" ".join(rng.choice("abcd") for _ in range(rng.randrange(9))) for _ in range(30)]
    for text, found in zip(texts, leaks.nearest(texts, texts), strict=True):
        mine = leaks.grams(text)
        wanted = {j: len(mine & g) / len(mine | g) for j, g in enumerate(map(leaks.grams, texts)) if mine & g}
        assert dict(found) == pytest.approx(wanted)
    assert leaks.grams("A b, c D") == {("a", "b", "c"), ("b", "c", "d")}


def test_exact_forms_keep_the_words() -> None:
    text = "What's the fee (9 EUR) for Zürich, please?"
    forms = [form(text) for form in leaks.EXACT]
    assert len(set(forms)) == len(forms)
    assert {tuple(leaks.said(f)) for f in forms} == {tuple(leaks.said(text))}


def test_what_is_planted_is_what_it_is_called() -> None:
    s = tiny()
    parts = {"train": s.rows[:48], "dev": s.rows[48:80], "test": s.rows[80:]}
    made = leaks.plant(s, parts, 21, 0)
    judged = [r for name in ("dev", "test") for r in parts[name]]
    best = {
        k: leaks.nearest([r["question"] for r in rows], [r["question"] for r in judged])
        for k, rows in made.rows.items()
    }
    top = {k: [max(x for _, x in f) for f in found] for k, found in best.items()}
    assert {len(made.rows[k]) for k in ("exact", "near", "less", "within")} == {21}
    assert set(top["exact"]) == {1.0}
    assert min(top["near"]) >= 0.8 - 1e-9
    assert max(top["less"]) < 0.8
    assert max(top["within"]) < 0.8
    assert (len(made.torn), len(made.copies)) == (4, 2), "half of the sources of dev and test, half under another name"
    assert all(s.documents[copy] != s.documents[name] for copy, name in made.copies.items())
    ids = [r["id"] for rows in made.rows.values() for r in rows]
    assert len(ids) == len(set(ids))


@pytest.mark.full
def test_all_is_found_and_what_is_not_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = leaks.together
    monkeypatch.setattr(leaks, "together", lambda s, place: together(s, place, 1))
    found = leaks.measured(tiny(), tmp_path / "right", 10, 0)
    assert leaks.unmet([found]) == []
    assert found["less"]["found"] == 0
    assert (found["exact"]["n"], found["near"]["n"], found["within"]["n"], found["passage"]["n"]) == (10, 10, 10, 10)
    assert found["false_alarms"]["rows_dropped_not_planted"] == 0
    assert found["as_it_is"]["real_leaks_dropped"] == 0
    monkeypatch.setattr(leaks, "THRESHOLD", 0.4)  # more is demanded than prepare looks for
    alone = leaks.Set("tiny", [{k: v for k, v in r.items() if k != "source"} for r in tiny().rows], "row")
    monkeypatch.setattr(leaks, "SETS", {"tiny": lambda work: alone})
    monkeypatch.setattr(leaks, "HERE", tmp_path)
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(sys, "argv", ["leaks.py", "--work", str(tmp_path / "wrong"), "--n", "10"])
    assert leaks.main() == 1
    assert "(near)" in (tmp_path / "results" / "leaks.json").read_text()


def test_a_real_near_duplicate_that_stayed_is_said() -> None:
    row = {"id": "a", "question": "what does the blue plan cost a month now", "answers": ["9"], "source": "x"}
    other = {**row, "id": "b", "source": "y"}
    assert leaks.missed([row], [other], "source") == [("MISSED", "a")]
    assert leaks.missed([row], [{**other, "answers": ["8"]}], "source")[0][0].startswith("short, of another")
    assert leaks.missed([row], [{**other, "answers": ["8"]}], "row") == [("MISSED", "a")]
    found: dict[str, Any] = {"set": "s", "as_it_is": {"kept_though_similar": {"MISSED": 1}}}
    assert leaks.unmet([found]) == ["s: 1 near-duplicates of its own were kept"]


def test_a_recall_has_its_interval() -> None:
    found = leaks.counted(90, 100, ["x"])
    assert (found["recall"], found["low"], found["high"]) == (0.9, 0.8256, 0.9448)  # Wilson, by statsmodels

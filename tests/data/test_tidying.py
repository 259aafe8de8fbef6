"""Cleaning, duplicates, benchmarks and governance on the way from files to prepared data."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen import data
from sharpen.data.asked import cleaners
from sharpen.data.governing import Rules
from sharpen.data.tidying import mover
from sharpen.errors import UserError
from sharpen.inputs import Data, Source
from sharpen.types import Span

SPLIT = {"train": 0.5, "dev": 0.2, "test": 0.3}
BODY = "The parcel number {s} leaves our house on the day after the order and reaches you within {i} working days."


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def asked(s: int, i: int) -> dict[str, Any]:
    question = f"How long does parcel {s * 31 + i} of customer {s * 7 + i * 3} take to arrive from house {s}?"
    return {"id": f"{s}-{i}", "question": question, "answers": f"within {i} working days", "source": f"s{s}.md"}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "case"
    (folder / "docs").mkdir(parents=True)
    for s in range(12):
        lines = ["# House", "<b>Accept all cookies</b>", *(BODY.format(s=s, i=i) for i in range(6))]
        (folder / "docs" / f"s{s}.md").write_text("\n\n".join(lines), encoding="utf-8")
    write(folder / "q.jsonl", [asked(s, i) | {"evidence": BODY.format(s=s, i=i)} for s in range(12) for i in range(6)])
    return folder


def prepared(base: Path, **more: Any) -> data.Dataset:
    settings = Data(**{"examples": "q.jsonl", "documents": "docs", "split": SPLIT, **more})
    return data.load(data.prepare(settings, base, base.parent / "store"))


def test_documents_are_cleaned_and_gold_passages_move_along(base: Path) -> None:
    made = prepared(base, clean={"documents": ["markup", "boilerplate"]})
    texts = {d.source: d.text for d in made.documents}
    assert not any("cookies" in t or "<b>" in t for t in texts.values())
    test = data.load_sealed(made.seal)
    assert len(test) == 24
    for e in (*made.train, *made.dev, *test):
        (span,) = e.gold
        assert texts[span.source][span.start : span.end].endswith(f"{e.targets[0]}.")
    assert made.facts["rules"]["documents.boilerplate.cookies"] == 12
    assert made.facts["rules"]["documents.markup.tags"] == 12
    assert made.facts["rules"]["documents.markup.comments"] == 0  # a rule that hit nothing is said, too
    assert made.facts["changes"]["documents.boilerplate.cookies"][0]["before"]


def test_what_is_not_asked_for_changes_nothing(base: Path) -> None:
    made = prepared(base)
    assert all("Accept all cookies" in d.text for d in made.documents)
    assert made.facts["rules"] == {}
    assert made.facts["sources"] == []


def test_questions_are_cleaned_in_train_alone_and_answers_never(base: Path) -> None:
    rows = [asked(s, i) | {"question": f"<p>{asked(s, i)['question']}</p>"} for s in range(12) for i in range(6)]
    for row in rows:
        row["answers"] = f"<i>{row['answers']}</i>"
    write(base / "q.jsonl", rows)
    made = prepared(base, clean={"questions": ["markup"], "answers": ["markup"]})
    assert not any("<p>" in e.question for e in made.train)
    assert all("<p>" in e.question for e in (*made.dev, *data.load_sealed(made.seal)))
    assert all(e.targets[0].startswith("<i>") for e in made.train)


def test_an_answer_that_fails_a_rule_takes_its_row_along(base: Path) -> None:
    rows = [asked(s, i) | {"answers": "no" if i == 0 else asked(s, i)["answers"]} for s in range(12) for i in range(6)]
    write(base / "q.jsonl", rows)
    made = prepared(base, clean={"answers": ["quality(least=2)"]})
    assert {e.targets[0] for e in made.train}.isdisjoint({"no"})
    assert "no" in {e.targets[0] for e in (*made.dev, *data.load_sealed(made.seal))}
    dropped = [d for d in made.dropped if "cleaner quality, few_words" in d.reason]
    assert len(dropped) == 6 == made.facts["rules"]["answers.quality.few_words"]  # six train sources
    assert all(d.file == "q.jsonl" and d.place.startswith("line ") for d in dropped)


def test_duplicate_documents_go_and_their_passages_are_found_in_the_first(base: Path) -> None:
    text = (base / "docs" / "s0.md").read_text(encoding="utf-8")
    for s in (3, 5):
        (base / "docs" / f"s{s}.md").write_text(text, encoding="utf-8")
    rows = [
        asked(s, i) | {"evidence": BODY.format(s=0 if s in (3, 5) else s, i=i)} for s in range(12) for i in range(6)
    ]
    write(base / "q.jsonl", rows)
    made = prepared(base, duplicates={"documents": 1.0})
    assert {d.source for d in made.documents}.isdisjoint({"s3.md", "s5.md"})
    moved = [e for e in (*made.train, *made.dev, *data.load_sealed(made.seal)) if e.source in ("s3.md", "s5.md")]
    assert len(moved) == 12
    assert {g.source for e in moved for g in e.gold} == {"s0.md"}
    assert made.facts["rules"]["documents.duplicates.exact"] == 2
    assert sorted(d.file for d in made.dropped if "like s0.md" in d.reason) == ["s3.md", "s5.md"]


def test_sentences_that_stand_everywhere_go(base: Path) -> None:
    for s in range(12):
        with (base / "docs" / f"s{s}.md").open("a", encoding="utf-8") as f:
            f.write("\n\nWe are glad to help you at any time of the day.\n")
    made = prepared(base, duplicates={"sentences": 10})
    held = [d.source for d in made.documents if "glad to help" in d.text]
    assert held == ["s0.md"]  # the first keeps it
    assert made.facts["rules"]["documents.sentences.exact"] >= 11


def test_a_run_of_words_that_stood_before_goes(base: Path) -> None:
    run = " ".join(f"word{n}" for n in range(30))
    for s in (4, 9):
        with (base / "docs" / f"s{s}.md").open("a", encoding="utf-8") as f:
            f.write(f"\n\nHere {s} begins {run} and here it ends {s}.\n")
    made = prepared(base, duplicates={"spans": 20})
    texts = {d.source: d.text for d in made.documents}
    assert run in texts["s4.md"]
    assert "word15" not in texts["s9.md"]
    assert texts["s9.md"].rstrip().endswith("Here 9 9.")  # what both have around the run is the run, too


def test_training_rows_that_stand_in_a_benchmark_go_and_others_stay(base: Path) -> None:
    plain = prepared(base)
    known = [e.question for e in plain.train]
    spoilt = f"By the way, before you answer: {known[0].lower()} I ask for a friend."  # 13 words in a row
    near = known[1].replace("arrive", "come")
    write(base / "bench.jsonl", [{"question": q, "answers": "x"} for q in (spoilt, near, "Who sang it?")])
    made = prepared(base, benchmarks=["bench.jsonl"], near_duplicates=0.6)
    gone = set(known) - {e.question for e in made.train}
    assert gone >= {known[0], known[1]}
    assert made.facts["rules"]["examples.benchmarks.contamination"] == len(gone)
    assert any("bench.jsonl" in d.reason for d in made.dropped)


def test_consent_retention_and_allowed_use_are_enforced(base: Path) -> None:
    sources = [
        {"match": "s0.md", "consent": False, "owner": "sales"},
        {"match": "s1.md", "keep_until": "2001-01-01"},
        {"match": "s2.md", "allowed": ["index"]},
        {"match": "s3.md", "allowed": ["train"]},
        {"match": "s4.md", "keep_until": "2999-01-01", "allowed": ["evaluate", "train"]},
    ]
    made = prepared(base, sources=sources)
    test = data.load_sealed(made.seal)
    everyone = {e.source for e in (*made.train, *made.dev, *test)}
    assert everyone.isdisjoint({"s0.md", "s1.md", "s2.md"})
    assert "s3.md" not in {e.source for e in (*made.dev, *test)}
    documents = {d.source for d in made.documents}
    assert documents.isdisjoint({"s0.md", "s1.md", "s3.md", "s4.md"})
    assert "s2.md" in documents
    assert not any(g.source == "s4.md" for e in (*made.train, *made.dev, *test) for g in e.gold)
    reasons = {d.reason for d in made.dropped}
    assert "sources: there is no consent (s0.md)" in reasons
    assert "sources: it was to be kept until 2001-01-01 (s1.md)" in reasons
    facts = made.facts["sources"]
    assert facts[0]["counts"] == {"there is no consent": 7}  # six rows and the document
    assert facts[0]["owner"] == "sales"


def test_a_rule_that_fits_nothing_ends_it(base: Path) -> None:
    with pytest.raises(UserError, match=r"'crm/\*' fits no source.*keeps nothing out"):
        prepared(base, sources=[{"match": "crm/*", "consent": False}])


def test_a_benchmark_that_cannot_be_read_ends_it(base: Path) -> None:
    (base / "empty.jsonl").write_text("")
    with pytest.raises(UserError) as refused:
        prepared(base, benchmarks=["nope.jsonl", "empty.jsonl"])
    said = [str(p) for p in refused.value.problems]
    assert said[0].startswith("data.benchmarks: nope.jsonl")
    assert len(said) == 2
    assert all("nothing could be kept out of training" in p for p in said)


def test_the_day_after_the_last_makes_other_data() -> None:
    source = Source(match="*", keep_until=date(2026, 5, 1))
    assert Rules((source,), date(2026, 5, 1)).refused(("a",), "train") == ""
    assert Rules((source,), date(2026, 5, 1)).expired == []
    assert "kept until" in Rules((source,), date(2026, 5, 2)).refused(("a",), "train")
    assert Rules((source,), date(2026, 5, 2)).expired == ["*"]


def test_the_first_entry_that_fits_counts() -> None:
    rules = Rules((Source(match="hr/*", allowed=("index",)), Source(match="*", consent=False)), date(2026, 1, 1))
    assert rules.refused(("hr/a.md", "x.csv"), "index") == ""
    assert "not allowed to train" in rules.refused(("hr/a.md",), "train")
    assert "no consent" in rules.refused(("b.md",), "index")


def test_every_wrong_cleaner_is_said_at_once(base: Path) -> None:
    wrong = {
        "documents": ["markupp", "markup(of=1)", "language", "language"],
        "answers": ["quality(off=['x'])", "a + b"],
    }
    with pytest.raises(UserError) as e:
        prepared(base, clean=wrong)
    said = [f"{p.where} {p.what}" for p in e.value.problems]
    for part in ("markupp", "data.clean.documents", "twice", "has no rule 'x'", "a + b"):
        assert any(part in s for s in said), part


def test_options_are_read_as_in_arms() -> None:
    assert cleaners(["language(keep=['en'])"], "x") == {"language": {"keep": ["en"]}}
    assert cleaners(["relevance"], "x", ["about parcels"]) == {"relevance": {"about": ["about parcels"]}}


def test_personal_data_that_cleaning_makes_whole_is_masked(base: Path) -> None:
    with (base / "docs" / "s0.md").open("a", encoding="utf-8") as f:
        f.write("\n\nWrite to jane.doe\u200b@example\u200b.com for more.\n")
    made = prepared(base, clean={"documents": ["normalise"]}, privacy={"how": "mask"})
    written = "".join(p.read_text(encoding="utf-8") for p in made.folder.rglob("*") if p.is_file())
    assert "jane.doe" not in written
    assert made.facts["changes"] == {}


@given(
    st.lists(st.sampled_from(["alpha beta", "gamma <b>x</b> delta", "  two  spaces ", "", "same"]), max_size=8),
    st.data(),
)
def test_a_span_that_moved_says_the_same(lines: list[str], draw: st.DataObject) -> None:
    old = "\n".join(lines)
    new = "\n".join(line for line in lines if not line.startswith("gamma"))
    start = draw.draw(st.integers(0, max(len(old) - 1, 0)))
    end = draw.draw(st.integers(start, len(old)))
    found = mover(old, "a", new)(Span("a", start, end))
    if found is not None:
        assert 0 <= found.start < found.end <= len(new) or start == end
        squeezed = ["".join(t.split()) for t in (old[start:end], new[found.start : found.end])]
        assert squeezed[0] == squeezed[1] or sorted(squeezed[0]) == sorted(squeezed[1])

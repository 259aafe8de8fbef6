"""Evidence, contexts and given spans become places in documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sharpen.data.evidence import Shelf, locate
from sharpen.data.examples import read_examples
from sharpen.data.linking import Linked, link
from sharpen.types import Document, Span

TEXT = "# Returns\n\nYou have **14 days** to send\nit back. The “fee” is 5 €.\n\nNot for bi-\ncycles."
DOCUMENT = Document("help/returns.md", TEXT)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("The “fee” is 5 €.", "The “fee” is 5 €."),
        ("to send it  back", "to send\nit back"),
        ("You have 14 days to send it back", "You have **14 days** to send\nit back"),
        ('the "FEE" is 5', "The “fee” is 5"),
        ("Not for bicycles", "Not for bi-\ncycles"),
        ("15 days to send it back", None),
        ("", None),
        ("fee5", None),
    ],
)
def test_locate(words: str, found: str | None) -> None:
    at = locate(words, TEXT)
    assert (TEXT[at[0] : at[1]] if at else None) == found


def test_locate_counts_characters_that_fold_to_two() -> None:
    text = "İstanbul STRASSE weiß groß"
    at = locate("weiss  gross", text)
    assert at
    assert text[at[0] : at[1]] == "weiß groß"


def test_documents_are_found_by_short_names_when_only_one_has_them() -> None:
    shelf = Shelf([DOCUMENT, Document("a/x.md", ""), Document("b/x.md", "")])
    for name in ("help/returns.md", "returns.md", "returns", "./help/returns.md", "help\\returns.md", "Help/Returns"):
        found = shelf.find(name)
        assert found is DOCUMENT
    assert shelf.find("x.md") is None
    assert shelf.find("none") is None


def linked(tmp_path: Path, rows: list[dict[str, Any]], documents: list[Document] | None) -> Linked:
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows), encoding="utf-8")
    return link(read_examples(path, "q.jsonl").drafts, documents or [], from_contexts=documents is None)


def row(**more: Any) -> dict[str, Any]:
    return {"question": "How long?", "answers": "14 days", **more}


def test_evidence_becomes_gold_and_the_source_gets_its_full_name(tmp_path: Path) -> None:
    made = linked(tmp_path, [row(source="returns", evidence="You have 14 days")], [DOCUMENT])
    (example,) = made.examples
    assert example.source == "help/returns.md"
    (span,) = example.gold
    assert TEXT[span.start : span.end] == "You have **14 days"
    assert not made.notes()


def test_evidence_without_a_source_is_looked_for_everywhere(tmp_path: Path) -> None:
    made = linked(tmp_path, [row(evidence="14 days")], [DOCUMENT, Document("b.md", "other")])
    assert made.examples[0].source == "help/returns.md"
    made = linked(tmp_path, [row(evidence="14 days")], [DOCUMENT, Document("b.md", "14 days")])
    assert made.examples[0].gold == ()


def test_what_cannot_be_placed_is_noted_with_its_line(tmp_path: Path) -> None:
    rows = [row(source="returns", evidence="nowhere"), row(source="none", evidence="x", question="b"), row(gold=[1, 2])]
    notes = linked(tmp_path, rows, [DOCUMENT]).notes()
    assert notes == [
        "2 rows: its evidence does not stand in its source document (first: q.jsonl, line 1).",
        "q.jsonl, line 3: a gold span is not a place in a document.",
    ]


def test_contexts_become_documents(tmp_path: Path) -> None:
    one, two, three = "It takes 14 days. Or 14 days.", "  Two 14 days", "No source: 14 days"
    rows = [
        row(context=one, source="A", answers=[{"text": "14 days", "answer_start": 21}]),
        row(context=two, source="A", answers={"text": ["14 days"], "answer_start": [5]}),  # off by one: nearest
        row(context=three, answers={"text": ["14 days"], "answer_start": [11]}),
        row(context=three, question="Other?", answers="14 days"),
        row(context=three, question="Third?", answers={"text": ["30 days"], "answer_start": [11]}),
    ]
    made = linked(tmp_path, rows, None)
    assert [d.text for d in made.documents] == [f"{one}\n\n{two}", three]
    texts = {d.source: d.text for d in made.documents}
    assert [[texts[s.source][s.start : s.end] for s in e.gold] for e in made.examples] == [["14 days"]] * 3 + [[], []]
    assert [e.gold[0].start for e in made.examples[:3]] == [21, len(one) + 2 + 6, 11]
    assert made.examples[0].source == "A"
    assert made.examples[2].source == made.documents[1].source
    assert made.notes() == ["q.jsonl, line 5: its answer does not stand in its context."]


def test_contexts_are_found_in_the_documents_there_are(tmp_path: Path) -> None:
    context = "You have **14 days** to send\nit back."
    rows = [row(context=context, source="returns", answers={"text": ["14 days"], "answer_start": [11]})]
    (example,) = linked(tmp_path, rows, [DOCUMENT]).examples
    (span,) = example.gold
    assert TEXT[span.start : span.end] == "14 days"


def test_given_spans(tmp_path: Path) -> None:
    rows = [row(source="returns", gold=[{"start": 2, "end": 9}, ["help/returns.md", 11, 14]])]
    assert linked(tmp_path, rows, [DOCUMENT]).examples[0].gold == (
        Span("help/returns.md", 2, 9),
        Span("help/returns.md", 11, 14),
    )
    for gold in ([{"start": 2, "end": 9999}], "x", [None], [{"start": "2", "end": 3}], {"start": 5, "end": 5}):
        made = linked(tmp_path, [row(source="returns", gold=gold)], [DOCUMENT])
        assert made.notes() == ["q.jsonl, line 1: a gold span is not a place in a document."]

"""Make questions and answers of facts: lines "subject | relation | object" of documents, or rows of their tables.

A fact "Basic plan | monthly fee | 9 EUR" becomes "What is the monthly fee of Basic plan?" with the answer "9 EUR".
Triples of a knowledge graph in that form are facts, too; the place of the line is kept as the gold span.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.data.augmenting import Augmentation, Material, Variant
from sharpen.types import Document, Span

ROW = re.compile(r"^[ \t]*\|?(?P<cells>[^|\n]+(?:\|[^|\n]+)+)\|?[ \t]*$", re.M)
RULE = re.compile(r"^[\s:|-]+$")
FRAME = "What is the {relation} of {subject}?"


def facts(frame: str = FRAME) -> Augmentation:
    """Return the augmentation; ``frame``: the question, with {subject} and {relation} in it."""

    def make(material: Material) -> list[Variant]:
        return [
            Variant(
                "",
                frame.replace("{subject}", s).replace("{relation}", r),
                f"of the fact {s} | {r} | {o}",
                o,
                span,
                kept_words=False,
                notes={"triple": {"id": f"{span.source}#{span.start}-{span.end}", "of": [s, r, o]}},
            )
            for document in material.documents
            for s, r, o, span in triples(document)
        ]

    return make


def triples(document: Document) -> Iterator[tuple[str, str, str, Span]]:
    """Subject, relation, object of a document's facts, with the object's place.

    Lines of exactly three cells that stand alone are facts; a table's first row names relations, its first column
    subjects.
    """
    header: list[str] = []
    last_end = -2
    for row in ROW.finditer(document.text):
        if RULE.match(row[0]):
            last_end = row.end()
            continue
        begins = row.start() - last_end > 1
        last_end = row.end()
        cells = [(m[0].strip(), m.start() + row.start("cells")) for m in re.finditer(r"[^|\n]+", row["cells"])]
        if begins:
            header = [text for text, _ in cells]
            following = document.text[row.end() + 1 : row.end() + 400].split("\n")[0]
            if len(cells) == 3 and "|" not in following:
                yield _fact(document, cells[0][0], cells[1][0], cells[2])
            continue
        if len(cells) != len(header):
            continue
        for relation, cell in zip(header[1:], cells[1:], strict=True):
            if cells[0][0] and relation and cell[0]:
                yield _fact(document, cells[0][0], relation, cell)


def _fact(document: Document, subject: str, relation: str, cell: tuple[str, int]) -> tuple[str, str, str, Span]:
    text, place = cell
    start = document.text.index(text, place)
    return subject, relation, text, Span(document.source, start, start + len(text))

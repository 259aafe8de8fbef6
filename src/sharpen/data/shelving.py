"""Documents out of rows: a table or a query whose rows are texts, each with a name.

The text is the column ``text``, ``content``, ``body``, ``document``, ``page_content`` or ``passage``; the name is
``source``, ``name``, ``path``, ``url``, ``id`` or ``title``. Rows of one name are one document, in their order; a row
without a name is called by its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sharpen.data.reading import Note, Row, tidy
from sharpen.errors import Problem
from sharpen.types import Document

TEXTS = ("text", "content", "body", "document", "page_content", "passage")
NAMES = ("source", "name", "path", "url", "id", "title")
LONGEST = 500
"""Characters of a name; a longer one is cut."""


def documents_of(rows: Iterable[Row | Problem | Note], file: str) -> Iterator[Document | Problem | Note]:
    """Yield the documents that rows are; ``file`` is how messages call the table."""
    texts: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    empty, column = 0, ""
    for row in rows:
        if not isinstance(row, Row):
            yield row
            continue
        plain = {str(k).strip().lower(): v for k, v in row.fields.items()}
        column = column or next((c for c in TEXTS if isinstance(plain.get(c), str)), "")
        if not column:
            if not any(c in plain for c in TEXTS):
                there = ", ".join(map(str, row.fields))[:300]
                do = "Call the column of the text text, and that of the name source; in SQL: SELECT body AS text."
                yield Problem(f"its columns ({there}) name no text.", file, do)
                return
            empty += 1
            continue
        text = plain.get(column)
        if not isinstance(text, str) or not text.strip():
            empty += 1
            continue
        named = next((str(plain[c]).strip() for c in NAMES if plain.get(c) not in (None, "")), "")
        name = tidy(" ".join(named.split()))[:LONGEST] or f"{file}/{row.at}"
        texts.setdefault(name, []).append(tidy(text))
        title = plain.get("title")
        titles.setdefault(name, tidy(" ".join(title.split())) if isinstance(title, str) else "")
    if empty:
        yield Note(f"{empty} rows without a text are left out.", file)
    for name, parts in texts.items():
        yield Document(name, "\n\n".join(parts), titles[name] or name)
    if not texts:
        yield Problem("holds no row with a text.", file, "Fill it, or take it away.")

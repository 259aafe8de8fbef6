"""A document from XML: a feed (RSS, Atom) entry by entry, or the texts of any other file with the names of its fields.

A feed's entries get a heading, their date and author, and their text through the HTML reader. Elsewhere an element that
holds text becomes ``name: text``, or a paragraph or heading where its name says so (``p``, ``title``). No entity is
resolved and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpen.data.readers._archives import parse_xml
from sharpen.data.readers.html import page_text
from sharpen.data.reading import DocumentReader, Note, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"lxml": "documents"}
SUFFIXES = (".xml", ".rss", ".atom")

LARGEST = 24_000_000
"""Bytes of a file that are read at most: its tree takes thirty times as much memory."""

_TITLES = {"title", "heading", "head", "headline", "h1", "h2", "h3"}
_TEXTS = {"p", "para", "paragraph", "text", "body", "simpara", "note"}


def xml() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    try:
        if path.stat().st_size > LARGEST:
            yield Problem(f"is larger than {LARGEST / 1e6:,.0f} MB.", source, "Cut it into several files.")
            return
        data = path.read_bytes()
    except OSError as e:
        yield Problem(f"cannot be opened: {e.strerror or e}.", source, "Check the path and the permissions.")
        return
    tree, broken = parse_xml(data)
    if tree is None:
        yield Problem("is not XML.", source, "Its ending promises XML; check what it is.")
        return
    if _name(tree) == "html":
        text, title = page_text(data)
    else:
        entries = [e for e in tree.iter() if _name(e) in ("item", "entry")] if _is_feed(tree) else []
        channel = next((e for e in tree.iter() if _name(e) == "channel"), tree)
        named = channel if entries else next((e.getparent() for e in tree.iter() if _name(e) == "title"), None)
        title = _child(named, "title") if named is not None else ""
        text = _feed(title, _child(channel, "description", "subtitle"), entries) if entries else _blocks(tree)
    text = tidy(text).strip()
    if not text:
        yield Problem("holds no text.", source, "Fill it, or take it away.")
        return
    if broken:
        yield Note(f"is broken XML ({broken}); what could be read of it was.", source)
    yield Document(source, text, tidy(title)[:300] or Path(source).stem)


def _name(element: Any) -> str:
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _is_feed(tree: Any) -> bool:
    return _name(tree) in ("rss", "feed", "rdf")


def _flat(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _child(element: Any, *names: str) -> str:
    """The text of the first child that has one of these names and a text."""
    return next((text for n in names for c in element if _name(c) == n and (text := _flat(c))), "")


def _feed(title: str, about: str, entries: list[Any]) -> str:
    blocks = [f"# {title}" if title else "", page_text(about)[0] if about else ""]
    for entry in entries:
        headline = page_text(_child(entry, "title") or "")[0].lstrip("# ")
        blocks.append(f"## {headline}" if headline else "")
        author = _child(entry, "creator", "author")
        blocks.append("\n".join(filter(None, (_child(entry, "pubdate", "published", "updated", "date"), author))))
        body = _child(entry, "encoded", "content", "description", "summary")
        blocks.append(page_text(body)[0] if body else "")
    return "\n\n".join(filter(None, blocks))


def _blocks(tree: Any) -> str:
    """The texts of all elements in their order, without recursion: files nest thousands deep."""
    lines: list[str] = []
    left = [iter([tree])]
    while left:
        element = next(left[-1], None)
        if element is None:
            left.pop()
            continue
        name = _name(element)
        if not name:
            continue
        if not len(element):
            _write(lines, name, " ".join((element.text or "").split()) or _attributes(element))
            if element.getnext() is None and lines:
                lines.append("")
            continue
        mixed = bool((element.text or "").strip()) or any((c.tail or "").strip() for c in element)
        if mixed:
            _write(lines, name, _flat(element))
        else:
            left.append(iter(element))
    return "\n".join(line for n, line in enumerate(lines) if line or (n and lines[n - 1]))


def _attributes(element: Any) -> str:
    return "; ".join(f"{key.rpartition('}')[2]} {value}" for key, value in element.attrib.items())


def _write(lines: list[str], name: str, text: str) -> None:
    if text and (name in _TITLES or name in _TEXTS):
        lines += ["", f"# {text}" if name in _TITLES else text, ""]
    elif text:
        lines.append(f"{name}: {text}")

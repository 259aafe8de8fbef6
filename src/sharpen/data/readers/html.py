"""A document from an HTML page: what a reader of the page came for, as Markdown-like lines.

The page's ``<article>`` or ``<main>`` is taken where it holds most of the text; navigation, headers and footers of the
page, asides, buttons, scripts, styles, what is hidden, and lists of eight or more links and nothing else are left out.
Headings become ``#`` lines, list items ``-``
lines, table rows ``a | b`` lines; paragraphs are apart by blank lines. Content that only a script would show is not
seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpen.data.reading import DocumentReader, Note, decode, tidy
from sharpen.errors import Problem
from sharpen.types import Document

NEEDS = {"lxml": "documents"}
SUFFIXES = (".html", ".htm", ".xhtml")

_WORD = re.compile(r"\w+")
_DROP = set(_WORD.findall("script style noscript template svg canvas iframe object nav aside select input textarea"))
_ROLES = {"navigation", "banner", "contentinfo", "search", "complementary", "dialog"}
_OPENS = {"h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt"}
_BLOCK = set(
    _WORD.findall(
        "address article blockquote body center dd details div dl dt fieldset figcaption figure footer header hr html "
        "legend li main ol p pre section summary table tbody td tfoot th thead tr ul h1 h2 h3 h4 h5 h6"
    )
)
_META = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.I)


def html() -> DocumentReader:
    """Return the reader."""
    return DocumentReader(_documents)


def _documents(path: Path, source: str) -> Iterator[Document | Problem | Note]:
    try:
        data = path.read_bytes()
    except OSError as e:
        yield Problem(f"cannot be opened: {e.strerror or e}.", source, "Check the path and the permissions.")
        return
    text, said = _decode(data)
    if said:
        yield Note(said, source)
    made, title = page_text(text)
    if not made:
        yield Problem("holds no text.", source, "If a script shows its content, save the page from a browser.")
        return
    yield Document(source, made, title or Path(source).stem)


def page_text(page: str | bytes) -> tuple[str, str]:
    """Return what a page says and its title; two empty texts where it says nothing."""
    from lxml import etree
    from lxml import html as pages

    text = _decode(page)[0] if isinstance(page, bytes) else page
    try:
        # Characters that XML forbids end lxml's parsing; an XML declaration with an encoding is refused for str.
        body = re.sub(r"^\s*<\?xml[^>]*\?>", "", re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", " ", tidy(text)))
        tree = pages.document_fromstring(body, parser=pages.HTMLParser(huge_tree=True, remove_comments=True))
    except (etree.LxmlError, ValueError):
        return "", ""
    core = _core(tree)
    made = re.sub(r"\n{3,}", "\n\n", "\n".join(_lines(core))).strip()
    return made, _title(tree, core) if made else ""


def _decode(data: bytes) -> tuple[str, str]:
    """Decode by the page's own ``charset`` where there is no byte-order mark and it is not wrong."""
    named = _META.search(data[:4096])
    if named and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        # As browsers do: who says Latin-1 means Windows-1252, and a page whose bytes name UTF-16 is not in UTF-16.
        said = named[1].decode("ascii").lower()
        said = "cp1252" if said in ("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii") else said
        try:
            if not said.startswith(("utf-16", "utf-32")):
                return data.decode(said), ""
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)


def _title(page: Any, core: Any) -> str:
    """The first heading of the content, else the page's title, else a heading that stands elsewhere."""
    for found in (core.xpath("(.//h1)[1]"), page.xpath("(//head/title)[1]"), page.xpath("(//h1)[1]")):
        title = " ".join(found[0].text_content().split()) if found else ""
        if title:
            return title[:300]
    return ""


def _core(page: Any) -> Any:
    """The element that holds the page's own content: an article or main with at least half of the text."""
    body = page.find("body") if page.find("body") is not None else page
    whole = _size(body)
    for path in (".//main", ".//*[@role='main']", ".//article"):
        found = body.xpath(path)
        if len(found) == 1 and 2 * _size(found[0]) >= whole:
            return found[0]
    return body


def _size(element: Any) -> int:
    return sum(map(len, _lines(element)))


def _menu(element: Any) -> bool:
    """Whether a list is a menu: every one of its eight or more items is one link."""
    items = element.findall("li")
    return len(items) >= 8 and all(
        sum(len(a.text_content().strip()) for a in item.iter("a")) >= 0.9 * len(item.text_content().strip())
        for item in items
    )


def _hidden(element: Any) -> bool:
    tag = element.tag
    if not isinstance(tag, str) or tag in _DROP or tag == "head":
        return True
    if tag in ("ul", "ol") and _menu(element):
        return True
    if tag == "button":  # one in a heading or a summary opens what stands below
        return not any(a.tag in _OPENS for a in element.iterancestors())
    if element.get("role") in _ROLES or element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    if tag in ("header", "footer"):  # of the page; an article's own header may hold its heading
        return not any(a.tag in ("article", "main", "section") for a in element.iterancestors())
    return "display:none" in (element.get("style") or "").replace(" ", "")


class _Lines:
    """Text put together piece by piece into lines, and blank lines where blocks end."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.prefix = ""

    def add(self, text: str | None) -> None:
        if text:
            self.line.append(text)

    def flush(self, blank: bool) -> None:
        said = " ".join("".join(self.line).split())
        self.line = []
        if said:
            self.lines.append(self.prefix + said)
            self.prefix = ""
        if blank and self.lines and self.lines[-1]:
            self.lines.append("")


def _lines(root: Any) -> list[str]:
    """Walk the tree without recursion (pages nest thousands deep) and return its lines."""
    made = _Lines()
    steps: list[tuple[Any, bool]] = [(root, False)]
    while steps:
        element, leaving = steps.pop()
        if leaving:
            _leave(element, made)
            if element is not root:
                made.add(element.tail)
            continue
        if element is not root and _hidden(element):
            made.add(element.tail)
            continue
        if element.tag == "pre":
            _preformatted(element, made)
            if element is not root:
                made.add(element.tail)
            continue
        _enter(element, made)
        made.add(element.text)
        steps.append((element, True))
        steps += [(child, False) for child in reversed(element)]
    made.flush(blank=False)
    return made.lines


def _enter(element: Any, made: _Lines) -> None:
    tag = element.tag
    if tag == "br":
        made.flush(blank=False)
    elif tag in ("td", "th"):
        if element.getprevious() is not None:
            made.add(" | ")
    elif tag in _BLOCK:
        made.flush(blank=_apart(element))
        if tag == "li":
            depth = sum(a.tag in ("ul", "ol") for a in element.iterancestors()) - 1
            made.prefix = "  " * min(max(depth, 0), 6) + "- "
        elif re.fullmatch("h[1-6]", tag):
            made.prefix = "#" * int(tag[1]) + " "


def _leave(element: Any, made: _Lines) -> None:
    tag = element.tag
    if tag in ("td", "th") or tag not in _BLOCK:
        return
    made.flush(blank=_apart(element))
    made.prefix = ""


def _apart(element: Any) -> bool:
    """Whether a blank line stands around a block: not around items, rows, and what is inside them."""
    inside = element.getparent()
    items = ("li", "tr", "dt", "dd", "tbody", "thead", "tfoot")
    return element.tag not in items and (inside is None or inside.tag not in ("li", "td", "th"))


def _preformatted(element: Any, made: _Lines) -> None:
    made.flush(blank=True)
    made.lines += [line.rstrip() for line in element.text_content().strip("\n").split("\n")]
    made.flush(blank=True)

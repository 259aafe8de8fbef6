"""What is left of HTML, wiki text and forum code in texts: tags, comments, entities, scripts and styles.

Only names that HTML has are tags, so ``a < b`` and ``<unk>`` stay; ``&amp;`` becomes ``&``. Tags that end a paragraph
or a cell leave a line end or a space. Text that is about HTML should not be cleaned by this.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from sharpen.data.cleaning import Outcome, TextCleaner, without

RULES = ("scripts", "comments", "entities", "tags", "forum_code", "wiki_links")

_NAMES = "a|abbr|article|aside|b|big|blockquote|body|br|button|caption|center|cite|code|col|dd|del|div|dl|dt|em|embed|"
_NAMES += "figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|meta|nav|"
_NAMES += "noscript|object|ol|option|p|param|pre|q|s|script|section|select|small|span|strike|strong|style|sub|sup|"
_NAMES += "svg|table|tbody|td|textarea|tfoot|th|thead|time|title|tr|tt|u|ul|video|wbr"
_TAG = re.compile(rf"</?({_NAMES})(?:\s[^<>]{{0,2000}})?/?>", re.I)
_LINE = re.compile(r"p|br|div|li|h[1-6]|tr|table|ul|ol|section|article|blockquote|hr|header|footer|dt|dd", re.I)
_CELL = re.compile(r"td|th", re.I)
_ENTITY = re.compile(r"&(?:amp;|#38;|#x26;)*(?:[a-z][a-z0-9]{1,20}|#[0-9]{1,7}|#x[0-9a-f]{1,6});", re.I)
_NESTED = re.compile(r"&(?:amp;|#38;|#x26;)+(?=[a-z#])", re.I)
_FORUM = re.compile(r"\[/?(?:b|i|u|s|url|img|quote|code|color|size|list|\*)(?:=[^\[\]\n]{0,300})?\]", re.I)
_WIKI = re.compile(r"\[\[(?:[^\[\]|\n]{0,200}\|)?([^\[\]|\n]{1,200})\]\]")
_OPEN = re.compile(r"<(script|style)\b[^<>]{0,2000}>", re.I)


def markup(off: Sequence[str] = ()) -> TextCleaner:
    """Return the cleaner; ``off`` are rules that are not applied."""
    on = without(RULES, off, "markup")
    return TextCleaner(on, lambda texts: [_one(t, on) for t in texts])


def _one(text: str, on: Sequence[str]) -> Outcome:
    if not any(c in text for c in "<&["):
        return Outcome(text)
    steps = {"scripts": _scripts, "comments": _comments, "entities": _entities, "tags": lambda t: _TAG.sub(_space, t)}
    steps |= {"forum_code": lambda t: _FORUM.sub("", t), "wiki_links": lambda t: _WIKI.sub(r"\1", t)}
    rules: list[str] = []
    for _ in range(8):  # what is taken out can leave what looks like markup again
        before = text
        for name in on:
            if (made := steps[name](text)) != text:
                rules += [name] * (name not in rules)
                text = made
        if text == before:
            break
    return Outcome(text, tuple(rules))


def _scripts(text: str) -> str:
    """Without scripts and styles; one that is never closed loses its tag alone."""
    out, at, lowered = [], 0, None
    missing: set[str] = set()
    for found in _OPEN.finditer(text):
        if found.start() < at:
            continue
        lowered = lowered or text.lower()
        name = found[1].lower()
        end = -1 if name in missing or len(lowered) != len(text) else lowered.find(f"</{name}", found.end())
        if end < 0:
            missing.add(name)
            continue
        close = text.find(">", end)
        out.append(text[at : found.start()])
        at = close + 1 if close >= 0 else len(text)
    return "".join([*out, text[at:]])


def _comments(text: str) -> str:
    out, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        out.append(text[at:begin])
        at = end + 3
    return "".join([*out, text[at:]])


def _entities(text: str) -> str:
    return (
        _ENTITY.sub(lambda m: html.unescape(_NESTED.sub("&", m[0])), text).replace("\xa0", " ") if "&" in text else text
    )


def _space(found: re.Match[str]) -> str:
    if _LINE.fullmatch(found[1]):
        return "\n"
    return " " if _CELL.fullmatch(found[1]) else ""

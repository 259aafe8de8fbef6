"""Headings as questions, and what stands below one as its answer: without markup, and short enough to be one."""

from __future__ import annotations

import re

MOST = 60  # words of an answer; what stands below a heading may be pages
LEAST = 3  # words: less is a placeholder or a caption

IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\](?:\([^()\s]*(?:\s[^)]*)?\)|\[[^\]]*\])")
ATTRIBUTES = re.compile(r"\{[:#.][^{}]*\}")
EMPHASIS = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1", re.S)
ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>-])")
TEMPLATE = re.compile(r"\{%|\{\{|^\s*\||<\w+[ >]|^\s*\[[^\]]*\]\s*$", re.M)
NUMBERED = re.compile(r"(?:\d+[.)]|[A-Z]\.)\s+")
SENTENCE_END = re.compile(r"[.!?。！？][\"”’)]*(?=\s|$)")

PRONOUN = "(?:I|you|we|they|he|she|it)"
INVERTED = re.compile(
    rf"(?:(?:who|what|when|where|why|which|how)\s+(?:(?!{PRONOUN}\b|the\b|your\b|our\b)\w+\s+)?)?"
    r"(?:can|could|do|does|did|is|are|may|must|should|will|would|has|have|was|were)\s+\w+",
    re.I,
)
STRAIGHT = re.compile(
    rf"(?P<ask>(?:when|where|why|how|whom|what|which)(?:\s+(?!{PRONOUN}\b)\w+)?)\s+(?P<who>{PRONOUN})\s+"
    r"(?P<modal>can|could|may|might|must|should|will|would)\s+(?P<rest>\w.*)",
    re.I,
)
HAPPENS = re.compile(r"(?:if|when)\s+\w+\s+\w", re.I)
DOING = re.compile(r"who\s+\w+s\s|what\s+(?:happens|counts|applies|changes|matters|costs|belongs)\b", re.I)


def plain(text: str) -> str:
    """A text without the markup of links, images, emphasis and attributes."""
    text = ATTRIBUTES.sub("", LINK.sub(r"\1", IMAGE.sub("", text)))
    return ESCAPED.sub(r"\1", EMPHASIS.sub(r"\2", text)).strip()


def title_of(heading: str) -> str:
    """A heading as it reads: no markup, no number before it, no colon behind it; empty where nothing is left."""
    return " ".join(NUMBERED.sub("", plain(heading), count=1).rstrip(" #:.!").split())


def question(title: str, template: str, within: str = "") -> str:
    """A title as a question: itself where it is one, else put into the template; ``within`` tells it from others."""
    behind = f" ({within})" if within else ""
    if title.endswith("?"):
        return f"{title.rstrip('?')}{behind}?"
    if title.lower().startswith("how to ") and len(title.split()) > 3:
        return f"How do I {title[7:]}{behind}?"
    straight = STRAIGHT.fullmatch(title)
    if straight:
        return f"{straight['ask']} {straight['modal']} {straight['who']} {straight['rest']}{behind}?"
    if INVERTED.match(title) or DOING.match(title):
        return f"{title}{behind}?"
    if HAPPENS.match(title):
        return f"What happens {title[0].lower()}{title[1:]}{behind}?"
    return template.format(heading=f"{title}{behind}")


def opening(text: str) -> str:
    """As much of a text's beginning as makes an answer: whole sentences or lines, at most ``MOST`` words of them.

    Empty where that is none: templates and tables, links and little else, fewer than ``LEAST`` words.
    """
    ends = [m.end() for m in SENTENCE_END.finditer(text)] + [m.start() for m in re.finditer(r"\n", text)]
    fits = [end for end in (*ends, len(text)) if len(text[:end].split()) <= MOST]
    taken = text[: max(fits, default=0)].rstrip()
    said = plain(taken)
    linked = sum(len(m[1].split()) for m in LINK.finditer(taken))
    if TEMPLATE.search(taken) or taken.endswith(":") or len(said.split()) < LEAST:
        return ""
    return "" if 2 * linked > len(said.split()) else taken

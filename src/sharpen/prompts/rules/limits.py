"""How much a prompt asks at once: several tasks, long sentences, too open a question, more than the model holds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from sharpen.prompts.linting import Hit, Rule, Subject
from sharpen.prompts.reading import FAMILY, Sentence, words

MOST_WORDS = 55  # of a sentence
MOST_RULES = 12  # of must and must_not together
GIVEN = 25  # words that are not told, from which on some questions may be part of what is given
OPEN_WORDS = 10  # of an order that says nothing of form or extent
TOKENS_A_WORD = 1.4
CHARACTERS_A_TOKEN = 4  # of English; of other scripts one or two
_OPEN = """
write compose create generate describe explain discuss design tell develop summarize make give talk
"""
OPEN = frozenset(_OPEN.split())
EXTENT = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|ten|brief(?:ly)?|short|long|list|table|sentences?|"
    r"paragraphs?|words?|steps?|"
    r"bullets?|outline|code|function|script|program|query|regex|haiku|limerick|tweet|title|name|headline|slogan|"
    r"email|"
    r"letter|for|difference|how (?:to|does|do)|what|why|when)\b",
    re.I,
)
THEN = re.compile(
    r"(?:,|;|\band\b|\bthen\b|\balso\b|\bplus\b)\s+(?:and\s+|then\s+|also\s+|please\s+|finally\s+)*([a-z-]+)\b", re.I
)
AND_ASKS = re.compile(
    r"\band (?:how|why|what|when|where|who|which) (?:do|does|did|is|are|was|were|can|could|should|would|will)\b", re.I
)
QUOTES = re.compile(r"\bquestion\s*\d*\s*:|\b(?:following|these|two|given) questions?\b|\bquestion title\b", re.I)
"""Says that questions are part of what is given."""
PAIRS = (
    frozenset({"write", "code"}),
    frozenset({"correct", "write"}),
    frozenset({"explain", "write"}),
    frozenset({"write", "plot"}),
)
"""Families of verbs that often name one act: "write and implement", "edit and write"."""


def tasks_of(sentence: Sentence) -> list[str]:
    """The families of the tasks that a sentence orders, in their order."""
    if not sentence.verb:
        return []
    made = [FAMILY[sentence.verb]] if sentence.verb in FAMILY else []
    made += [FAMILY[v] for m in THEN.finditer(sentence.text) if (v := m[1].lower()) in FAMILY]
    return made


def several(subject: Subject) -> Iterator[Hit]:
    """More than one task."""
    families: dict[str, str] = {}
    asked = 0
    for where, said in subject.said.items():
        if subject.brief and where != "task":
            continue
        for s in said:
            for family in tasks_of(s):
                families.setdefault(family, where)
            asked += s.asks and not s.verb
            if s.asks and AND_ASKS.search(s.text):
                asked += 1
    if len(families) > 1 and frozenset(families) not in PAIRS:
        yield list(families.values())[-1], f"it orders more than one task: {', '.join(families)}."
    elif (
        asked > 1
        and not QUOTES.search(subject.text)
        and len(subject.text.split()) - len(" ".join(subject.orders.values()).split()) < GIVEN
    ):
        yield "text", f"it asks {asked} questions."


def complex_(subject: Subject) -> Iterator[Hit]:
    """A sentence too long to follow, or more rules than anyone keeps in mind."""
    for where, said in subject.said.items():
        for s in said:
            if (n := len(s.text.split())) > MOST_WORDS:
                yield where, f"a sentence has {n} words."
    if subject.brief and (n := len(subject.brief.must) + len(subject.brief.must_not)) > MOST_RULES:
        yield "must", f"it has {n} rules."


def open_(subject: Subject) -> Iterator[Hit]:
    """A short order that leaves form and extent open."""
    if subject.brief or subject.template or not subject.english:
        return
    said = subject.said.get("text", [])
    if len(said) == 1 and said[0].verb in OPEN and len(words(subject.text)) <= OPEN_WORDS:
        rest = re.sub(r"[\"“][^\"”]*[\"”]", "", subject.text)
        if not EXTENT.search(rest) and "\n" not in subject.text.strip():
            yield "text", "it leaves form and extent open."


def too_long(subject: Subject) -> Iterator[Hit]:
    """More than the model holds, by an estimate: words with the slots' and the answer's limits."""
    if subject.context is None:
        return
    text = subject.text
    ascii_ = sum(c.isascii() for c in text) >= 0.8 * len(text)
    tokens = math.ceil(len(text) / (CHARACTERS_A_TOKEN if ascii_ else 1.5))
    if b := subject.brief:
        tokens += math.ceil(sum(len(e.input) + len(e.output) for e in b.examples) / CHARACTERS_A_TOKEN)
        tokens += math.ceil(TOKENS_A_WORD * (sum(s.words or 0 for s in b.slots.values()) + (b.words or 0)))
    if tokens > subject.context:
        yield "", f"it takes about {tokens:,} tokens at its longest, and the model holds {subject.context:,}."


RULES = (
    Rule("P022", "warning", "more than one task", "Ask each by itself, or chain them as steps.", several),
    Rule("P023", "advice", "too complex", "Cut it into sentences or a list.", complex_),
    Rule("P024", "advice", "too open", "Say the form and the extent: three sentences, a list of five.", open_),
    Rule("P040", "error", "too long for the model", "Lower the slots' limits, or show fewer examples.", too_long),
)

"""Reading a prompt as its writer meant it: what is told apart from what is only given, orders and questions."""

from __future__ import annotations

import re
from dataclasses import dataclass

FAMILIES = {
    "summarize": "summarize summarise condense shorten",
    "translate": "translate",
    "classify": "classify categorize categorise label",
    "write": "write compose create generate draft produce",
    "explain": "explain describe discuss elaborate",
    "correct": "correct proofread fix edit rewrite re-write rephrase paraphrase revise",
    "compute": "calculate compute solve",
    "code": "code implement program",
    "compare": "compare contrast",
    "extract": "extract",
    "sort": "sort rank order arrange",
    "plot": "visualize plot draw",
}
FAMILY = {verb: family for family, verbs in FAMILIES.items() for verb in verbs.split()}
"""Verbs of tasks that no other of them is a part of."""
_ORDERS = """
say count add multiply divide subtract act adapt adjust append analyse analyze answer apply ask assess assign
assume begin brainstorm break build change check choose cite clean combine come complete conduct consider
construct continue convert copy decide deduce define delete demonstrate derive design detect determine develop
differentiate do discover display distinguish estimate evaluate examine exclude expand fill find follow form
format formulate give guess guide highlight help identify imagine improve include indicate infer insert
interpret invent invite join keep let limit link list look make mark match mention modify name normalize offer
organize outline output parse pick plan point predict prepare present pretend print propose prove provide put
question quote rate read recommend reduce refer refine remember remove rename render repeat replace reply report
research respond restate return reverse review score search seek select send separate set share show simplify
speak specify split state stop structure suggest supply switch take talk tell test think transform trim turn
unscramble use verify walk work perform detail recite re-order reorder reorganize rearrange process speculate
sum seek enumerate start mix tag spell convince argue encode decode group
"""
VERBS = frozenset(FAMILY) | frozenset(_ORDERS.split())
_ASKS = """
how what why when who whom whose which where is are was were do does did can could should will would has have
had may might must whats what's who's how's where's isn't aren't don't doesn't won't am shall
"""
ASKS = frozenset(_ASKS.split())
POLITE = re.compile(
    r"^(?:(?:thanks|thank you|please|pls|kindly|now|then|also|next|finally|first|second|third|so|and|ok|okay|hi|"
    r"hello|hey|um|uh|well|always|"
    r"never|just|only|do not|don't|next step|your (?:task|goal|job) is to|you (?:need|have|are asked|"
    r"are required) to|"
    r"you (?:will|should|must|can)|i (?:want|need|would like|'d like|d like|wish) (?:you )?to|i'd like (?:you )?to|"
    r"let's|lets|let us|we need to|help me(?: to)?|"
    r"in \d+ [a-z]+|(?:teacher|student a|student|user|question|task|instruction|instructions|prompt|q|definition|"
    r"detailed instructions|task definition)\s*:)[\s,:]*)+",
    re.I,
)
LABEL = re.compile(
    r"^\W*(?:input|text|sentence|passage|review|title|article|context|question\s*\d*|q|paragraph|document|email|"
    r"element|word|"
    r"premise|hypothesis|tweet|side \d|model|profession|problem|new input|output|answer|a|solution|data|story|topic|"
    r"\[ex [qa]\]|english sentence|option \w|choices|fact|event|summary)\s*:\s*",
    re.I,
)
GIVEN = (
    re.compile(r"```.*?(?:```|\Z)", re.S),
    re.compile(r"<(\w+)>.*?</\1>", re.S),
    re.compile(r"\"\"\".*?(?:\"\"\"|\Z)", re.S),
    re.compile(r"[\"“”][^\"“”\n]{3,}[\"“”]"),
    re.compile(r"(?<!\w)'[^'\n]{3,}?'(?!\w)"),
)
_COMMON = """
the a an of to in is and for with on that this from what how you your it as be are or by do i
"""
COMMON = frozenset(_COMMON.split())
LEADS = re.compile(
    r"^(?:from|in|for|given|based on|using|with|as|to|when|if|without|after|before|while|imagine|suppose|"
    r"between|by|of|on|"
    r"considering|assuming|according to|instead of)\b[^,.\n]{2,120}[,:]\s*(?:please |then |and )?",
    re.I,
)
"""What may stand before an order: "From the list, ..."."""
ORDER = re.compile(
    r"^([A-Za-z]+)\s+(?:the|a|an|your|this|these|those|me|each|all|any|both|every|two|three|four|five|\d+)\b"
)
_NO_VERBS = """
in on at by for from with without to of about above below between under over after before during while when if
because since although though as than then but and or nor so yet this that these those there here such all both
each half not only just even also what which who whose where why how whether given during per via into onto
through is are was were be been my your our their his her its i we you they he she it good every any no some
many most more like quite rather save across along behind besides beyond despite inside near off outside
throughout until upon within
"""
NO_VERBS = frozenset(_NO_VERBS.split())
END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+|(?<=\?)(?=[A-Z])")
FORBIDDEN = re.compile(r"^(.*\b(?:not|never|avoid):)[ \t]*\n(?:[ \t]*[-*•].*(?:\n|\Z))+", re.I | re.M)
"""A list of what must not be: its items are no orders."""
COLON = re.compile(r"(?<=:)\s+(?:\S+\s+){5,}\S+$")
"""What is given in the same sentence as an order."""
LONG = 60  # words from which a text of several sentences is taken to give something, beside what it tells


@dataclass(frozen=True)
class Sentence:
    """A sentence of a prompt. ``verb``: of the order that it is; empty: it is none."""

    text: str
    verb: str = ""
    asks: bool = False


def words(text: str) -> list[str]:
    """Its words, small."""
    return re.findall(r"[a-z]+(?:['-][a-z]+)*", text.lower().replace("’", "'"))


def is_english(text: str) -> bool:
    """Whether its words can be looked up as English ones: letters and little words say so."""
    letters = [c for c in text if c.isalpha()]
    if not letters or sum(c.isascii() for c in letters) < 0.8 * len(letters):
        return False
    found = words(text)
    return (
        any(w in COMMON or w in VERBS or w in ASKS for w in found)
        if len(found) < 12
        else (sum(w in COMMON for w in found) >= 0.1 * len(found))
    )


def sentences(text: str) -> list[Sentence]:
    """Its sentences, each with what it asks for."""
    return [read(part) for part in END.split(text) if part and re.search(r"\w", part)]


def read(text: str) -> Sentence:
    """One sentence."""
    text = text.strip(" \t-*•")
    bare = POLITE.sub("", text)
    if (lead := LEADS.match(bare)) and (words(bare[lead.end() :]) or [""])[0] in VERBS | ASKS:
        bare = POLITE.sub("", bare[lead.end() :])
    first = (words(bare) or [""])[0]
    if re.match(r"(?:can|could|would|will) (?:you|u|someone)\b", bare, re.I):
        rest = POLITE.sub("", " ".join(bare.split()[2:]))
        verb = (words(rest) or [""])[0]
        return Sentence(text, verb if verb in VERBS else "", True)
    asks = (
        text.rstrip(" \"')").endswith("?")
        or (first in ASKS and not text.endswith("."))  # "Where it rains, stay."
        or bool(re.search(r"[,:]\s*(?:how|what|why|which|who)\b.*\?", text, re.I))
    )
    order = ORDER.match(bare)
    if first not in VERBS and order and first not in NO_VERBS | ASKS and not first.endswith(("s", "ed", "ly")):
        return Sentence(text, first if not asks else "", asks)
    return Sentence(text, first if first in VERBS and not asks else "", asks)


def without_given(text: str) -> str:
    """The text without what stands in quotes, fences and tags."""
    for pattern in GIVEN:
        text = pattern.sub(" … ", text)
    return text


def told(text: str) -> str:
    """What a text tells the model to do, as far as it can be told from what it only gives.

    Without quotations, fenced parts and what stands after a label such as ``Text:``; of a long text only sentences that
    order, ask, or say what must be.
    """
    bare = FORBIDDEN.sub(r"\1\n", without_given(text))
    lines = [line for line in re.split(r"\n", bare) if line.strip()]
    kept = [line for line in lines if not LABEL.match(line)]
    found = [s for line in kept for s in sentences(line)]
    first = len(lines) > 1 or len(bare.split()) > LONG
    if first:
        found = [
            s
            for s in found
            if s.verb or s.asks or re.search(r"\b(?:must|should|need to|you|your|answer)\b", s.text, re.I)
        ]
    return "\n".join(COLON.sub("", s.text) if s.verb else s.text for s in found)

"""Sentences of a document that instruct the model that reads it.

``check(text) -> findings``, of the type ``injection``, one a sentence; by rules: orders to pass over earlier
instructions, a role to take, marks of a chat's turns, orders to a reader who is a machine, questions after the hidden
prompt, calls of tools, answers that are dictated. Letters that are spaced, replaced by figures or look alike are read
as meant. It knows English best, some German, French, Spanish and Italian, and does not see what is said politely or as
a plain false fact: what it catches, and what it wrongly marks, stands in ``benchmarks/results/injection.json``. It is
one fence of several: a text that passes is no more to be trusted than before.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from sharpen.guards.findings import Finding
from sharpen.support import sentences
from sharpen.types import Passage

TYPE = "injection"
SCREENED = "sentences left out"
"""Under this name a passage's ``meta`` says how many sentences of it are not shown."""
LEFT_OUT = "{} sentences of passage {} instruct the model and were left out"
LONGEST = 2000
"""Characters of a sentence that are looked at."""

_EARLIER = (
    r"(?:previous|prior|earlier|above|preceding|existing|original|system|initial|former|given|all|any|your|these)"
)
_ORDERS = r"(?:instructions?|rules?|prompts?|guidelines?|directives?|commands?|training|question|task|restrictions?)"
_SAY = (
    r"(?:reply|respond|answer|say|write|print|output|repeat|append|confirm|begin|start|end|finish|sign|mention|"
    r"include|recommend|display|reveal|show|quote|return)"
)
_READER = r"(?:ai|llm|assistants?|chat ?bots?|language models?|models?|machines?|bots?|gpt)"
_RULES: tuple[str, ...] = (
    rf"\b(?:ignore|disregard|forget|override|bypass|skip|neglect|do not use|set aside)\b.{{0,40}}\b(?:{_EARLIER}\b"
    rf".{{0,30}}\b)?(?:{_ORDERS}|everything|anything you|text above)\b",
    rf"\b{_ORDERS}\b.{{0,40}}\b(?:void|no longer (?:apply|valid)|obsolete|cancelled|replaced)\b",
    r"\byou are now\b|\bfrom (?:now|here) on,? (?:you|print|reply|answer|say|act)\b"
    r"|\b(?:act|behave) as (?:a|an|the|if)\b|\bpretend (?:to be|that you|you)\b"
    r"|\bwithout (?:any )?(?:rules|restrictions|limits)\b|\bjailbr",
    r"<\|[a-z_]+\|>|\[/?(?:inst|system|system message)\]|^#+ ?(?:system|assistant|instruction)s? ?:|<</?sys>>"
    r"|\b(?:user|assistant|system): .{0,80}\b(?:user|assistant|system): ",
    rf"\b(?:repeat|print|show|reveal|display|output|quote|summari[sz]e|leak|dump)\b.{{0,50}}\b(?:system prompt|hidden|"
    rf"your (?:prompt|{_ORDERS}|guidelines)|text above|first instruction|{_ORDERS} that you)",
    r"\b(?:(?:reply|respond|answer) (?:only|with|in|every|uniquely)|(?:only|whole|permitted|your|last) (?:reply|answer|"
    r"response|words?)\b.{0,20}\b(?:is|must be|are|with)|(?:say|write|print|output) (?:only|nothing|the (?:word|string|"
    r"token|text))|and nothing else|in place of (?:the )?answer|instead of (?:the )?answer)\b",
    rf"\b{_READER}\b.{{0,40}}\b(?:must|should|shall|has to|have to|please|kindly|you|your)?\b.{{0,20}}\b{_SAY}\b",
    rf"\b(?:you|your reply|your answer) (?:must|shall|have to|should) .{{0,20}}\b{_SAY}\b|\byou shall\b",
    rf"\b(?:please|kindly)\b.{{0,30}}\b{_SAY}\b.{{0,40}}\b(?:answer|reply|response|with|words|you)\b"
    rf"|\b{_SAY}\b.{{0,30}}\byour (?:answer|reply|response)\b|\byour (?:answer|reply|response)\b.{{0,30}}\b{_SAY}\b",
    r"\bif (?:the|a) (?:user|reader)\b.{0,60}\b(?:asks?|wants?)\b|\bwhen you are asked\b"
    r"|\bonly answer (?:after|when|if)\b",
    r"\b(?:tell|send|inform|advise) (?:the )?(?:user|reader|everyone|them)\b|\bfor the user\b",
    r"\b(?:call|execute|run|use|invoke)\b.{0,30}\b(?:function|tool|command|api|script)\b|\bcurl\b|\|\s*(?:sh|bash)\b",
    r"!\[[^\]]*\]\(https?://|\b(?:decode|reverse|decrypt)\b.{0,50}\b(?:do|follow|execute|obey)\b",
    r"\b(?:ignorier|vergiss|missachte)\w*\b.{0,40}\b(?:anweisung|regel)|\b(?:ignore[rz]?|oublie[rz]?)\b.{0,40}\b"
    r"(?:consignes?|instructions?)|\b(?:olvida|ignora|dimentica)\w*\b.{0,40}\b(?:instrucciones|istruzioni)",
    r"\brefuse to answer\b|\bthe conversation is over\b|\bdeny access\b|\bcorrection for\b"
    r"|\bthe (?:correct|right) answer (?:to the question )?is\b|\breply to the question below\b",
)
_RULES += (
    r"\b(?:your|ur) (?:\w+ ){0,2}(?:system prompt|instructions?|guidelines|restrictions|programming|prompt|"
    r"safety|constraints|configuration|foundational|directives)\b|\bsystem prompt\b|\binitiali[sz]ation text\b",
    r"\b(?:dev|developer|debug|admin|god|sudo|maintenance|root|dan)[ _-]?(?:mode|access|output)\b|\byou are dan\b",
    r"\b(?:unrestricted|uncensored|unfiltered)\b.{0,30}\b(?:ai|mode|response|answer|version)\b|\bcontent filters?\b",
)
_LOOKS = re.compile("|".join(f"(?:{r})" for r in _RULES), re.I | re.M)
_LEET = str.maketrans("013457@$", "oieastas")
_SPACED = re.compile(r"\b(?:\w ){4,}\w\b")


def check(text: str) -> list[Finding]:
    """Return the sentences that instruct their reader's model, where they stand."""
    found, at = [], 0
    for sentence in sentences(text):
        start = max(text.find(sentence, at), at)
        at = start + len(sentence)
        if instructs(sentence):
            found.append(Finding(TYPE, start, at))
    return found


def instructs(sentence: str) -> bool:
    """Whether a sentence reads as an instruction to a model."""
    plain = unicodedata.normalize("NFKC", sentence[:LONGEST])
    plain = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    ways = {plain, _SPACED.sub(lambda m: m[0].replace(" ", ""), plain)}
    if re.search(r"[a-z][013457@$]|[013457@$][a-z]", plain, re.I):
        ways.add(plain.translate(_LEET))
    return any(_LOOKS.search(way) for way in ways)


def screened(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages without the sentences that instruct; ``meta`` says how many were left out of one."""
    kept = []
    for p in passages:
        parts, at = [], 0
        for f in check(p.text):
            parts.append(p.text[at : f.start])
            at = f.end
        text = "".join((*parts, p.text[at:])).strip()
        kept.append(replace(p, text=text, meta={**p.meta, SCREENED: len(parts)}) if parts else p)
    return tuple(kept)

"""Which sentences of an answer the given passages do not support.

``check(text, passages) -> findings``: each is the characters of a sentence that no passage supports, of the type
``ungrounded``; its score says how far it is from being supported. Support is told by words, numbers, names and
negations, and by meaning where ``embed`` is given (:mod:`sharpen.support`). What it lets through, and what it marks
wrongly, stands in ``benchmarks/results/grounding.json``. It knows English best, and does not say whether an answer is
right.
"""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.guards.findings import Finding
from sharpen.support import CITED, ENOUGH, ENOUGH_MIXED, Embed, sentences, supported, text_of
from sharpen.types import Passage

TYPE = "ungrounded"


def check(text: str, passages: Sequence[Passage], embed: Embed | None = None) -> list[Finding]:
    """Return the sentences that no passage supports; all of them where there are no passages.

    Args:
        text: the answer; its citations are passed over.
        passages: what it was to rest on.
        embed: counts meaning, too.
    """
    least = ENOUGH if embed is None else ENOUGH_MIXED
    texts = [text_of(p) for p in passages]
    found, at = [], 0
    for sentence in sentences(text):
        start = text.find(sentence, at)
        start = at if start < 0 else start
        at = start + len(sentence)
        score = supported(CITED.sub("", sentence), texts, embed)
        if score < least:
            found.append(Finding(TYPE, start, at, round(1 - score / least, 3)))
    return found


def kept(text: str, passages: Sequence[Passage], embed: Embed | None = None) -> str:
    """The text without the sentences that no passage supports."""
    parts, at = [], 0
    for f in check(text, passages, embed):
        parts.append(text[at : f.start])
        at = f.end
    return " ".join(" ".join((*parts, text[at:])).split()) if parts else text

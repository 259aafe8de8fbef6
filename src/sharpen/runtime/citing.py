"""Citations of an answer: those that exist and support what is said are kept, the others dropped and told."""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.support import CITED, ENOUGH, claims, support, text_of
from sharpen.types import Passage

ABSENT = "there is no passage {} that it cites"
UNSUPPORTED = "passage {} does not say what it is cited for"


def citing(text: str, found: Sequence[Passage]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The answer without its marks, the passages that it rests on, and what was dropped, a sentence each.

    A claim that several passages are cited for may be supported by all of them together.
    """
    kept: dict[str, None] = {}
    lost: list[str] = []
    for claim, numbers in claims(text):
        there = [n for n in numbers if 0 < n <= len(found)]
        lost += [ABSENT.format(n) for n in numbers if n not in there]
        texts = {n: text_of(found[n - 1]) for n in there}
        alone = [n for n in there if support(claim, texts[n]) >= ENOUGH]
        if not alone and len(there) > 1 and support(claim, "\n".join(texts.values())) >= ENOUGH:
            alone = there
        kept |= dict.fromkeys(found[n - 1].id for n in alone)
        lost += [UNSUPPORTED.format(n) for n in there if n not in alone]
    return CITED.sub("", text).strip(), tuple(kept), tuple(lost)


def dropped(findings: Sequence[str]) -> tuple[int, int]:
    """How many citations were dropped: those of passages that are not there, and those that support nothing."""
    ends = (ABSENT.partition("{}")[2], UNSUPPORTED.partition("{}")[2])
    absent, unsupported = (sum(f.endswith(end) for f in findings) for end in ends)
    return absent, unsupported

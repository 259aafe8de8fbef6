"""Reading a choice in a reply, and the rule by which likelihoods choose one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sharpen.metrics import parse, readings
from sharpen.types import Decoding


def answer_in(reply: str, choices: Sequence[str], one_line: bool) -> str:
    """Read the answer in a raw reply, whoever wrote it: one of the choices, where there are any."""
    return written_choice(reply, choices, one_line) if choices else parse(reply, one_line)


def written_choice(reply: str, choices: Sequence[str], one_line: bool = True) -> str:
    """Return the choice that a reply names: the whole of it, or the only one that stands in it; else nothing.

    As written comes first, before anything around it is taken off that may be a part of a choice: ``> 5 years`` is no
    quotation of ``5 years``. Then without the marks around and between words: ``-1`` is not ``1``, nor ``C++`` ``C#``.
    Where a reply may mean several choices none is taken.
    """
    text = ""
    for text in readings(reply, one_line):
        for form in (str.strip, _folded, _ended):
            same = [c for c in choices if form(c) and form(c) == form(text)]
            if same:
                return same[0] if len(same) == 1 else ""
    same = [c for c in choices if _words(c) and _words(c) == _words(text)]
    if same:
        return same[0] if len(same) == 1 else ""
    said = _words(text)
    held = [c for c in choices if _words(c) and re.search(rf"\b{re.escape(_words(c))}\b", said)]
    # Of "card" and "card arrival", both in the text, the longer one is meant.
    longest = [c for c in held if not any(_words(c) != _words(o) and _words(c) in _words(o) for o in held)]
    if len({_words(c) for c in longest}) == 1:  # "It is -1." holds -1, and 1 only without its marks
        bare = f" {_ended(re.sub('[,;:()]', ' ', text))} "
        longest = longest if len(longest) == 1 else [c for c in longest if f" {_folded(c)} " in bare]
    return longest[0] if len(longest) == 1 else ""


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _ended(text: str) -> str:
    return _folded(text).strip(" .!")


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower().replace("_", " ")))


def adjusted(decoding: Decoding, logprobs: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """Apply the decoding's length and prior rule to log-likelihoods of its choices."""
    priors = decoding.priors or (0.0,) * len(logprobs)
    return [
        logprob / (max(n, 1) if decoding.per_token else 1) - decoding.prior_weight * prior
        for logprob, n, prior in zip(logprobs, tokens, priors, strict=True)
    ]

"""SQuAD's normalisation of answers, as in the official ``evaluate-v1.1.py`` (Rajpurkar et al. 2016).

Lower case, ASCII punctuation removed, the articles a, an and the removed, white space collapsed; in this order.

SQuAD has no reference of articles or punctuation alone. Multiple choice has ("A"), and there an empty answer must not
be right: where nothing is left of a reference, :func:`compared` keeps its articles, or else its punctuation.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@lru_cache(maxsize=65536)
def normalise(text: str) -> str:
    """Return the text as SQuAD compares it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def compared(answer: str, target: str) -> tuple[str, str]:
    """Return answer and reference as they are compared, normalised as far as something is left of the reference."""
    for form in (normalise, _with_articles, _as_written):
        wanted = form(target)
        if wanted:
            return form(answer), wanted
    return normalise(answer), ""


def _with_articles(text: str) -> str:
    return " ".join(text.lower().translate(_PUNCTUATION).split())


def _as_written(text: str) -> str:
    return " ".join(text.lower().split())

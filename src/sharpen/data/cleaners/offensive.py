"""Texts with words that offend (insults, profanity, slurs): dropped, or with ``flag`` kept and counted.

By the short English lists of the data page's bias probes, so most such texts pass; and a text that quotes an insult, or
complains of one, is dropped too. Look at what goes before it is used: a filter of words leaves out who is spoken of
with them (Dodge et al. 2021, "Documenting large webtext corpora", section 5.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.data.bias import OFFENSIVE
from sharpen.data.cleaning import Outcome, TextCleaner, without
from sharpen.data.wording import words
from sharpen.errors import UserError


def offensive(flag: bool = False, off: Sequence[str] = ()) -> TextCleaner:
    """Return the cleaner.

    Args:
        flag: keep such texts, and count them.
        off: kinds that are not looked for: insult, profanity, slur.
    """
    if not isinstance(flag, bool):
        raise UserError(f"the option flag is {flag!r}.", "cleaner offensive", "Write True or False.")
    on = without(tuple(OFFENSIVE), off, "offensive")

    def one(text: str) -> Outcome:
        said = set(words(text))
        kinds = tuple(kind for kind in on if not OFFENSIVE[kind].isdisjoint(said))
        if not kinds or flag:
            return Outcome(text, kinds)
        return Outcome(None, kinds, f"holds words of the list: {', '.join(kinds)}")

    return TextCleaner(on, lambda texts: [one(t) for t in texts])

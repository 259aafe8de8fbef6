"""What counts as a word where passages are searched by words: case and punctuation never do, the rest can be chosen."""

from __future__ import annotations

from dataclasses import dataclass

from sharpen.data import stop_words, words
from sharpen.errors import UserError
from sharpen.stemming import stem


@dataclass(frozen=True)
class Wording:
    """Nothing of it is done to a text that is shown or learned from.

    ``stop_words`` is the language whose commonest words are passed over ("" for none, "any" for all that are known).
    ``stems`` makes one word of the forms of an English one (Porter 1980: running, runs and run); without it a plural
    and its singular are one.
    """

    stop_words: str = ""
    stems: bool = False

    def __post_init__(self) -> None:
        if self.stop_words and not stop_words(self.stop_words):
            do = "Name a language by two letters, as stop_words='en', or all that are known: stop_words='any'."
            raise UserError(f"no stop words are known of {self.stop_words!r}.", do=do)

    def words(self, text: str) -> list[str]:
        """The words of a text, as they are searched; a text of nothing but stop words keeps them."""
        found = words(text)
        passed = stop_words(self.stop_words) if self.stop_words else frozenset()
        left = [w for w in found if w not in passed] or found
        return [stem(w) if self.stems else _singular(w) for w in left]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word

"""Mask, remove or pseudonymise what was found, in texts and in nested data.

``mask`` writes the type in brackets (``[PERSON]``), ``remove`` nothing, ``pseudonymise`` a stand-in of the same shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.errors import UserError
from sharpen.guards.finding import find
from sharpen.guards.findings import Finding
from sharpen.guards.pseudonyms import Pseudonyms

HOWS = ("mask", "remove", "pseudonymise")


@dataclass
class Protector:
    """Protects texts in one way; made once and used for all texts of a data set.

    Args:
        how: one of HOWS.
        key: the secret of ``pseudonymise``, 16 bytes at least: who has it can tell whether a guessed value was behind a
            pseudonym; without it nothing can be told. The same key gives the same pseudonyms.
        types: only these types of findings; all where none is named.
    """

    how: str = "mask"
    key: bytes = field(default=b"", repr=False)
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.how not in HOWS:
            raise UserError(f"there is no way of protecting called {self.how!r}.", do=f"There are: {', '.join(HOWS)}.")
        self._names = Pseudonyms(self.key) if self.how == "pseudonymise" else None

    def text(self, text: str) -> tuple[str, list[Finding]]:
        """Return the text without what was found, and the findings with their places in the text given."""
        found = find(text, self.types)
        return (self.replaced(text, found), found) if found else (text, found)

    def replaced(self, text: str, found: Sequence[Finding]) -> str:
        """The text with these findings, which are in order and do not overlap, replaced."""
        out, at = [], 0
        for f in found:
            out.append(text[at : f.start])
            if self._names is not None:
                out.append(self._names.of(f.type, text[f.start : f.end]))
            elif self.how == "mask":
                out.append(f"[{f.type}]")
            at = f.end
        out.append(text[at:])
        return "".join(out)

    def record(self, record: Any, skip: frozenset[str] = frozenset()) -> tuple[Any, list[tuple[str, Finding]]]:
        """Protect all strings in nested lists and mappings; keys, numbers and the fields in ``skip`` stay.

        Returns:
            A new record, and each finding with its place, such as ``messages[0].content``.

        Raises:
            UserError: the record is nested some hundreds of levels deep.
        """
        found: list[tuple[str, Finding]] = []
        try:
            return self._nested(record, "", skip, found), found
        except RecursionError:
            raise UserError(
                "a record is nested too deeply to be protected.", do="Flatten it, or leave it out."
            ) from None

    def _nested(self, value: Any, place: str, skip: frozenset[str], found: list[tuple[str, Finding]]) -> Any:
        if isinstance(value, str):
            text, here = self.text(value)
            found.extend((place, f) for f in here)
            return text
        if isinstance(value, Mapping):
            made = {}
            for k, v in value.items():
                made[k] = v if k in skip else self._nested(v, f"{place}.{k}".lstrip("."), skip, found)
            return made
        if isinstance(value, list | tuple):
            each = [self._nested(v, f"{place}[{i}]", skip, found) for i, v in enumerate(value)]
            return tuple(each) if isinstance(value, tuple) else each
        return value


def protect(text: str, how: str = "mask", key: bytes = b"") -> tuple[str, list[Finding]]:
    """Return the text without what was found in it, and the findings with their places in the text given.

    Raises:
        UserError: an unknown way, or ``pseudonymise`` without a key.
    """
    return Protector(how, key).text(text)


def protect_all(
    texts: Iterable[str], how: str = "mask", key: bytes = b"", types: Sequence[str] = ()
) -> Iterator[tuple[str, list[Finding]]]:
    """Protect many texts as they come, with one key: the same value has the same pseudonym in all of them."""
    protector = Protector(how, key, tuple(types))
    return map(protector.text, texts)


def protect_record(record: Any, how: str = "mask", key: bytes = b"") -> tuple[Any, list[tuple[str, Finding]]]:
    """Protect all strings of nested lists and mappings; each finding comes with its place."""
    return Protector(how, key).record(record)

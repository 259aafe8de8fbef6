"""Mask, remove or pseudonymise what was found, in texts and in nested data.

``mask`` writes the type in brackets (``[PERSON]``), ``remove`` nothing, ``pseudonymise`` a stand-in of the same shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sharpen.errors import UserError
from sharpen.guards.finding import find
from sharpen.guards.findings import Finding
from sharpen.guards.pseudonyms import Pseudonyms

HOWS = ("mask", "remove", "pseudonymise")
LEAST, MOST = 1_000_000, 10**20
"""Numbers below have too few digits to be a telephone's, a card's or a person's; others too many."""
SHORT = 64
"""Characters of a value that is read behind the name of its field; longer ones bring words of their own."""
PEOPLE = frozenset({"PERSON", "ADDRESS"})


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
        """Protect all strings and numbers in nested lists and mappings; the fields in ``skip`` stay.

        A value is read beside the name of its field, which can say what it is (``ssn``); a number in which something
        is found becomes a string. Of keys, names and addresses of people stay: too many columns look like them.

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

    def _nested(
        self, value: Any, place: str, skip: frozenset[str], found: list[tuple[str, Finding]], name: str = ""
    ) -> Any:
        if isinstance(value, str):
            text, here = self._field(name, value)
            found.extend((place, f) for f in here)
            return text
        if isinstance(value, int | float) and not isinstance(value, bool) and LEAST <= abs(value) < MOST:
            whole = str(int(value)) if value == int(value) else str(value)
            text, here = self._field(name, whole)
            found.extend((place, f) for f in here)
            return text if here else value
        if isinstance(value, Mapping):
            made: dict[Any, Any] = {}
            for k, v in value.items():
                inner = v if k in skip else self._nested(v, f"{place}.{k}".lstrip("."), skip, found, str(k))
                made[self._key(k, made, found) if isinstance(k, str) and k not in skip else k] = inner
            return made
        if isinstance(value, list | tuple):
            each = [self._nested(v, f"{place}[{i}]", skip, found, name) for i, v in enumerate(value)]
            return tuple(each) if isinstance(value, tuple) else each
        return value

    def _field(self, name: str, value: str) -> tuple[str, list[Finding]]:
        """A value protected, and what was found in it; a short one is read behind its field's name."""
        if not name or len(value) > SHORT:
            return self.text(value)
        before = f"{name.replace('_', ' ')}: "
        found = [
            replace(f, start=f.start - len(before), end=f.end - len(before))
            for f in find(before + value, self.types)
            if f.start >= len(before)
        ]
        alone = find(value, self.types)
        best = found if sum(f.end - f.start for f in found) > sum(f.end - f.start for f in alone) else alone
        return self.replaced(value, best), best

    def _key(self, key: str, taken: Mapping[Any, Any], found: list[tuple[str, Finding]]) -> str:
        """A key without personal data; several that become the same are counted."""
        here = [f for f in find(key, self.types) if f.type not in PEOPLE]
        if not here:
            return key
        found.extend(("a key", f) for f in here)
        made = self.replaced(key, here)
        n = 1
        while (numbered := made if n == 1 else f"{made} {n}") in taken:
            n += 1
        return numbered


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

"""Ask the recognisers, settle what overlaps, and find the same values again where they stand elsewhere.

Recognisers read a text as a person sees it: with plain spaces, hyphens and letters where others of the same look stand
(no-break spaces, full-width letters), and without what has no width.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from sharpen import parts
from sharpen.errors import UserError
from sharpen.guards.findings import Finding, Recogniser, settled

WORD = re.compile(r"\w+")
SHORTEST = 4  # characters of a value that is looked for again
ROUNDS = 4
UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"  # characters without width, and the soft hyphen


@cache
def all_recognisers(types: tuple[str, ...] = ()) -> tuple[Recogniser, ...]:
    """Return the recognisers of these types; all that there are where none is named.

    One that needs further packages is asked for by its own name in capitals (``NER``), beside types or alone.

    Raises:
        UserError: no recogniser knows one of the types, or packages are missing.
    """
    asked = {name.upper() for name in _extra()}
    made = [_made(part) for name, part in parts.all_parts("recogniser").items() if name not in _extra()]
    made += [_made(part) for name, part in _extra().items() if name.upper() in types]
    every = sorted({t for r in made for t in r.types})
    for t in types:
        if t not in every and t not in asked:
            raise UserError(f"no recogniser knows the type {t!r}.", do=f"There are: {', '.join(every)}.")
    wanted = _without_extra(types)
    return tuple(r for r in made if not wanted or set(wanted) & set(r.types))


@cache
def _extra() -> dict[str, parts.Part]:
    """Our recognisers that need further packages."""
    return {
        name: part for name, part in parts.all_parts("recogniser").items() if part.needs and part.origin == "sharpen"
    }


@cache
def _without_extra(types: tuple[str, ...]) -> tuple[str, ...]:
    """Types alone, without what asks for a recogniser."""
    return tuple(t for t in types if t.lower() not in _extra())


def _made(part: parts.Part) -> Recogniser:
    """A part's recogniser; of another package's, what it gives is looked at, and its failures bear its name."""
    with parts.blamed(part):
        made: Recogniser = parts.factory("recogniser", part.name)()
    if part.origin == "sharpen":
        return made

    def guarded(text: str) -> list[Finding]:
        with parts.blamed(part):
            found = list(made.find(text))
            for f in found:
                parts.expect(f, Finding, "a finding")
                if not 0 <= f.start < f.end <= len(text):
                    raise ValueError(f"a finding from {f.start} to {f.end} of a text of {len(text)} characters")
            return found

    return Recogniser(made.types, guarded)


def find(text: str, types: Sequence[str] = ()) -> list[Finding]:
    """Find personal data and secrets: findings in order, none overlapping.

    Args:
        text: any text.
        types: only these, such as ``("EMAIL", "CARD")``; all that there are where none is named.
    """
    if text.isascii():
        return _find(text, types)
    plain, places = _seen(text)
    found = _find(plain, types)
    if places is None:
        return found
    return [replace(f, start=places[f.start], end=places[f.end - 1] + 1) for f in found]


@cache
def _looks() -> dict[int, str]:
    """For code points that look like a sign of ASCII, that sign."""
    made = {c: unicodedata.normalize("NFKC", chr(c)) for c in range(0xFF01, 0xFF5F)}
    made |= dict.fromkeys((0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")
    return made | dict.fromkeys((0x2010, 0x2011, 0x2212, 0xFE63), "-")


def _seen(text: str) -> tuple[str, list[int] | None]:
    """A text as it looks, and where each of its characters stands in the text; None: where it did before."""
    plain = text.translate(_looks())
    if not any(c in plain for c in UNSEEN):
        return plain, None
    places = [i for i, c in enumerate(plain) if c not in UNSEEN]
    return "".join(plain[i] for i in places), places


def _find(text: str, types: Sequence[str]) -> list[Finding]:
    found = [f for r in all_recognisers(tuple(types)) for f in r.find(text)]
    if not found:
        return found
    wanted = _without_extra(tuple(types)) if types else ()
    if wanted:
        found = [f for f in found if f.type in wanted]
    kept = _trimmed(text, settled(found))
    for _ in range(ROUNDS):  # what is found again can cut another finding, whose rest is a value of its own
        again = _again(text, kept)
        if not again:
            break
        kept = _trimmed(text, settled([*kept, *again]))
    return kept


def _trimmed(text: str, found: Sequence[Finding]) -> list[Finding]:
    """Findings without white space at their ends; what is left of an overlap may be nothing but signs."""
    out = []
    for f in found:
        value = text[f.start : f.end]
        if not any(map(str.isalnum, value)):
            continue
        if value[0].isspace() or value[-1].isspace():
            start = f.start + len(value) - len(value.lstrip())
            f = Finding(f.type, start, start + len(value.strip()), f.score)
        out.append(f)
    return out


def _again(text: str, found: Sequence[Finding]) -> list[Finding]:
    """The values found, at other places of the text, as whole words; each word of the text is looked up once."""
    values: dict[str, dict[str, Finding]] = {}  # by their first word
    shapes: dict[str, set[tuple[int, int]]] = {}  # characters before that word, and of the whole value
    covered = {f.start for f in found}
    for f in found:
        value = text[f.start : f.end]
        first = WORD.search(value)
        if f.end - f.start >= SHORTEST and first:
            values.setdefault(first[0], {})[value] = f
            shapes.setdefault(first[0], set()).add((first.start(), len(value)))
    if not values or len(text) < 2 * SHORTEST:
        return []
    ordered = {first: sorted(each, key=lambda s: -s[1])[:20] for first, each in shapes.items()}
    out = []
    for m in WORD.finditer(text):
        same = values.get(m[0])
        if same is None:
            continue
        for before, length in ordered[m[0]]:
            start = m.start() - before
            end = start + length
            if start < 0 or start in covered:
                continue
            hit = same.get(text[start:end])
            if hit and not (end < len(text) and text[end - 1].isalnum() and text[end].isalnum()):
                out.append(Finding(hit.type, start, end, hit.score))
                break
    return out

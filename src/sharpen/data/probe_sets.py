"""A probe set of one's own: which groups its sentences set against each other, for the data page's look at bias.

A file of any format that has rows, each a pair or a template:

- a pair is two sentences that differ in who is spoken of (``sent_more`` and ``sent_less``, as CrowS-Pairs calls them,
  or ``one`` and ``other``), with the family of these groups (``bias_type`` or ``family``). The single words in which
  the two differ name the groups;
- a template is a sentence with ``{group}``, the groups of a family as a list (``groups``), and each of them is a word.

Words of one place that differ by an s are one group. What a pair says of a group is not judged here: see Blodgett et
al. 2021, "Stereotyping Norwegian salmon", on how far such sets measure what they say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen.data.bias import Families
from sharpen.data.reading import Note, RowReader, open_reader
from sharpen.data.wording import words
from sharpen.errors import Problem, UserError

PAIR = (("sent_more", "sent_less"), ("one", "other"))
FAMILY = ("family", "bias_type")
OFTEN = 2
"""Pairs in which a word has to stand on one side before it names a group: of a single one nobody knows."""
MOST = 30  # groups of a family that are looked at, the most frequent ones
SHOWN = 3  # rows that are named where they cannot be used


@dataclass(frozen=True)
class ProbeSet:
    """The groups of each family, each with the words that name it; how many ``rows`` there were, and ``used``."""

    families: Families
    rows: int
    used: int


def read_probes(path: Path | str) -> ProbeSet:
    """Read a probe set.

    Raises:
        UserError: there is no such file, it has no rows, or none of them names groups.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError("there is no such file.", str(path), "Name a CSV or JSON-lines file of pairs or templates.")
    reader = open_reader(file)
    if isinstance(reader, Problem) or not isinstance(reader, RowReader):
        raise UserError("is no table of rows.", str(path), "Name a CSV or JSON-lines file of pairs or templates.")
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    rows, odd = 0, list[str]()
    problems = []
    for row in reader.rows(file, file.name):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        if isinstance(row, Note):
            continue
        rows += 1
        family, named, least = _groups(row.fields)
        if not named:
            odd.append(row.at)
        for word in named:
            counted[family][word] += least
    families = {f: _named(c) for f, c in counted.items()}
    families = {f: groups for f, groups in families.items() if len(groups) > 1}
    if not families:
        some = f" ({', '.join(odd[:SHOWN])})" if odd else ""
        do = "Write one, other and family; or template with {group}, groups and family."
        raise UserError([*problems, Problem(f"no two groups are told apart by its {rows} rows{some}.", str(path), do)])
    return ProbeSet(families, rows, rows - len(odd))


def _groups(row: Mapping[str, Any]) -> tuple[str, list[str], int]:
    """The family of a row, the words that name groups, and how much each counts: of a template it is said outright."""
    family = str(next((row[k] for k in FAMILY if row.get(k)), "groups"))
    listed = row.get("groups")
    if isinstance(row.get("template"), str) and "{group}" in row["template"] and listed:
        many = listed.split(",") if isinstance(listed, str) else listed if isinstance(listed, list) else []
        found = [w for g in many for w in words(str(g))[:1] if len(words(str(g))) == 1]
        return family, found, OFTEN
    one, other = next(
        ((row[a], row[b]) for a, b in PAIR if isinstance(row.get(a), str) and isinstance(row.get(b), str)), ("", "")
    )
    first, second = words(one), words(other)
    if len(first) != len(second):
        return family, [], 1
    apart = {(a, b) for a, b in zip(first, second, strict=True) if a != b}
    return family, sorted({w for pair in apart for w in pair}) if len(apart) == 1 else [], 1


def _named(counted: Counter[str]) -> dict[str, frozenset[str]]:
    """Groups of a family, the most frequent first, with the plural of a word beside it."""
    together: dict[str, set[str]] = defaultdict(set)
    for word in counted:
        single = word.removesuffix("s")
        together[single if single in counted else word].add(word)
    often = {g: sum(counted[w] for w in found) for g, found in together.items()}
    kept = sorted((g for g, n in often.items() if n >= OFTEN), key=lambda g: (-often[g], g))[:MOST]
    return {g: frozenset(together[g]) for g in kept}

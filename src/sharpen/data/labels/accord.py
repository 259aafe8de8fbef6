"""How people's answers in a queue compare: guesses accepted, agreement, who takes what for what, and what stands.

What stands is one person's word, or, where several labelled an item, the class that is likeliest given how reliable
each person turns out to be (Dawid and Skene, :mod:`sharpen.data.labels.consensus`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from sharpen.data.bias import wilson
from sharpen.data.labels.agreement import Label, agreement, cohen_kappa, krippendorff_alpha
from sharpen.data.labels.consensus import dawid_skene, majority
from sharpen.data.labels.queue import Decision, Item, Queue

PARTS = 5  # of the decisions, one after the other, in which acceptance is shown over time
REFUSED = "\0refuse"  # as the queue writes a refusal among labels


@dataclass(frozen=True)
class Rate:
    """``accepted`` of ``shown`` proposals, with the 95% interval (Wilson) of the share."""

    name: str
    accepted: int
    shown: int

    @property
    def share(self) -> float | None:
        return self.accepted / self.shown if self.shown else None

    def row(self) -> dict[str, Any]:
        """As JSON has it."""
        low, high = wilson(self.accepted, self.shown)
        share = None if self.share is None else round(self.share, 4)
        made = {"name": self.name, "accepted": self.accepted, "shown": self.shown, "share": share}
        return made | {"interval": [round(low, 4), round(high, 4)]}


@dataclass(frozen=True)
class Acceptance:
    """How often people took a proposal as it was: in all, in parts of the time, by its class, by who, by its origin."""

    all: Rate
    over_time: tuple[Rate, ...]
    classes: tuple[Rate, ...]
    people: tuple[Rate, ...]
    origins: tuple[Rate, ...]


def acceptance(items: Sequence[Item], decisions: Sequence[Decision]) -> Acceptance:
    """Count what became of proposals; a skip says nothing of one."""
    by = {i.id: i for i in items}
    judged = [d for d in decisions if d.action != "skip" and by[d.item].proposal is not None]

    def rate(name: str, of: Sequence[Decision]) -> Rate:
        return Rate(name, sum(d.action == "accept" for d in of), len(of))

    def rates(key: Any) -> tuple[Rate, ...]:
        groups: dict[str, list[Decision]] = defaultdict(list)
        for d in judged:
            groups[key(d)].append(d)
        return tuple(rate(name, of) for name, of in sorted(groups.items()))

    n, parts = len(judged), min(PARTS, len(judged))
    cuts = [n * i // parts for i in range(parts + 1)] if parts else []
    spans = [judged[a:b] for a, b in pairwise(cuts)]
    time = tuple(rate(f"{of[0].at[:16]} to {of[-1].at[:16]}", of) for of in spans)
    return Acceptance(
        rate("all", judged),
        time,
        rates(lambda d: by[d.item].proposal),
        rates(lambda d: d.who),
        rates(lambda d: by[d.item].origin.partition(",")[0]),  # a guess's origin also says of how many labels
    )


@dataclass(frozen=True)
class Standing:
    """What stands of an item: its label (None: refused), how that was found, and whether people differ.

    ``how`` is ``one person``, ``all agree``, or ``Dawid-Skene``, which alone says how ``sure`` it is (its posterior
    probability). ``divided``: no label has most votes.
    """

    item: str
    label: str | None
    sure: float | None
    how: str
    votes: int
    differ: bool
    divided: bool


def standing(queue: Queue) -> list[Standing]:
    """Settle each item that somebody labelled, in the order in which they were added."""
    ids, _, ratings = queue.ratings()
    kept = [(i, row) for i, row in zip(ids, ratings, strict=True) if any(v is not None for v in row)]
    if not kept:
        return []
    rows = [row for _, row in kept]
    several = any(sum(v is not None for v in row) > 1 for row in rows)
    weighed = dawid_skene(rows).labels if several else majority(rows)
    out = []
    for (item, row), vote, most in zip(kept, weighed, majority(rows), strict=True):
        given = {v for v in row if v is not None}
        differ = len(given) > 1
        label = vote.label if differ else next(iter(given))
        how = "Dawid-Skene" if differ else "one person" if most.votes == 1 else "all agree"
        out.append(
            Standing(
                item,
                None if label == REFUSED else str(label),
                vote.share if differ else None,
                how,
                most.votes,
                differ,
                differ and most.label is None,
            )
        )
    return out


@dataclass(frozen=True)
class Accord:
    """How far people agree. Figures are None where they do not exist; see :mod:`sharpen.data.labels.agreement`.

    ``pairs``: (one, other, items, Cohen's kappa); ``confusion``: (one, says, other, says, items), the most frequent
    first; ``reliability``: by annotator, (labels as Dawid and Skene settle them, labels given beside others');
    ``groups``: name, people, items that two of it labelled, alpha among them; ``between``: (group, group, items, kappa
    of their majorities); ``divided``: items without a majority, and who says what.
    """

    items: int
    labelled: int
    twice: int
    unanimous: int
    alpha: float | None
    fleiss: float | None
    pairs: tuple[tuple[str, str, int, float | None], ...]
    confusion: tuple[tuple[str, str, str, str, int], ...]
    reliability: Mapping[str, tuple[int, int]]
    groups: tuple[tuple[str, tuple[str, ...], int, float | None], ...]
    between: tuple[tuple[str, str, int, float | None], ...]
    divided: tuple[tuple[str, Mapping[str, str]], ...]


def accord(queue: Queue) -> Accord:
    """Compare what people say of the same items; a refusal is a label like others, a skip is none."""
    ids, people, ratings = queue.ratings()
    said = [[_shown(v) for v in row] for row in ratings]
    made = agreement([row for row in said if any(v is not None for v in row)], people)
    groups = _groups(queue.groups(), people)
    columns = {name: [people.index(p) for p in of] for name, of in groups.items()}
    inner, majorities = [], {}
    for name, of in groups.items():
        rows = [[row[c] for c in columns[name]] for row in said]
        twice = sum(sum(v is not None for v in row) > 1 for row in rows)
        inner.append((name, tuple(of), twice, krippendorff_alpha(rows)))
        majorities[name] = [m.label for m in majority(rows)]
    tied = [n for n, m in enumerate(majority(said)) if m.votes > 1 and m.label is None]
    return Accord(
        len(ids),
        made.items,
        made.labelled_twice,
        made.unanimous,
        made.alpha,
        made.fleiss,
        made.pairs,
        _confusion(said, people),
        _reliability(said, people),
        tuple(inner),
        tuple((a, b, *_two(majorities[a], majorities[b])) for a, b in combinations(groups, 2)),
        tuple((ids[n], {p: str(v) for p, v in zip(people, said[n], strict=True) if v is not None}) for n in tied),
    )


def _reliability(said: Sequence[Sequence[str | None]], people: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Of the items that several labelled: how often each says what is settled, and of how many.

    The estimated matrices are not shown: of few labels and many classes they are mostly what was assumed.
    """
    shared = [row for row in said if sum(v is not None for v in row) > 1]
    settled = dawid_skene(shared).labels if shared else ()
    out = {}
    for n, who in enumerate(people):
        given = [(row[n], s.label) for row, s in zip(shared, settled, strict=True) if row[n] is not None]
        out[who] = sum(a == b for a, b in given), len(given)
    return out


def _shown(value: str | None) -> str | None:
    return "(refused)" if value == REFUSED else value


def _groups(named: Mapping[str, str], people: Sequence[str]) -> dict[str, list[str]]:
    """People by group, where one was named; those without one are in none."""
    out: dict[str, list[str]] = {}
    for who in people:
        if who in named:
            out.setdefault(named[who], []).append(who)
    return dict(sorted(out.items()))


def _two(a: Sequence[Label | None], b: Sequence[Label | None]) -> tuple[int, float | None]:
    return sum(x is not None and y is not None for x, y in zip(a, b, strict=True)), cohen_kappa(a, b)


def _confusion(
    said: Sequence[Sequence[str | None]], people: Sequence[str]
) -> tuple[tuple[str, str, str, str, int], ...]:
    """What two people say of the same item, where it is not the same."""
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for row in said:
        for i, j in combinations(range(len(people)), 2):
            a, b = row[i], row[j]
            if a is not None and b is not None and a != b:
                counts[people[i], a, people[j], b] += 1
    return tuple((*pair, n) for pair, n in sorted(counts.items(), key=lambda t: (-t[1], t[0])))

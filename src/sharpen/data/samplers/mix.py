"""Mix tables, sources and rows of other jobs in the shares that are asked for, at about the same number of rows.

``mix(temperature=2)`` draws each table in proportion to the T-th root of its rows: 1 leaves all as it is, a large T
makes tables count alike (Raffel et al. 2020, "Exploring the Limits of Transfer Learning", section 3.5.2).
``mix(shares={'faq': 0.7, 'hotline': 0.3})`` says the shares, and what is not named shares the rest. ``mix(replay=0.2)``
has one row in five be one of ``data.replay``, so that a model keeps what it could do before.

A row is of its table where examples come from several, and else of its source. Every row of a name stands as often as
any other, or once more; which do is drawn by the seed.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sharpen.data.balancing import Sampler, whole
from sharpen.data.gathering import TABLE
from sharpen.errors import UserError
from sharpen.types import Example

REPLAYS = True
"""It is given the rows of ``data.replay``, too."""

OTHER = "replay: "
"""Before the names of tables of other jobs."""


def mix(
    temperature: float = 1.0,
    shares: Mapping[str, float] | None = None,
    replay: float | None = None,
    rows: int | None = None,
) -> Sampler:
    """Return the sampler.

    Args:
        temperature: T of p ~ n^(1/T), over names that ``shares`` does not name; 1 or more.
        shares: of names, in what is no replay; together 1 at most.
        replay: share of all rows that are of ``data.replay``; None: as many as there are.
        rows: how many are drawn; by default as many as there are, and what is replayed comes on top.
    """
    whole("rows", rows)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 1 <= temperature <= 1e6:
        raise UserError(f"the option temperature is {temperature!r}.", do="Write a number of 1 or more.")
    if replay is not None and not _share(replay, below_one=True):
        raise UserError(f"the option replay is {replay!r}.", do="Write a share from 0 to below 1.")
    given = shares if shares is not None else {}
    if not isinstance(given, Mapping) or not all(map(_share, given.values())) or sum(given.values()) > 1 + 1e-9:
        raise UserError(f"the option shares is {shares!r}.", do="Write {'faq': 0.7, 'hotline': 0.3}: 1 at most.")

    def sample(names: Sequence[str], seed: int) -> list[int]:
        counts = Counter(names)
        own = {n: c for n, c in counts.items() if not n.startswith(OTHER)}
        others = {n: c for n, c in counts.items() if n.startswith(OTHER)}
        if replay and not others:
            raise UserError("mix has nothing to replay.", do="Name rows of other jobs: data.replay.")
        missing = sorted(set(given) - set(own))
        if missing:
            raise UserError(f"no training row is of {missing[0]!r}.", do=f"There is {', '.join(sorted(own))[:300]}.")
        p = _proportions(own, given, temperature)
        q = _proportions(others, {}, temperature) if others else {}
        part = replay if replay is not None else sum(others.values()) / len(names)
        total = rows or round(sum(own.values()) / (1 - part))
        wanted = {n: (1 - part) * x for n, x in p.items()} | {n: part * x for n, x in q.items()}
        return _drawn(names, _counts(wanted, total), seed)

    return sample


def of(example: Example) -> str:
    """What a row is counted under."""
    name = str(example.meta.get(TABLE, "") or example.source)
    return f"{OTHER}{name}" if example.meta.get("replay") is True else name


def _share(value: object, below_one: bool = False) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and (0 <= value < 1 if below_one else 0 <= value <= 1)  # type: ignore[operator]


def _proportions(counts: Mapping[str, int], given: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Shares of names that sum to 1; where all are named, what is named is taken relative to its sum."""
    rest = {n: c ** (1 / temperature) for n, c in counts.items() if n not in given}
    left, whole_rest = 1 - sum(given.values()), sum(rest.values())
    made = {n: left * c / whole_rest for n, c in rest.items()} | {n: float(given[n]) for n in counts if n in given}
    total = sum(made.values())
    if not total:
        raise UserError("every share of mix is 0.", do="Give one of them more.")
    return {n: x / total for n, x in made.items()}


def _counts(wanted: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers that sum to ``total``, by largest remainders."""
    exact = {n: x * total for n, x in wanted.items()}
    made = {n: int(x + 1e-9) for n, x in exact.items()}
    order = sorted(exact, key=lambda n: (made[n] - exact[n], n))
    for n in order[: total - sum(made.values())]:
        made[n] += 1
    return made


def _drawn(names: Sequence[str], counts: Mapping[str, int], seed: int) -> list[int]:
    rows: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(names):
        rows[name].append(i)
    drawn: list[int] = []
    for name in sorted(rows):
        times, more = divmod(counts[name], len(rows[name]))
        drawn += rows[name] * times + random.Random(f"{seed} mix {name}").sample(rows[name], more)
    return sorted(drawn)

"""What rows belong to where nobody said it: questions that are nearly the same, and times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sharpen.data.leaks import all_alike, asked
from sharpen.types import Example, digest

FEWEST = 8
"""Clusters that a test should have; the coarsest part of the calendar that gives so many is taken."""

UNITS = {"month": "calendar month", "week": "week", "day": "day", "hour": "hour"}
SHOWN = 60  # characters of a question that name its group
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PER_SECOND = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))  # from so large a number on it counts so small a part


def similar(examples: Sequence[Example], threshold: float = 0.8) -> list[str]:
    """Return the name of the group of near-duplicate questions that each example is in; "" where it stands alone.

    Groups are what pairs of at least ``threshold`` (see :mod:`sharpen.data.leaks`) connect. A name is made of the
    group's first question by the alphabet, so that it does not depend on the order of rows.
    """
    texts = [asked(e) for e in examples]
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for rows, others, _ in all_alike(texts, texts, threshold):
        for i in (*rows, *others):
            parent[root(i)] = root(rows[0])
    members: dict[int, list[int]] = {}
    for i in range(len(texts)):
        members.setdefault(root(i), []).append(i)
    names, taken = [""] * len(texts), set[str]()
    for group in sorted((g for g in members.values() if len(g) > 1), key=lambda g: min(texts[i] for i in g)):
        first = min(texts[i] for i in group)
        name = " ".join(first.split())[:SHOWN]
        name = name if name and name not in taken else f"{name} #{digest(first)[:8]}"
        taken.add(name)
        for i in group:
            names[i] = name
    return names


def moment(value: Any) -> datetime | None:
    """Read a time, in UTC where it names no zone; None where it cannot be read.

    Numbers are seconds since 1970, or milli-, micro- or nanoseconds by their size; 1900 to 2100 is a year, and eight
    digits that are a date are that date (20240531).
    """
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip()
    try:
        if re.fullmatch("(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]", text):
            found = datetime.strptime(text, "%Y%m%d")
        elif re.fullmatch("(19|20)[0-9]{2}|2100", text):
            found = datetime(int(text), 1, 1)
        elif re.fullmatch("[0-9]{4}-[0-9]{2}", text):
            found = datetime.strptime(text, "%Y-%m")
        elif re.fullmatch("[-+]?[0-9]+([.][0-9]*)?([eE][-+]?[0-9]+)?", text):
            return _counted(float(text))
        else:
            found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _counted(number: float) -> datetime:
    part = next((part for least, part in PER_SECOND if abs(number) >= least), 1.0)
    return EPOCH + timedelta(seconds=number / part)


def by_time(times: Sequence[datetime], shares: tuple[float, float, float]) -> list[str]:
    """Return train for the oldest, then dev, test for the newest; rows of one time stay together.

    The cuts lie where counts come closest to the shares; each split gets something where there are three times.
    """
    order = sorted(set(times))
    if len(order) < 3:
        return [("train", "test")[order.index(t)] for t in times]
    counts = dict.fromkeys(order, 0)
    for t in times:
        counts[t] += 1
    upto, total = [0], len(times)
    for t in order:
        upto.append(upto[-1] + counts[t])
    first = min(range(1, len(order) - 1), key=lambda n: abs(upto[n] - shares[0] * total))
    second = min(range(first + 1, len(order)), key=lambda n: abs(upto[n] - (shares[0] + shares[1]) * total))
    place = {t: "train" if n < first else "dev" if n < second else "test" for n, t in enumerate(order)}
    return [place[t] for t in times]


def calendar(time: datetime, unit: str) -> str:
    """Name the part of the calendar that a time is in: ``2024-05``, ``2024-W18``, ``2024-05-03``."""
    if unit == "week":
        year, week, _ = time.isocalendar()
        return f"{year}-W{week:02}"
    return time.strftime({"month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%d %H h"}[unit])


def unit_of(times: Sequence[datetime]) -> str:
    """The coarsest part of the calendar of which these times fill at least eight; hours where none is."""
    return next((u for u in UNITS if len({calendar(t, u) for t in times}) >= FEWEST), "hour")

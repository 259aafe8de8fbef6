"""Ways to search a space of prompts within a number of model calls. Each asks for values until there are no calls left.

All know the same: a point's value is its first metric on some questions of dev. Points that were judged on more
questions are believed more, and the best of those judged on most is what a search returns.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sharpen.techniques._space import Point, Space

LEAST = 8
"""Questions on which a point is judged at least."""
GOOD = 0.25
"""The share of points that a Bayesian search takes for good ones (Bergstra et al. 2011: gamma)."""
DRAWN = 24
"""Points that it draws from the good ones, of which it takes the one that is likeliest good."""
PEOPLE = 8
"""Points of a generation."""


class Spent(Exception):
    """No calls are left for what was asked."""


@dataclass
class Trials:
    """What was judged, and how many calls are left.

    ``judge(point, n)`` returns the value on the first ``n`` questions and the model calls of all of them; what was
    asked before, for this point, is not counted again.
    """

    judge: Callable[[Point, int], tuple[float, int]]
    calls: int
    questions: int
    each: int = 1  # calls of an answer
    used: int = 0
    known: dict[Point, dict[int, float]] = field(default_factory=dict)

    def value(self, point: Point, n: int) -> float:
        """The value of a point on ``n`` questions.

        Raises:
            Spent: that takes more calls than are left.
        """
        n = min(n, self.questions)
        held = self.known.setdefault(point, {})
        if n not in held:
            new = (n - max((m for m in held if m < n), default=0)) * self.each
            if self.used + new > self.calls:
                raise Spent
            held[n], made = self.judge(point, n)
            self.each = max(self.each, math.ceil(made / n))
            self.used += new
        return held[n]

    def best(self) -> Point | None:
        """The best of the points that were judged on most questions; of equals the one that came first."""
        judged = {p: max(held) for p, held in self.known.items() if held}
        if not judged:
            return None
        most = max(judged.values())
        return max((p for p, n in judged.items() if n == most), key=lambda p: self.known[p][most])


Way = Callable[[Space, Trials, random.Random], None]


def at_random(space: Space, trials: Trials, rng: random.Random) -> None:
    """Points drawn at random, each on as many questions as lets a dozen and more be judged."""
    n = _questions(trials)
    for point in _New(space, trials, rng):
        trials.value(point, n)


def halving(space: Space, trials: Trials, rng: random.Random) -> None:
    """Many points on few questions, the better half on twice as many, and so on (Jamieson and Talwalkar 2016)."""
    rounds = max(1, round(math.log2(max(2, trials.questions / LEAST))) + 1)
    n, first = LEAST, max(2, int(trials.calls / (trials.each * LEAST * (1 + (rounds - 1) / 2))))
    points = [p for p, _ in zip(_New(space, trials, rng), range(min(first, space.points)), strict=False)]
    while points:
        values = {p: trials.value(p, n) for p in points}
        if n >= trials.questions:
            return
        points = sorted(points, key=lambda p: -values[p])[: max(1, len(points) // 2)]
        n = min(trials.questions, 2 * n)


def bayesian(space: Space, trials: Trials, rng: random.Random) -> None:
    """Tree-structured Parzen estimators (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization")."""
    n = _questions(trials)
    start = 3 + len(space.sizes)
    for i, point in enumerate(_New(space, trials, rng)):
        if i < start:
            trials.value(point, n)
            continue
        judged = sorted((p for p in trials.known if n in trials.known[p]), key=lambda p: -trials.known[p][n])
        cut = max(1, math.ceil(GOOD * len(judged)))
        good, bad = _shares(space, judged[:cut]), _shares(space, judged[cut:])
        drawn = [_like(good, rng) for _ in range(DRAWN)]
        fresh = [p for p in drawn if p not in trials.known] or [point]
        trials.value(max(fresh, key=lambda p: _odds(p, good, bad)), n)


def evolving(space: Space, trials: Trials, rng: random.Random) -> None:
    """A population whose better members are crossed and changed in one choice (as in Guo et al. 2024, EvoPrompt)."""
    n = _questions(trials)
    people = [p for p, _ in zip(_New(space, trials, rng), range(PEOPLE), strict=False)]
    for p in people:
        trials.value(p, n)
    for stranger in _New(space, trials, rng):
        ranked = sorted(people, key=lambda p: -trials.known[p][n])
        mother, father = (min(rng.sample(range(len(ranked)), min(2, len(ranked)))) for _ in range(2))
        child = [rng.choice(pair) for pair in zip(ranked[mother], ranked[father], strict=True)]
        at = rng.randrange(len(child))
        child[at] = rng.randrange(space.sizes[at])
        point = tuple(child) if tuple(child) not in trials.known else stranger
        trials.value(point, n)
        people = sorted([*people, point], key=lambda p: -trials.known[p][n])[:PEOPLE]


WAYS: dict[str, Way] = {"random": at_random, "halving": halving, "bayesian": bayesian, "evolving": evolving}


def searched(way: Way, space: Space, trials: Trials, rng: random.Random) -> Point | None:
    """Search until the calls are spent or every point was judged; the best point, or None where none could be."""
    with suppress(Spent):
        way(space, trials, rng)
    return trials.best()


def _questions(trials: Trials) -> int:
    """Questions a point: a dozen points at least, where that leaves enough questions to tell them apart."""
    return max(min(LEAST, trials.questions), min(trials.questions, trials.calls // (12 * trials.each)))


class _New:
    """The first point, then others in random order, each once; those that were judged meanwhile are left out."""

    def __init__(self, space: Space, trials: Trials, rng: random.Random) -> None:
        self.space, self.trials, self.rng = space, trials, rng
        self.given: set[Point] = set()

    def __iter__(self) -> _New:
        return self

    def __next__(self) -> Point:
        start = (0,) * len(self.space.sizes)
        if start not in self.given | self.trials.known.keys():
            self.given.add(start)
            return start
        for _ in range(200):
            point = self.space.draw(self.rng)
            if point not in self.given and point not in self.trials.known:
                self.given.add(point)
                return point
        raise StopIteration


def _shares(space: Space, points: list[Point]) -> list[list[float]]:
    """How often each choice is taken, with one of each more than there are, so that none is impossible."""
    made = []
    for d, size in enumerate(space.sizes):
        counts = [1.0] * size
        for p in points:
            counts[p[d]] += 1
        made.append([c / sum(counts) for c in counts])
    return made


def _like(shares: list[list[float]], rng: random.Random) -> Point:
    return tuple(rng.choices(range(len(s)), s)[0] for s in shares)


def _odds(point: Point, good: list[list[float]], bad: list[list[float]]) -> float:
    return sum(math.log(g[i] / b[i]) for i, g, b in zip(point, good, bad, strict=True))

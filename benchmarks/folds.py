"""Folds and honesty: how often a verdict over folds says "better" of an arm that is not, and of one that is.

``python benchmarks/folds.py --studies 400`` draws studies whose truth is known and judges each by
:func:`sharpen.evaluation.compare`, once over all folds and once on the test of a single split of the same questions.
No model is asked: the arm that learns is a nearest-neighbour classifier, so that its program hangs on what it was
trained on, which is what makes tests of several folds hang together. Questions of one source share an offset, and a
source may have a leaning to one class. The baseline tosses a coin for each question.

* ``null``: classes are drawn without regard to anything that can be learned; "better" is false.
* ``learns``: what a question looks like says something of its class; "better" is right.

Beside them an arm that learns nothing (another coin, over all questions) shows what the test itself errs. Half of 5%
is to be expected of it: "worse" is the other half. Prints JSON: for each truth how often the verdict was "better" over
folds and on one split, with the standard error of the share. The exit status is 1 where "better" is false more often
over folds than 5% and 2.33 standard errors.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sharpen.data import split
from sharpen.data.splitting import deal, split_fold
from sharpen.evaluation import Rule, compare
from sharpen.metrics import open_metric
from sharpen.types import Example, Message, Score

SHARES = {"train": 0.70, "dev": 0.15, "test": 0.15}
SOURCES, FOLDS, FLIPS, WIDTH = 30, 5, 2_000, 4


@dataclass(frozen=True)
class Drawn:
    """Questions as points, their classes, and what a coin answers."""

    examples: list[Example]
    points: NDArray[np.float64]
    classes: NDArray[np.int64]
    coins: NDArray[np.int64]


def draw(truth: str, number: int) -> Drawn:
    """One study's questions: about 12 of each source, unevenly, as in life."""
    rng = np.random.default_rng([number, truth == "null"])
    sizes = rng.integers(4, 21, SOURCES)
    source = np.repeat(np.arange(SOURCES), sizes)
    points = rng.normal(size=(SOURCES, WIDTH))[source] + rng.normal(size=(len(source), WIDTH))
    leaning = rng.normal(size=SOURCES)[source]
    told = 1.2 * points[:, 0] if truth == "learns" else 0.0
    classes = (rng.normal(size=len(source)) + leaning + told > 0).astype(np.int64)
    examples = [Example(str(i), (Message("user", "?"),), ("x",), source=str(s)) for i, s in enumerate(source)]
    return Drawn(examples, points, classes, rng.integers(0, 2, len(source)))


def answered(drawn: Drawn, given: list[str], k: int = 5) -> dict[int, int]:
    """What the neighbours of each test question in train say, by its position."""
    learned = np.flatnonzero(np.array(given) == "train")
    asked = np.flatnonzero(np.array(given) == "test")
    apart = ((drawn.points[asked, None] - drawn.points[None, learned]) ** 2).sum(2)
    near = np.argsort(apart, axis=1)[:, :k]
    votes = drawn.classes[learned][near].mean(1) > 0.5
    return dict(zip(asked.tolist(), votes.astype(int).tolist(), strict=True))


def verdict(drawn: Drawn, said: dict[int, int]) -> str:
    """The verdict on the questions that were answered."""
    at = sorted(said)

    def scores(answers: list[int]) -> list[Score]:
        return [Score(float(a == drawn.classes[i])) for i, a in zip(at, answers, strict=True)]

    arms = {"baseline": scores([int(drawn.coins[i]) for i in at]), "neighbours": scores([said[i] for i in at])}
    return compare(
        arms,
        clusters=[drawn.examples[i].source for i in at],
        metric=open_metric("exact_match"),
        baseline="baseline",
        rule=Rule(flips=FLIPS),
    ).verdict


def study(truth: str, number: int) -> tuple[str, str, str]:
    """The verdict over all folds, that of one split, and that over all questions of an arm that learns nothing."""
    drawn = draw(truth, number)
    dealt, said = deal(drawn.examples, FOLDS, "source", number), dict[int, int]()
    for k in range(1, FOLDS + 1):
        said |= answered(drawn, split_fold(drawn.examples, dealt, k, SHARES, "source", number))
    one = answered(drawn, split(drawn.examples, SHARES, "source", number))
    coins = np.random.default_rng([number, 2]).integers(0, 2, len(drawn.examples)).tolist()
    return verdict(drawn, said), verdict(drawn, one), verdict(drawn, dict(enumerate(coins)))


def measure(studies: int) -> dict[str, dict[str, float]]:
    """Shares of "better" by truth."""
    found = {}
    for truth in ("null", "learns"):
        done = [study(truth, n) for n in range(studies)]
        folded, one, coin = (sum(v[i] == "better" for v in done) / studies for i in range(3))
        error = float(np.sqrt(max(folded * (1 - folded), 0.05 * 0.95) / studies))
        shares = {"better_over_folds": folded, "better_on_one_split": one, "better_of_a_coin": coin}
        found[truth] = {"studies": studies, **shares, "error": error}
    return found


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    found = measure(parser.parse_args().studies)
    met = found["null"]["better_over_folds"] <= 0.05 + 2.33 * found["null"]["error"]
    print(json.dumps({"folds": FOLDS, "sources": SOURCES, "found": found, "met": met}, indent=1))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

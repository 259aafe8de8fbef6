"""What the tests of this room share: metrics, and scores from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sharpen.types import Score


@dataclass(frozen=True)
class Mean:
    """A metric whose aggregate is the mean."""

    name: str = "mean"
    higher_is_better: bool = True
    bounds: tuple[float, float] = (0.0, 1.0)

    def aggregate(self, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float:
        return float(np.average([s.value for s in scores], weights=weights))


@dataclass(frozen=True)
class RootMeanSquare(Mean):
    """A metric that is not a mean and has no shortcut: ``aggregate`` must be asked."""

    def aggregate(self, scores: Sequence[Score], weights: Sequence[float] | None = None) -> float:
        return float(np.sqrt(np.average([s.value**2 for s in scores], weights=weights)))


def scored(values: Sequence[float | None]) -> list[Score]:
    return [Score(None if v is None else float(v)) for v in values]

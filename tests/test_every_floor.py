"""The contract that every floor keeps."""

from __future__ import annotations

import pytest

from sharpen import parts
from sharpen.floors import Floor, Predict
from sharpen.techniques import Bench
from sharpen.testing import TASKS, check_floor
from sharpen.types import Answer

NAMES = sorted(n for n, p in parts.all_parts("floor").items() if p.origin == "sharpen")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_floor_keeps_the_contract(name: str, task: str) -> None:
    check_floor(name, [task])


def test_a_floor_that_embeds_says_so() -> None:
    def silently() -> Floor:
        def fit(bench: Bench) -> Predict:
            bench.engines.embed(["x"])
            return lambda examples: [Answer("x") for _ in examples]

        return fit

    with pytest.raises(AssertionError, match=r"silently on chat: embeds, and has no EMBEDS = True"):
        check_floor(silently, ["chat"])

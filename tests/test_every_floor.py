"""The contract that every floor keeps."""

from __future__ import annotations

import pytest

from sharpen import parts
from sharpen.testing import TASKS, check_floor

NAMES = sorted(n for n, p in parts.all_parts("floor").items() if p.origin == "sharpen")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_floor_keeps_the_contract(name: str, task: str) -> None:
    check_floor(name, [task])

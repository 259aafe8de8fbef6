"""Whole studies whose truth is known: nothing helps, or one thing does. At length: benchmarks/end_to_end.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from end_to_end import study


@pytest.mark.full
def test_where_nothing_helps_little_is_called_better(tmp_path: Path) -> None:
    verdicts = [study("null", n, tmp_path / str(n))["verdict"] for n in range(8)]
    assert verdicts.count("better") <= 2  # 3 or more of 8 at 5% each happen once in 170


def test_what_helps_is_found(tmp_path: Path) -> None:
    found = [study("helps", n, tmp_path / str(n)) for n in range(4)]
    assert sum(bool(f["right"]) for f in found) >= 3


@pytest.mark.full
def test_at_length(tmp_path: Path) -> None:
    verdicts = [study("null", 1000 + n, tmp_path / str(n))["verdict"] for n in range(60)]
    assert verdicts.count("better") <= 8

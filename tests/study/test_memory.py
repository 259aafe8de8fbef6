"""How much memory is held: what the system says, and that what is freed goes back to it."""

from __future__ import annotations

import sys

import pytest

from sharpen.runtime import give_back
from sharpen.study.memory import available_gb, resident_gb


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")
def test_freed_memory_goes_back_to_the_system() -> None:
    free = available_gb()
    assert free is not None
    assert free > 0
    before = resident_gb()
    assert before is not None
    held = [b"x" * (100_000 + i % 2) for i in range(2_000)]  # small enough to come from the heap
    holding = resident_gb()
    assert holding is not None
    assert holding > before + 0.15
    top = b"y" * 100_000  # keeps the heap's end in use
    held.clear()
    give_back()
    after = resident_gb()
    assert after is not None
    assert after < before + 0.05
    assert top

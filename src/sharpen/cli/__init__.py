"""The command line: one file per command, imported when it is asked for."""

from __future__ import annotations

from sharpen.cli.main import main

__all__ = ["main"]

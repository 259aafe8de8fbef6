"""Texts that a cleaner is told, one by one or as a file: what is good, what is bad, what the task is about.

A cleaner names such options in ``TEXTS`` of its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen import parts
from sharpen.errors import Problem, UserError

FIELDS = ("text", "question", "content")


def texts_of(given: Sequence[str] | str) -> list[str]:
    """Return the texts, read from a file where one is named.

    Args:
        given: texts; or the path of a file that has one a line, or of ``.jsonl`` whose lines are texts or have a field
            ``text``, ``question`` or ``content``.

    Raises:
        UserError: there is no such file, or lines of it hold no text.
    """
    if not isinstance(given, str):
        return [str(t) for t in given]
    path = Path(given)
    if not path.is_file():
        do = "Name a file with a text on each line, relative to the use case, or give a list: ['…', '…']."
        raise UserError("there is no such file of texts.", given, do)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"cannot be read ({type(e).__name__}).", given, "Save it as text in UTF-8.") from None
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        return [line.strip() for line in lines if line.strip()]
    found = [(n, _text(line)) for n, line in enumerate(lines, 1) if line.strip()]
    wrong = [Problem("holds no text.", f"{given}, line {n}", 'Write {"text": "…"}.') for n, t in found if t is None]
    if wrong:
        raise UserError(wrong[:20])
    return [t for _, t in found if t is not None]


def _text(line: str) -> str | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if isinstance(value, Mapping):
        value = next((value[f] for f in FIELDS if isinstance(value.get(f), str)), None)
    return value if isinstance(value, str) else None


def located(cleaner: str, options: Mapping[str, Any], base: Path | None) -> dict[str, Any]:
    """A cleaner's options with the files of texts named from the root, where they stand relative to ``base``."""
    files = {name: str((base or Path()).absolute() / value) for name, value in files_in(cleaner, options).items()}
    return {**options, **files}


def files_in(cleaner: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The files of texts that a cleaner's options name, by option."""
    return {n: options[n] for n in parts.find("cleaner", cleaner).texts if isinstance(options.get(n), str)}

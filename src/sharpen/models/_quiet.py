"""Heavy packages without their progress bars, advice and telemetry."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

OFF = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


def switch_off() -> None:
    """Set what keeps these packages from phoning home; called before they are first imported."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' bars and warnings inside the block; errors still speak."""
    from transformers.utils import logging as speech

    level = speech.get_verbosity()
    bars = speech.is_progress_bar_enabled()
    speech.set_verbosity_error()
    speech.disable_progress_bar()
    root = logging.getLogger("transformers")
    try:
        yield
    finally:
        speech.set_verbosity(level)
        root.setLevel(level)
        if bars:
            speech.enable_progress_bar()

"""Which split a name says that it is of."""

from __future__ import annotations

import re

_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation", "development"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_of(name: str) -> str:
    """The split that a name is of: train of ``oos_train`` and ``train-00000-of-00002``; nothing where it says none."""
    said = {_SPLITS[word] for word in re.split(r"[\W_]+", name.lower()) if word in _SPLITS}
    return said.pop() if len(said) == 1 else ""

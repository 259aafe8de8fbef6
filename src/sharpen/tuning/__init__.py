"""The one training loop, in sight: rendered rows in, an adapter in PEFT's format out.

``train(module, rows, dev_rows, options, folder)`` knows nothing of prompts or tasks: rows come with their token ids
and a mask of what is learned, rendered by the program that will be asked later. Importing this room loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sharpen.tuning.options import Point, Trained, TrainOptions
from sharpen.tuning.plan import Work, workload
from sharpen.tuning.rows import Untrainable

if TYPE_CHECKING:
    from sharpen.tuning.loop import train

__all__ = ["Point", "TrainOptions", "Trained", "Untrainable", "Work", "train", "workload"]


def __getattr__(name: str) -> Any:
    if name == "train":
        from sharpen.tuning.loop import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

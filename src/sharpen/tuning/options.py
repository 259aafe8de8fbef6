"""What the training loop is told, and what it tells. Names and meanings are Hugging Face's where it has one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sharpen.errors import Problem, UserError

SCHEDULES = ("cosine", "linear", "constant")
METHODS = ("lora",)
MOST_EPOCHS = 1_000
LEAST = {
    "r": 1,
    "lora_alpha": 0,
    "learning_rate": 0,
    "num_train_epochs": 0,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "max_grad_norm": 0,
    "weight_decay": 0,
    "seed": 0,
    "early_stopping_patience": 0,
    "eval_steps": 0,
    "checkpoint_steps": 0,
    "max_length": 2,
    "tokens_per_forward": 1,
}


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))


def _names(value: Any) -> bool:
    several = isinstance(value, tuple | list) and bool(value) and all(isinstance(v, str) for v in value)
    return isinstance(value, str) or several


KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "int": (_whole, "a whole number"),
    "float": (_number, "a finite number"),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "str | tuple[str, ...]": (_names, "a text, or several"),
}
"""Annotation of an option -> whether a value is of that kind, and what the kind is called."""


@dataclass(frozen=True)
class TrainOptions:
    """How to train. An optimizer step sees about ``per_device_train_batch_size * gradient_accumulation_steps`` rows.

    Rows that begin alike stay together in a step, so its number of rows may differ a little from that product. The
    loss of a step is the mean over all of its supervised tokens, however it is cut into forward passes. How it is cut
    ``tokens_per_forward`` alone says; it changes memory and speed, not the result.

    Attributes:
        method: what is trained; ``lora`` (Hu et al. 2021).
        lora_alpha: the update is scaled by ``lora_alpha / r``.
        target_modules: ``all-linear`` (every linear layer but the head) or the last parts of module names.
        num_train_epochs: may be a fraction.
        max_steps: stop after so many optimizer steps; -1: as ``num_train_epochs`` says.
        warmup_ratio: share of the steps in which the learning rate rises from 0.
        early_stopping_patience: stop after so many validations in a row without a smaller loss; 0: never.
        eval_steps: validate every so many steps, and at the end; 0: after each epoch.
        load_best_model_at_end: return the adapter of the smallest validation loss, not the last one.
        checkpoint_steps: write a checkpoint every so many steps; 0: none.
        max_length: longer rows are dropped, counted, and reported.
        tokens_per_forward: tokens computed in one forward and backward pass (a longer row has one for itself).
        share_prefixes: compute what rows of a pass have in common once; the loss is the same.
        bf16: matrix products in bfloat16. Only where the hardware has it; 3 times slower than float32 elsewhere.
    """

    method: str = "lora"
    r: int = 16
    lora_alpha: float = 32
    lora_dropout: float = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"
    learning_rate: float = 1e-3
    num_train_epochs: float = 2
    max_steps: int = -1
    per_device_train_batch_size: int = 8
    gradient_accumulation_steps: int = 1
    max_grad_norm: float = 1.0
    warmup_ratio: float = 0.05
    lr_scheduler_type: str = "cosine"
    weight_decay: float = 0.0
    seed: int = 0
    early_stopping_patience: int = 0
    eval_steps: int = 0
    load_best_model_at_end: bool = True
    checkpoint_steps: int = 20
    max_length: int = 2048
    tokens_per_forward: int = 768
    share_prefixes: bool = True
    bf16: bool = False

    def __post_init__(self) -> None:
        wrong: dict[str, str] = {}
        for f in dataclasses.fields(self):
            fits, kind = KINDS[str(f.type)]
            if not fits(getattr(self, f.name)):
                wrong[f.name] = f"It must be {kind}."
        for name, low in LEAST.items():
            if name not in wrong and getattr(self, name) < low:
                wrong[name] = f"It must be at least {low}."
        if "num_train_epochs" not in wrong and self.num_train_epochs > MOST_EPOCHS:
            wrong["num_train_epochs"] = f"It must be at most {MOST_EPOCHS:,}."
        for name in ("lora_dropout", "warmup_ratio"):
            if name not in wrong and not 0 <= getattr(self, name) < 1:
                wrong[name] = "It must be at least 0 and below 1."
        for name, known in (("lr_scheduler_type", SCHEDULES), ("method", METHODS)):
            if getattr(self, name) not in known:
                wrong[name] = f"It is one of: {', '.join(known)}."
        if wrong:
            where = "training options"
            raise UserError([Problem(f"{n} is {getattr(self, n)!r}.", where, do) for n, do in wrong.items()])

    @property
    def rows_per_step(self) -> int:
        """Rows that an optimizer step should see."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps


@dataclass(frozen=True)
class Point:
    """One optimizer step of the training curve; losses in nats per supervised token.

    ``tokens_per_second`` counts the tokens of the rows as if each had been computed alone, without padding.
    """

    step: int
    epoch: float
    loss: float
    learning_rate: float
    grad_norm: float
    tokens_per_second: float
    dev_loss: float | None = None


@dataclass(frozen=True)
class Trained:
    """What training made, and how it went.

    Attributes:
        adapter: folder in PEFT's format, of ``best_step``.
        last: the same of the last step; None where ``adapter`` is that.
        best_step: the step with the smallest validation loss; the last one where there are no validation rows, or
            ``load_best_model_at_end`` is off.
        dev_loss: validation loss at ``best_step``; ``dev_loss_before`` the one before the first step.
        stopped: why training ended: ``done`` or ``early``.
        supervised_tokens: in all kept rows, seen once.
        tokens: in all rows trained on, epochs counted, each row as if alone; ``computed_tokens`` of them were
            computed, the others shared.
        dropped: reason -> number of rows that were not trained on.
        example: one row as the model reads it, with what is learned between ⟦ and ⟧.
        seconds: of training and validation, all resumed runs together.
        peak_memory: of the process (or of the accelerator), in bytes.
        notes: sentences that the reader of a report should know.
    """

    adapter: Path
    curve: tuple[Point, ...]
    best_step: int
    dev_loss: float | None
    dev_loss_before: float | None
    steps: int
    stopped: str
    rows: int
    supervised_tokens: int
    tokens: int
    computed_tokens: int
    dropped: Mapping[str, int]
    example: str
    seconds: float
    peak_memory: int
    notes: tuple[str, ...] = field(default=())
    last: Path | None = None

    def plain(self) -> dict[str, Any]:
        """The same as JSON-like data, folders by their names alone."""
        last = self.last.name if self.last else None
        return {**dataclasses.asdict(self), "adapter": self.adapter.name, "last": last}

    @classmethod
    def read(cls, value: Mapping[str, Any], folder: Path) -> Trained:
        """Undo :meth:`plain`; ``folder`` is where the adapters' folders lie."""
        curve = tuple(Point(**p) for p in value["curve"])
        notes = tuple(value["notes"])
        last = folder / value["last"] if value.get("last") else None
        return cls(**{**value, "adapter": folder / value["adapter"], "last": last, "curve": curve, "notes": notes})

"""What is said of a prompt that a model cannot hold: the same of every model, so that it is known again."""

from __future__ import annotations

BEGIN = "the prompt has "


def too_long(n: int, context: int) -> str:
    """Say that a prompt of ``n`` tokens is more than a model reads."""
    return f"{BEGIN}{n} tokens and this model reads {context}; shorten the question, its passages or its shots."


def is_too_long(error: str) -> bool:
    """Whether a model refused a prompt because of its length: the same prompt is refused every time."""
    return error.startswith(BEGIN)

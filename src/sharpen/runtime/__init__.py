"""The one answer path: what a program asks of its engines, and in which order.

:func:`answering` does no input or output. It is a generator that yields requests and is sent their results; the two
drivers, :func:`batch` (thousands at once) and :func:`answer` (one, for serving), carry them out.
"""

from __future__ import annotations

from sharpen.runtime.answering import answering
from sharpen.runtime.cache import Answers, answer_all
from sharpen.runtime.choosing import adjusted, answer_in
from sharpen.runtime.citing import dropped
from sharpen.runtime.composing import compose, fill, slots_of
from sharpen.runtime.drivers import answer, batch, found_for, prompts
from sharpen.runtime.engines import Engines, embeds, give_back
from sharpen.runtime.streaming import streamed
from sharpen.runtime.structured import from_field, held, in_field, invalid

__all__ = [
    "Answers",
    "Engines",
    "adjusted",
    "answer",
    "answer_all",
    "answer_in",
    "answering",
    "batch",
    "compose",
    "dropped",
    "embeds",
    "fill",
    "found_for",
    "from_field",
    "give_back",
    "held",
    "in_field",
    "invalid",
    "prompts",
    "slots_of",
    "streamed",
]

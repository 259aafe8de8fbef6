"""Write more from less: a reply from a note, a letter from its points, an essay from its subject.

Decisions are made on ROUGE-L against the references. Many good texts are unlike the reference, so a difference says
more than the value; ``chain(kind='plan')`` and ``shorten(words=200)`` are worth trying here.
"""

from __future__ import annotations

from sharpen.types import Task


def elaboration() -> Task:
    """Return the task."""
    return Task(
        name="elaboration",
        metrics=("rouge_l", "token_f1"),
        floors=("nearest_answer",),
        instructions=(
            "{goal} Write the whole text from these points.",
            "{goal} Write the whole text from these points. Add nothing that they do not say.",
        ),
        arms=("baseline", "instruct", "few_shot", "chain(kind='plan')", "lora"),
        one_line=False,
        max_new_tokens=256,
        template="{question}",
    )

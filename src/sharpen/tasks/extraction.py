"""Take out of a text what is asked for: names, dates, amounts, who wants what.

Decisions are made on token F1, beside exact match, because several things are often taken out at once. Where the
references are JSON, ``structured(schema='form.json')`` holds the answers to their form. What a text is about, its
sentiment or whether it follows from another are classes: the task for those is classification.
"""

from __future__ import annotations

from sharpen.types import Task


def extraction() -> Task:
    """Return the task."""
    return Task(
        name="extraction",
        metrics=("token_f1", "exact_match"),
        floors=("nearest_answer", "majority"),
        instructions=(
            "{goal} Copy it from the text, and write nothing else.",
            "{goal} Write what the text says of it, one a line; write none where it says nothing.",
        ),
        arms=("baseline", "instruct", "few_shot", "nearest_shots", "lora"),
        one_line=False,
        max_new_tokens=96,
        template="Text:\n{question}",
        context_template="{context}\n\nText:\n{question}",
    )

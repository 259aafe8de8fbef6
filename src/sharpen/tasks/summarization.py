"""Say the same in fewer words. Decisions are made on ROUGE-L; the floor is the first sentences of the text."""

from __future__ import annotations

from sharpen.types import Task


def summarization() -> Task:
    """Return the task."""
    return Task(
        name="summarization",
        metrics=("rouge_l", "token_f1"),
        floors=("first_sentences",),
        instructions=(
            "{goal} Summarize the text in two or three sentences.",
            "Write a short summary of the text. Keep to what it says.",
        ),
        arms=("baseline", "instruct", "few_shot", "lora"),
        one_line=False,
        max_new_tokens=128,
    )

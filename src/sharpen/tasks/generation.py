"""Write a text as asked: a reply, a report, a description. Decisions are made on ROUGE-L against the references."""

from __future__ import annotations

from sharpen.types import Task


def generation() -> Task:
    """Return the task."""
    return Task(
        name="generation",
        metrics=("rouge_l", "token_f1"),
        floors=("nearest_answer",),
        instructions=("{goal}", "{goal} Write in the manner of the examples you know."),
        arms=("baseline", "few_shot", "nearest_shots", "lora"),
        arms_with_documents=("baseline", "few_shot", "retrieve", "nearest_shots", "lora", "retrieve + lora"),
        one_line=False,
        max_new_tokens=160,
    )

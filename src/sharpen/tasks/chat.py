"""Go on with a conversation; the last turn of each example is the reference reply."""

from __future__ import annotations

from sharpen.types import Task


def chat() -> Task:
    """Return the task."""
    return Task(
        name="chat",
        metrics=("token_f1", "rouge_l"),
        floors=("nearest_answer",),
        instructions=("{goal}", "{goal} Be brief and friendly."),
        arms=("baseline", "few_shot", "nearest_shots", "lora"),
        arms_with_documents=("baseline", "few_shot", "retrieve", "lora", "retrieve + lora"),
        one_line=False,
        max_new_tokens=96,
        context_template="{context}\n\n{question}",
    )

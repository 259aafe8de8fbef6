"""Answer questions, from documents where there are some.

Decisions are made on exact match, beside token F1; the floor of retrieval is the best sentence of the best passage.
"""

from __future__ import annotations

from sharpen.types import Task


def question_answering() -> Task:
    """Return the task."""
    return Task(
        name="question-answering",
        metrics=("exact_match", "token_f1"),
        floors=("best_sentence", "majority"),
        instructions=(
            "{goal} Answer in as few words as possible.",
            "Reply with the answer only, without a sentence around it.",
            "You answer questions. Give a short, exact answer of one to five words.",
        ),
        context_instructions=(
            "{goal} Answer from the given text, in as few words as possible.",
            "Copy the shortest part of the text that answers the question.",
            "Read the text and answer the question with a few words from it.",
        ),
        arms=("baseline", "few_shot", "nearest_shots", "lora"),
        arms_with_documents=(
            "baseline",
            "few_shot",
            "retrieve",
            "retrieve + few_shot",
            "lora",
            "retrieve + lora",
        ),
        max_new_tokens=32,
    )

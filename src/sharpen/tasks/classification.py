"""Put a text into one of a fixed set of classes.

The answer is the class of highest log-likelihood given the prompt, where the model tells likelihoods.
"""

from __future__ import annotations

from sharpen.types import Task


def classification() -> Task:
    """Return the task."""
    return Task(
        name="classification",
        metrics=("accuracy", "macro_f1"),
        floors=("majority", "tfidf_linear", "embedding_linear"),
        instructions=(
            "{goal} Reply with the class only.",
            "{goal} Reply with one of these classes only: {labels}.",
        ),
        arms=("baseline", "instruct", "few_shot", "nearest_shots", "lora", "nearest_shots + lora"),
        max_new_tokens=16,
        chooses=True,
        template="{question}\n\nClass:",
        context_template="{context}\n\n{question}\n\nClass:",
    )

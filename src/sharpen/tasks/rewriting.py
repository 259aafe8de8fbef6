"""Say the same in another form: corrected, translated, in another tone, in another format.

Decisions are made on ROUGE-L against the references, so a text that is only copied scores high where little has to
change: the floor of the first sentences shows how high.
"""

from __future__ import annotations

from sharpen.types import Task


def rewriting() -> Task:
    """Return the task."""
    return Task(
        name="rewriting",
        metrics=("rouge_l", "exact_match"),
        floors=("first_sentences", "nearest_answer"),
        instructions=(
            "{goal} Write the new text only.",
            "{goal} Keep what it says, and change only what has to be changed. Write the new text only.",
        ),
        arms=("baseline", "instruct", "few_shot", "nearest_shots", "lora"),
        one_line=False,
        max_new_tokens=192,
        template="Text:\n{question}",
        context_template="{context}\n\nText:\n{question}",
    )

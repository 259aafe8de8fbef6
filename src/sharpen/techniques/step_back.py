"""Ask the more general question first, and answer with what it brings up.

Zheng et al. 2024, "Take a step back: evoking reasoning via abstraction in large language models". Where the program
retrieves, the general question is searched for beside the question itself, and both lists are joined; elsewhere the
model says what it knows of it, which stands before the question.
"""

from __future__ import annotations

from dataclasses import replace

from sharpen.techniques._options import count
from sharpen.techniques.bench import Bench
from sharpen.techniques.chain import free, with_notes
from sharpen.types import Step, System, Task, Technique

ASK = (
    "Write the more general question that stands behind this one, so that it is easier to answer. "
    "Question: Which school did Estella go to in 1954? More general question: What is Estella's education history?\n\n"
    "Question: {question} More general question:"
)
TELL = "{{{name}}}\n\nSay in two or three sentences what is known of this, and which principles hold."


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """The general question has to be written."""
    if "generate" not in can:
        return "the model cannot write a question: it only chooses"
    return "a text to be summarized is no question" if task.name == "summarization" else None


def step_back(max_new_tokens: int = 80) -> Technique:
    """Return the technique.

    Args:
        max_new_tokens: the most tokens of what is said of the general question.
    """
    most = count("max_new_tokens", max_new_tokens, most=100_000)

    def improve(program: System, bench: Bench) -> System:
        name = free("general_question", program)
        back = Step(name, ASK, max_new_tokens=48, one_line=True)
        if program.retriever is not None:
            query = f"{program.retriever.query}\n{{{name}}}"
            return replace(program, steps=(*program.steps, back), retriever=replace(program.retriever, query=query))
        behind = Step(free("background", program), TELL.format(name=name), max_new_tokens=most)
        return with_notes(program, (back, behind), bench, hidden=(name,))

    return improve

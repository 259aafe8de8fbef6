"""Rewrite a question that leans on earlier turns so that it stands alone: "And for two?" is "What do two cost?"

The rewritten question is what is searched for, and, where dev says so, what is asked in place of the conversation. A
question without earlier turns is left as it is, and costs no call. Elgohary et al. 2019, "Can you unpack that? Learning
to rewrite questions-in-context".
"""

from __future__ import annotations

from dataclasses import replace

from sharpen.techniques._options import count
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.techniques.chain import free
from sharpen.techniques.history import earlier
from sharpen.types import Prompt, Step, System, Task, Technique

ASK = (
    "A conversation:\n{history}\n\nThe next question: {question}\n\n"
    "Rewrite the next question so that it can be understood without the conversation. Write the question only."
)


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """The question has to be written."""
    return None if "generate" in can else "the model cannot rewrite a question: it only chooses"


def rewrite_history(max_new_tokens: int = 48) -> Technique:
    """Return the technique.

    Args:
        max_new_tokens: the most tokens of a rewritten question.
    """
    most = count("max_new_tokens", max_new_tokens, most=100_000)

    def improve(program: System, bench: Bench) -> System:
        if not any(earlier(e) for e in (*bench.train, *bench.dev)):
            raise NotAvailable("no question has turns before it.", do="Leave rewrite_history out of this arm.")
        name = free("standalone", program)
        step = Step(name, ASK, max_new_tokens=most, one_line=True, needs="history")
        made = replace(program, steps=(*program.steps, step))
        alone = replace(made, prompt=standing(program.prompt, name))
        if made.retriever is None:
            return alone
        query = made.retriever.query.replace("{question}", f"{{{name}}}")
        made, alone = (replace(p, retriever=replace(made.retriever, query=query)) for p in (made, alone))
        return bench.best([("asked alone", alone), ("searched for", made)], "rewrite_history")

    return improve


def standing(prompt: Prompt, name: str) -> Prompt:
    """The prompt with a step in place of the question, and without earlier turns."""
    put = f"{{{name}}}"
    template, context = (t.replace("{question}", put) for t in (prompt.template, prompt.context_template))
    return replace(prompt, template=template, context_template=context, history=0)

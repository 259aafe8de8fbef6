"""Search for more than the question as it was asked.

For a program that retrieves: ``retrieve + expand``. The ways, of which the one is taken that finds most gold passages
(where none is known, whose answers on dev are best; the question as it is stays among them):

* ``history``: the earlier turns and the question, as one text;
* ``rewrite``: the question so that it stands alone, as the model writes it;
* ``several``: the question in three other ways, as the model writes them;
* ``answer``: a made-up passage that would answer it, line by line (Gao et al. 2023, "HyDE").

All are searched for beside the question, and the lists joined by reciprocal ranks. What the model writes costs a call a
question; ``history`` costs a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sharpen.errors import UserError
from sharpen.techniques._finding import most_found, retriever_of
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import Step, System, Technique

EMBEDS = True  # where the search before it does
ASKED = {
    "history": "",
    "rewrite": "{history}\nuser: {question}\n\nWrite what the user wants to know as one question that can be understood"
    " without the rest. Write only that question.",
    "several": "Question: {question}\n\nWrite three other ways to ask this, each on a line of its own, in other words."
    " Write nothing else.",
    "answer": "Write a short passage that answers this question: {question}",
}
WAYS = tuple(ASKED)
NAME = "search"  # of the step, and of its slot
DEPTH = 20  # passages of each list that is joined


def expand(how: str | Sequence[str] = WAYS, tokens: int = 96) -> Technique:
    """Return the technique.

    Args:
        how: history, rewrite, several, answer; several are compared.
        tokens: the most that the model writes.
    """
    hows = tuple(how) if isinstance(how, list | tuple) else (how,)
    if not hows or not all(type(h) is str and h in WAYS for h in hows):
        raise UserError(f"the option how is {how!r}.", do=f"It is one or several of: {', '.join(WAYS)}.")
    if type(tokens) is not int or not 1 <= tokens <= 1000:
        raise UserError(f"the option tokens is {tokens!r}.", do="Write a whole number from 1 to 1,000: tokens=96")

    def improve(program: System, bench: Bench) -> System:
        retriever_of(program, "expand")
        if any(s.name == NAME or "{context}" in s.template for s in program.steps):
            do = "Put expand right after retrieve, and once."
            raise NotAvailable("the program searches before expand could write what is searched for.", do=do)
        talks = any(len([m for m in e.messages if m.role != "system"]) > 1 for e in (*bench.train, *bench.dev))
        writes = "generate" in bench.model(program).can
        usable = [h for h in dict.fromkeys(hows) if (talks or h != "history") and (writes or h == "history")]
        if not usable:
            why = "no question has earlier turns" if writes else "the model writes nothing"
            raise NotAvailable(f"nothing of expand can be used: {why}.", do="Leave it out of this arm.")
        made = [(h, _searching(program, h, tokens)) for h in usable]
        left = most_found([("as asked", program), *made], bench, "expand")
        return left[0][1] if len(left) == 1 else bench.best(left, "expand", cheapest_first=True)

    return improve


def _searching(program: System, how: str, tokens: int) -> System:
    """The program that searches for more than it did."""
    assert program.retriever is not None
    r = program.retriever
    more = "{history} {question}" if how == "history" else f"{{{NAME}}}"
    retriever = replace(r, query=f"{r.query}\n{more}", fetch=r.fetch or max(r.k, DEPTH))
    steps = () if how == "history" else (Step(NAME, ASKED[how], max_new_tokens=tokens, one_line=how == "rewrite"),)
    return replace(program, steps=(*program.steps, *steps), retriever=retriever)

"""Ask first whether a condition is met, and say so instead of answering where it is not.

Without a condition of one's own it is that the passages say what is needed, so it stands after ``retrieve``:
``retrieve + check_first``. The check is a call of its own before the answer, whose reply stands in the answer's
``steps``; one that begins with "no" ends with the text for it, and nothing else is asked. How the check is put is
chosen on dev, and how many questions it refused there is noted, of those with an answer and of those without. A model
that always says yes makes this a call that changes nothing: the note shows it.
"""

from __future__ import annotations

from dataclasses import replace

from sharpen.data import UNANSWERABLE
from sharpen.errors import UserError
from sharpen.techniques._options import count
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.techniques.chain import free
from sharpen.types import Refusal, Step, System, Task, Technique

HELD = (
    "Text:\n{context}\n\nQuestion: {question}\n\nDoes the text answer this question? Reply with Yes or No.",
    "{context}\n\nIs what is asked here said above: {question}\nReply No if it is not said. Reply with Yes or No:",
)
OWN = (
    "{question}\n\nIs this true of the request above: {condition} Reply with Yes or No.",
    "Condition: {condition}\n\nRequest: {question}\n\nIs the condition met? Reply with Yes or No.",
)


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """The check has to be written."""
    return None if "generate" in can else "the model cannot say whether a condition is met: it only chooses"


def check_first(condition: str = "", text: str = UNANSWERABLE, max_new_tokens: int = 8) -> Technique:
    """Return the technique.

    Args:
        condition: a sentence that has to be true of a request: ``It is about our products.``; empty: the passages
            answer the question.
        text: what is said where it is not met.
        max_new_tokens: the most tokens of the check's reply.
    """
    for option, given in (("condition", condition), ("text", text)):
        if not isinstance(given, str) or (option == "text" and not given.strip()):
            raise UserError(f"the option {option} is {given!r}.", do=f"Write a text: {option}='…'")
    most = count("max_new_tokens", max_new_tokens, most=100_000)

    def improve(program: System, bench: Bench) -> System:
        if not condition and program.retriever is None:
            do = "Write: retrieve + check_first, or name one: check_first(condition='It is about our products.')"
            raise NotAvailable("there is nothing to check: no passages are found, and no condition is named.", do=do)
        name, asks = free("check", program), [a.replace("{condition}", condition) for a in (OWN if condition else HELD)]
        refusal = replace(program.refusal or Refusal(text), text=text, step=name)
        candidates = []
        for ask in asks:
            step = Step(name, ask, max_new_tokens=most, one_line=True)
            candidates.append(
                (" ".join(ask.splitlines()[-1:]), replace(program, steps=(*program.steps, step), refusal=refusal))
            )
        made = bench.best(candidates, "check_first")
        _note(made, bench)
        return made

    return improve


def _note(program: System, bench: Bench) -> None:
    """Note how many questions of dev were refused."""
    answers = bench.answer(program, bench.dev, "refused on dev")
    without = [e.answerable is False for e in bench.dev]
    refused = [a.finish == "refused" for a in answers]
    pairs = list(zip(refused, without, strict=True))
    facts = {"refused with an answer": sum(r and not w for r, w in pairs), "with an answer": without.count(False)}
    facts |= {"refused without one": sum(r and w for r, w in pairs), "without an answer": without.count(True)}
    bench.note("refused on dev", facts)

"""Putting a question as a program's prompt says: the messages that a model reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sharpen.types import Demo, Example, Message, Passage, Prompt, Reasoning

NEAR = 0.8  # share of common words from which a worked example counts as the question itself
BRACKET = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
NOTHING: Mapping[str, str] = {}


def compose(
    prompt: Prompt,
    messages: Sequence[Message],
    demos: Sequence[Demo] = (),
    passages: Sequence[Passage] = (),
    slots: Mapping[str, str] = NOTHING,
    reasoning: Reasoning | None = None,
) -> tuple[Message, ...]:
    """Put a conversation as the prompt says: instruction, worked examples, earlier turns, the question.

    The instruction comes first and the passages before the question, so that prompts begin alike wherever they can:
    engines and training compute a common beginning once.

    Args:
        prompt: how.
        messages: the conversation; its system messages join the instruction.
        demos: worked examples; their thoughts are shown where the program thinks.
        passages: found for the question.
        slots: what the steps before wrote, by their names.
        reasoning: what is asked for under the question, where the program thinks first.
    """
    own = " ".join(m.content for m in messages if m.role == "system")
    instruction = "\n".join(x for x in (fill(prompt.instruction, slots), own) if x)
    turns = [Message("system", instruction)] if instruction else []
    unsaid = dict.fromkeys(slots, "-")  # of a worked example for which no step wrote anything
    for demo in demos:
        asked = _put(prompt, demo.question, demo.passages, {**unsaid, **dict(demo.steps)})
        if reasoning and demo.reasoning:
            turns.append(Message("user", f"{asked}\n\n{reasoning.ask}"))
            turns.append(Message("assistant", demo.reasoning))
            turns.append(Message("user", reasoning.then))
        else:
            turns.append(Message("user", asked))
        turns.append(Message("assistant", demo.answer))
    rest = [m for m in messages if m.role != "system"]
    turns.extend(_recent(rest[:-1], prompt.history))
    if rest:
        last = rest[-1]
        if last.role == "user":
            asked = _put(prompt, last.content, passages, slots)
            last = Message("user", f"{asked}\n\n{reasoning.ask}" if reasoning else asked)
        turns.append(last)
    return tuple(turns)


def slots_of(example: Example) -> dict[str, str]:
    """What stands for the names that every program knows.

    ``question``: the last turn; ``history``: the earlier turns, one a line; ``conversation``: all of them in one line,
    the last one first, so that what is cut at the end is the oldest.
    """
    turns = [m for m in example.messages if m.role != "system"]
    history = "\n".join(f"{m.role}: {m.content}" for m in turns[:-1])
    conversation = " ".join(" ".join(m.content.split()) for m in reversed(turns))
    return {"question": example.question, "history": history, "conversation": conversation}


def texts_of(prompt: Prompt, passages: Sequence[Passage]) -> str:
    """The passages as they stand in a prompt."""
    put = (fill(prompt.passage_template, {"text": p.text, "n": str(n)}) for n, p in enumerate(passages, 1))
    return "\n\n".join(fenced(text, prompt.fence) for text in put)


def _recent(turns: Sequence[Message], history: int | None) -> Sequence[Message]:
    """The last of the earlier turns, which begin with the user's."""
    if history is None or history >= len(turns):
        return turns
    kept = list(turns[len(turns) - history :])
    while kept and kept[0].role != "user":
        kept.pop(0)
    return kept


def _put(prompt: Prompt, question: str, passages: Sequence[Passage], slots: Mapping[str, str] = NOTHING) -> str:
    question = fenced(question, prompt.fence)
    if not passages:
        return fill(prompt.template, {**slots, "question": question})
    return fill(prompt.context_template, {**slots, "context": texts_of(prompt, passages), "question": question})


def fenced(text: str, tag: str) -> str:
    """A text within a tag that it cannot end: what looks like the tag in it loses its bracket."""
    if not tag:
        return text
    inside = re.sub(rf"<(?=\s*/?\s*{re.escape(tag)}\b)", BRACKET, text, flags=re.I)
    return f"<{tag}>\n{inside}\n</{tag}>"


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace ``{name}`` in one pass, so that braces inside a question or a passage stay text."""
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), template)


def nearest(found: Sequence[Passage], example: Example, k: int) -> tuple[Demo, ...]:
    """Turn found training questions into worked examples, nearest last, without the question itself."""
    mine = set(re.findall(r"\w+", example.question.casefold()))
    demos = []
    for passage in found:
        theirs = set(re.findall(r"\w+", passage.text.casefold()))
        alike = len(mine & theirs) / (len(mine | theirs) or 1)
        if passage.id != example.id and alike < NEAR:
            demos.append(Demo(passage.text, str(passage.meta.get("answer", "")), example_id=passage.id))
    return tuple(reversed(demos[:k]))

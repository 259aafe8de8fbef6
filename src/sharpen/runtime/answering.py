"""From a program and a question to an answer, as a generator of requests."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Any

from sharpen.metrics import parse, readings
from sharpen.types import (
    Answer,
    Completion,
    Decoding,
    Demo,
    Example,
    Generate,
    Likelihoods,
    Message,
    Passage,
    Prompt,
    Rank,
    Request,
    Search,
    System,
)

NEAR = 0.8  # share of common words from which a worked example counts as the question itself


def answering(program: System, example: Example) -> Generator[Request, Any, Answer]:
    """Yield requests, be sent their results, and return the answer."""
    passages: tuple[Passage, ...] = ()
    if program.retriever is not None:
        r = program.retriever
        passages = yield Search(r.index, example.question, r.k, r.how, example.gold if r.how == "gold" else ())
    demos = program.demos
    if program.shots is not None:
        s = program.shots
        # A few more than wanted, because the question's own entry and its near-duplicates are left out.
        found: tuple[Passage, ...] = yield Search(s.index, example.question, s.k + 3, s.how)
        demos = (*demos, *nearest(found, example, s.k))
    messages = compose(program.prompt, example.messages, demos, passages)
    decoding = program.decoding
    if decoding.choices and not decoding.by_text:
        ranked: Likelihoods = yield Rank(program.model, program.adapters, messages, decoding.choices)
        return _chosen(decoding, ranked, passages)
    completion: Completion = yield Generate(program.model, program.adapters, messages, decoding)
    return Answer(
        text=answer_in(completion.text, decoding.choices, decoding.one_line),
        raw=completion.text,
        passages=passages,
        citations=tuple(p.id for p in passages),
        completions=(completion,),
        seconds=completion.seconds,
        finish=completion.finish,
        error=completion.error,
    )


def compose(
    prompt: Prompt, messages: Sequence[Message], demos: Sequence[Demo] = (), passages: Sequence[Passage] = ()
) -> tuple[Message, ...]:
    """Put a conversation as the prompt says: instruction, worked examples, earlier turns, the question.

    The instruction comes first and the passages before the question, so that prompts begin alike wherever they can:
    engines and training compute a common beginning once.
    """
    own = " ".join(m.content for m in messages if m.role == "system")
    instruction = "\n".join(x for x in (prompt.instruction, own) if x)
    turns = [Message("system", instruction)] if instruction else []
    for demo in demos:
        turns.append(Message("user", _put(prompt, demo.question, demo.passages)))
        turns.append(Message("assistant", demo.answer))
    rest = [m for m in messages if m.role != "system"]
    turns.extend(rest[:-1])
    if rest:
        last = rest[-1]
        turns.append(Message(last.role, _put(prompt, last.content, passages)) if last.role == "user" else last)
    return tuple(turns)


def _put(prompt: Prompt, question: str, passages: Sequence[Passage]) -> str:
    if not passages:
        return _fill(prompt.template, {"question": question})
    texts = (_fill(prompt.passage_template, {"text": p.text, "n": str(n)}) for n, p in enumerate(passages, 1))
    return _fill(prompt.context_template, {"context": "\n\n".join(texts), "question": question})


def _fill(template: str, values: dict[str, str]) -> str:
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


def answer_in(reply: str, choices: Sequence[str], one_line: bool) -> str:
    """Read the answer in a raw reply, whoever wrote it: one of the choices, where there are any."""
    return written_choice(reply, choices, one_line) if choices else parse(reply, one_line)


def written_choice(reply: str, choices: Sequence[str], one_line: bool = True) -> str:
    """Return the choice that a reply names: the whole of it, or the only one that stands in it; else nothing.

    As written comes first, before anything around it is taken off that may be a part of a choice: ``> 5 years`` is no
    quotation of ``5 years``. Then without the marks around and between words: ``-1`` is not ``1``, nor ``C++`` ``C#``.
    Where a reply may mean several choices none is taken.
    """
    text = ""
    for text in readings(reply, one_line):
        for form in (str.strip, _folded, _ended):
            same = [c for c in choices if form(c) and form(c) == form(text)]
            if same:
                return same[0] if len(same) == 1 else ""
    same = [c for c in choices if _words(c) and _words(c) == _words(text)]
    if same:
        return same[0] if len(same) == 1 else ""
    said = _words(text)
    held = [c for c in choices if _words(c) and re.search(rf"\b{re.escape(_words(c))}\b", said)]
    # Of "card" and "card arrival", both in the text, the longer one is meant.
    longest = [c for c in held if not any(_words(c) != _words(o) and _words(c) in _words(o) for o in held)]
    if len({_words(c) for c in longest}) == 1:  # "It is -1." holds -1, and 1 only without its marks
        bare = f" {_ended(re.sub('[,;:()]', ' ', text))} "
        longest = longest if len(longest) == 1 else [c for c in longest if f" {_folded(c)} " in bare]
    return longest[0] if len(longest) == 1 else ""


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _ended(text: str) -> str:
    return _folded(text).strip(" .!")


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower().replace("_", " ")))


def adjusted(decoding: Decoding, logprobs: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """Apply the decoding's length and prior rule to log-likelihoods of its choices."""
    priors = decoding.priors or (0.0,) * len(logprobs)
    return [
        logprob / (max(n, 1) if decoding.per_token else 1) - decoding.prior_weight * prior
        for logprob, n, prior in zip(logprobs, tokens, priors, strict=True)
    ]


def _chosen(decoding: Decoding, ranked: Likelihoods, passages: tuple[Passage, ...]) -> Answer:
    if ranked.error:
        return Answer("", passages=passages, finish="error", error=ranked.error)
    scores = adjusted(decoding, ranked.logprobs, ranked.tokens)
    best = max(range(len(scores)), key=scores.__getitem__)
    # The completion keeps what the model said of each choice (sums and lengths), so that another rule can be tried on
    # dev without asking again.
    said = Completion(
        decoding.choices[best],
        tokens=ranked.tokens,
        logprobs=ranked.logprobs,
        prompt_tokens=ranked.prompt_tokens,
        seconds=ranked.seconds,
    )
    return Answer(
        text=decoding.choices[best],
        raw=decoding.choices[best],
        label_scores=dict(zip(decoding.choices, scores, strict=True)),
        passages=passages,
        citations=tuple(p.id for p in passages),
        completions=(said,),
        seconds=ranked.seconds,
    )

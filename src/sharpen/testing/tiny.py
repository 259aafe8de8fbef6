"""A job that fits into milliseconds: an invented organisation's facts, questions about them, and the fake model.

The fake model cannot know the facts, reads them where they are given, and is brief once it was shown how; so retrieval,
worked examples and training each do something here, and retrieval with one of the others does the whole job.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from sharpen.metrics import open_metric
from sharpen.models import open_model, open_reranker
from sharpen.runtime import Answers, Engines
from sharpen.store import Store
from sharpen.tasks import open_task
from sharpen.techniques import Bench
from sharpen.types import Document, Example, Message, Span

TASKS = ("question-answering", "classification", "summarization", "generation", "chat")
FACTS = ("capacity", "colour", "floor", "keeper", "rent")
ROOMS = {
    "Alder": ("12", "green", "ground", "Ines", "40"),
    "Birch": ("18", "white", "first", "Omar", "55"),
    "Cedar": ("25", "red", "second", "Lena", "70"),
    "Dogwood": ("6", "grey", "third", "Pavel", "15"),
    "Elm": ("30", "blue", "fourth", "Ruth", "90"),
    "Fir": ("9", "black", "cellar", "Yusuf", "20"),
}
WISHES = {
    "refund": (
        "I want my money back for the lamp",
        "Please pay back what the chair cost",
        "Return the money for my desk",
    ),
    "delivery": ("Where is my parcel with the lamp", "When does the chair arrive", "The desk has not been delivered"),
    "account": ("I cannot log in to my profile", "How do I change my password", "Delete my profile and my password"),
}


def tiny_documents() -> list[Document]:
    """One document a room, one sentence a fact."""
    return [
        Document(
            f"rooms/{name.lower()}.md",
            f"# {name} room\n\n"
            + "\n\n".join(f"The {fact} of the {name} room is {v}." for fact, v in zip(FACTS, values, strict=True)),
            f"{name} room",
        )
        for name, values in ROOMS.items()
    ]


def _asked(id: str, question: str, target: str, source: str, **more: Any) -> Example:
    return Example(id, (Message("user", question),), (target,), source=source, **more)


def tiny_examples(task: str = "question-answering") -> list[Example]:
    """All examples of a task; neighbours have the same source."""
    if task == "classification":
        return [
            _asked(f"{label}-{i}-{n}", f"{text} ({n})", label, f"customer {n}", labels=(label,))
            for n in range(4)
            for label, texts in WISHES.items()
            for i, text in enumerate(texts)
        ]
    made = []
    for document in tiny_documents():
        name = document.title.partition(" ")[0]
        if task == "summarization":
            text = " ".join(line for line in document.text.splitlines()[1:] if line)
            halves = {"all": text, "start": text[: len(text) // 2] + ".", "end": text[len(text) // 2 :].strip()}
            made += [_asked(f"{name}-{k}", t, t.partition(".")[0] + ".", document.source) for k, t in halves.items()]
            continue
        for fact, value in zip(FACTS, ROOMS[name], strict=True):
            sentence = f"The {fact} of the {name} room is {value}."
            at = document.text.index(sentence) + len(sentence) - 1 - len(value)
            gold = (Span(document.source, at, at + len(value)),)
            target = value if task == "question-answering" else sentence
            e = _asked(f"{name}-{fact}", f"What is the {fact} of the {name} room?", target, document.source, gold=gold)
            if task == "chat" and fact in FACTS[::2]:  # some conversations have several turns, some have one
                e = replace(e, messages=(Message("user", "Good morning."), Message("assistant", "Hello!"), *e.messages))
            made.append(e)
    return made


def tiny_bench(
    task: str = "question-answering", documents: bool = True, model: str = "fake:", folder: Path | None = None
) -> Bench:
    """Return a bench on the fake model: two thirds of the examples to learn from, the rest to choose on.

    Args:
        task: the name of a task; one that is not known here gets the questions of question answering.
        documents: whether there are documents.
        model: another model than ``fake:`` may be opened, too; it embeds nothing, the fake model does.
        folder: where artefacts lie; by default a temporary folder.
    """
    examples = tiny_examples(task)
    sources = list(dict.fromkeys(e.source for e in examples))
    learned = set(sources[: len(sources) * 2 // 3])
    store = Store(folder or tempfile.mkdtemp(prefix="sharpen-tiny-"))
    job = open_task(task)
    train = tuple(e for e in examples if e.source in learned)
    return Bench(
        task=job,
        goal="Tell visitors about our rooms.",
        metrics=[open_metric(name) for name in job.metrics],
        train=train,
        dev=tuple(e for e in examples if e.source not in learned),
        documents=tuple(tiny_documents()) if documents else (),
        engines=Engines(
            store,
            lambda ref, adapters: open_model(ref, adapters=adapters),
            lambda: open_model("fake:"),
            rerankers=open_reranker,
        ),
        store=store,
        answers=Answers(store.root / "answers.sqlite"),
        max_new_tokens=job.max_new_tokens,
        labels=tuple(sorted({label for e in train for label in e.labels})) if job.chooses else (),
    )

"""``sharpen data draft`` and ``label``: questions proposed from documents, and people who decide on them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpen.cli.progress import live, say
from sharpen.errors import UserError

if TYPE_CHECKING:
    from sharpen.data.labels.drafts import Draft
    from sharpen.data.labels.queue import Queue
    from sharpen.types import Example


def draft(documents: Path, queue: Path, logs: Path | None, model: str, most: int) -> None:
    """Propose questions and put them into a queue."""
    from sharpen.data import read_documents
    from sharpen.data.labels.drafts import as_items, distinct
    from sharpen.data.labels.proposing import by_headings, by_model, cloze, from_logs
    from sharpen.data.labels.queue import Queue

    with live() as progress:
        found = read_documents(documents, progress)
        if not found.documents:
            raise UserError(found.problems)
        proposed: list[Draft] = from_logs(_lines(logs), found.documents) if logs else []
        if model:
            made = by_model(found.documents, _asker(model), model)
            proposed += made.drafts
            found.problems += made.problems
        elif not logs:
            proposed += [*by_headings(found.documents), *cloze(found.documents)]
    chosen = spread(distinct(proposed), most)
    added = Queue(queue).add(as_items(chosen))
    for origin, n in Counter(d.origin for d in chosen).most_common():
        say(f"  {n:6} {origin}")
    for problem in found.problems[:20]:
        say(f"  ! {problem}")
    say(f"{queue}: {added} drafts added. They are no evidence until a person stands behind them.")
    say(f"Next: sharpen data label {queue} --who YOUR-NAME")


def spread(drafts: Sequence[Draft], most: int) -> list[Draft]:
    """At most so many, in turns from every document and of every origin: whoever stops half-way has seen a bit of each.

    Where there are more documents than that, they are those at equal steps through all of them.
    """
    by: dict[str, dict[str, list[Draft]]] = defaultdict(lambda: defaultdict(list))
    for d in drafts:
        by[d.span.source if d.span else ""][d.origin].append(d)
    origins = list(dict.fromkeys(d.origin for d in drafts))
    mixed = []
    for n, of in enumerate(by.values()):
        ordered = [of[origins[(n + i) % len(origins)]] for i in range(len(origins))]  # each begins with another
        mixed.append([d for turn in zip_longest(*ordered) for d in turn if d is not None])
    if 0 < most < len(mixed):
        mixed = [mixed[i * len(mixed) // most] for i in range(most)]
    return [d for turn in zip_longest(*mixed) for d in turn if d is not None][: max(0, most)]


def label(queue: Path, who: Sequence[str], port: int, per_item: int, write: tuple[Path, bool] | None) -> None:
    """Serve the page until it is interrupted, or write what people stand behind; ``write``: where, and whether drafts
    that nobody decided on are written, too."""
    from sharpen.data.labels.annotate import annotate
    from sharpen.data.labels.queue import Queue

    if not queue.is_file():
        raise UserError("there is no such queue.", str(queue), "Make one with: sharpen data draft DOCUMENTS")
    held = Queue(queue, per_item)
    if write:
        _write(held, *write)
        return
    if not who:
        raise UserError("nobody is named who decides.", "--who", f"Write: sharpen data label {queue} --who YOUR-NAME")
    with annotate(held, who, port) as page, suppress(KeyboardInterrupt):
        for name, link in page.links.items():
            say(f"{name}: {link}")
        say("Each link is that person: it is not for sending around. Ctrl-C ends; every decision is kept.")
        page.wait()
    for name in who:
        progress = held.progress(name)
        done = ", ".join(f"{n} {action}" for action, n in sorted(progress.done.items()) if n) or "nothing decided"
        say(f"{name}: {done}; {progress.left} left")
    say(f"Next: sharpen data label {queue} --write questions.jsonl")


def _write(queue: Queue, file: Path, drafts_too: bool) -> None:
    from sharpen.data.labels.drafts import confirmed, unconfirmed
    from sharpen.store import write_text

    examples = confirmed(queue)
    drafts = unconfirmed(queue) if drafts_too else []
    if not examples and not drafts:
        do = "Let somebody accept or edit some: sharpen data label QUEUE --who YOUR-NAME"
        if not drafts_too and unconfirmed(queue):
            do += ". For a trial, which is no evidence, write the drafts as they are: --unconfirmed"
        raise UserError("nobody stands behind any of its drafts yet.", str(queue.path), do)
    write_text(file, "".join(json.dumps(_row(e), ensure_ascii=False) + "\n" for e in (*examples, *drafts)))
    say(f"{file}: {len(examples)} questions that people stand behind, of {len(queue.items())} in the queue.")
    if drafts:
        say(f"  and {len(drafts)} drafts that nobody confirmed: a study with these among its test is no evidence.")
    say(f"Next: name it in a use case (sharpen init DIR starts one), data: {{examples: {file.name}, documents: …}}")


def _row(example: Example) -> dict[str, Any]:
    """A row of a file of examples, with how it came about."""
    row: dict[str, Any] = {"id": example.id, "question": example.question, "answers": list(example.targets)}
    if example.source:
        row["source"] = example.source
    if example.gold:
        row["gold"] = [{"source": g.source, "start": g.start, "end": g.end} for g in example.gold]
    return {**row, **example.meta}


def _lines(file: Path) -> list[str]:
    from sharpen.data.reading import read_text

    found = list(read_text(file, str(file)))
    texts = [t for t in found if isinstance(t, str)]
    if not texts:
        raise UserError("holds no lines of text.", str(file), "Give one question a line.")
    return texts[0].splitlines()


def _asker(ref: str) -> Callable[[str], str]:
    """How a model is asked for drafts, one prompt after the other."""
    from sharpen.models import open_model
    from sharpen.types import Decoding, Generate, Message

    model = open_model(ref)

    def ask(prompt: str) -> str:
        request = Generate(ref, (), (Message("user", prompt),), Decoding(400))
        ((_, completion),) = model.generate([request])
        if completion.error:
            raise RuntimeError(completion.error)
        return completion.text

    return ask

"""``sharpen data draft`` and ``label``: questions proposed from documents, and people who decide on them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpen.cli.progress import live, say
from sharpen.errors import Problem, UserError

if TYPE_CHECKING:
    from sharpen.data.labels.drafts import Draft
    from sharpen.data.labels.queue import Queue
    from sharpen.types import Example

LONGEST = 200  # tokens that a model may write for one passage: room for two questions with short answers


def draft(documents: Path, queue: Path, logs: Path | None, model: str, most: int) -> None:
    """Propose questions and put them into a queue."""
    from sharpen.data import read_documents
    from sharpen.data.labels.drafts import as_items, distinct
    from sharpen.data.labels.proposing import by_headings, by_model, cloze, from_logs
    from sharpen.data.labels.queue import Queue

    held = Queue(queue)
    before = len(held.items())
    with live() as progress:
        found = read_documents(documents, progress)
        do = f"Rows to label are put into a queue by: sharpen data queue {documents}"
        if not found.documents:
            raise UserError([*found.problems, *([Problem("is a file.", str(documents), do)] * documents.is_file())])
        proposed: list[Draft] = from_logs(_lines(logs), found.documents) if logs else []
        if model:

            def told(done: int, total: int, drafts: Sequence[Draft]) -> None:
                held.add(as_items(drafts))  # at once: what a model wrote is not lost when somebody stops it
                progress(f"{model} proposes", done, total)

            made = by_model(found.documents, _asker(model), model, most=max(0, most - len(proposed)), told=told)
            proposed += made.drafts
            found.problems += made.problems
        elif not logs:
            proposed += [*by_headings(found.documents), *cloze(found.documents)]
    chosen = spread(distinct(proposed), most)
    if not chosen and documents.is_file() and not model:
        raise UserError("gives no question to propose.", str(documents), do)
    held.add(as_items(chosen))
    added = len(held.items()) - before
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


def label(
    queue: Path,
    who: Sequence[str],
    port: int,
    per_item: int,
    write: tuple[Path, bool] | None,
    teach: tuple[int, str] = (0, ""),
) -> None:
    """Serve the page until it is interrupted, or write what people stand behind; ``write``: where, and whether drafts
    that nobody decided on are written, too; ``teach``: how many are asked for before what they teach is used, and in
    which order."""
    from sharpen.cli.pooling import open_queue, write_labels
    from sharpen.data.labels.annotate import annotate

    held = open_queue(queue, per_item)
    if write and held.classes:
        write_labels(held, write[0])
        return
    if write:
        _write(held, *write)
        return
    if not who:
        raise UserError("nobody is named who decides.", "--who", f"Write: sharpen data label {queue} --who YOUR-NAME")
    names, groups = _people(who)
    held.group(groups)
    with annotate(held, names, port, _taught(held, *teach)) as page, suppress(KeyboardInterrupt):
        for name, link in page.links.items():
            say(f"{name}: {link}")
        say("Each link is that person: it is not for sending around. Ctrl-C ends; every decision is kept.")
        page.wait()
    for name in names:
        progress = held.progress(name)
        done = ", ".join(f"{n} {action}" for action, n in sorted(progress.done.items()) if n) or "nothing decided"
        say(f"{name}: {done}; {progress.left} left")
    say(f"Next: sharpen data label {queue} --write {'labels' if held.classes else 'questions'}.jsonl")


def _people(who: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Names, and the group of those that are written NAME:GROUP."""
    pairs = [(name.strip(), group.strip()) for name, _, group in (w.partition(":") for w in who)]
    return [name for name, _ in pairs], {name: group for name, group in pairs if group}


def _taught(held: Queue, batch: int, how: str) -> Callable[[], object]:
    """Let a queue with classes learn from what is known; return what is to hear of each decision."""
    from sharpen.cli.pooling import teaching

    if not held.classes:
        if batch or how:
            raise UserError("only rows with classes are ordered by doubt.", "--next", "Leave it out.")
        return lambda: None
    if not (batch or how or held.taught() or held.setting("embeddings")):
        return lambda: None
    made = teaching(held, batch, how or ("auto" if batch else ""))
    learnt = made.learn()
    say(f"{learnt.left} rows are open; {learnt.labels} labels are known, {learnt.guessed} rows have a guess.")
    return made.decided


def _write(queue: Queue, file: Path, drafts_too: bool) -> None:
    from sharpen.cli.saving import write_rows
    from sharpen.data.labels.accord import standing
    from sharpen.data.labels.drafts import confirmed, unconfirmed

    examples = confirmed(queue)
    drafts = unconfirmed(queue) if drafts_too else []
    if not examples and not drafts:
        do = "Let somebody accept or edit some: sharpen data label QUEUE --who YOUR-NAME"
        if not drafts_too and unconfirmed(queue):
            do += ". For a trial, which is no evidence, write the drafts as they are: --unconfirmed"
        raise UserError("nobody stands behind any of its drafts yet.", str(queue.path), do)
    write_rows(file, map(_row, (*examples, *drafts)), '"confirmed": ')
    say(f"{file}: {len(examples)} questions that people stand behind, of {len(queue.items())} in the queue.")
    settled = standing(queue)
    if differ := sum(s.differ for s in settled):
        divided = sum(s.divided for s in settled)
        say(f"  On {differ} people differ: the most frequent wording stands; on {divided} of these none is the most")
        say(f"  frequent, and the earliest stands. See: sharpen data agreement {queue.path}")
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
        request = Generate(ref, (), (Message("user", prompt),), Decoding(LONGEST))
        ((_, completion),) = model.generate([request])
        if completion.error:
            raise RuntimeError(completion.error)
        return completion.text

    return ask

"""``sharpen data queue``, ``rules`` and ``agreement``: rows to label, rules that label them, people who differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpen.cli.progress import brief, live, say
from sharpen.errors import Problem, UserError

if TYPE_CHECKING:
    from sharpen.data.labels.accord import Acceptance, Accord, Rate
    from sharpen.data.labels.pooling import Pool
    from sharpen.data.labels.queue import Queue
    from sharpen.data.labels.rulebook import Labelled
    from sharpen.data.labels.teaching import Teaching

SHOWN = 10  # classes, pairs and items that are listed


def queue(rows: Path, file: Path, named: tuple[str, str], known: Path | None, embeddings: str) -> None:
    """Put rows into a queue; ``named`` are the classes and the columns, as the command line says them."""
    from sharpen.data.labels.pooling import fill, read_classes, read_pool
    from sharpen.data.labels.queue import Queue

    labels, column = named
    classes = read_classes(labels) if labels else []
    pool = read_pool(rows, _columns(column))
    beforehand = read_pool(known, _columns(column) if column else ("", "")) if known else None
    if beforehand is not None and not beforehand.labels:
        do = "Let its rows have a column label, or name it: --column TEXT,LABEL."
        raise UserError("no row of it has a label.", str(known), do)
    new = not file.exists()
    held = Queue(file)
    try:
        added = fill(held, pool, classes, beforehand)
    except UserError:
        held.close()
        if new:
            for end in ("", "-wal", "-shm"):
                Path(f"{file}{end}").unlink(missing_ok=True)
        raise
    if embeddings:
        held.keep("embeddings", embeddings)
    _read(pool)
    brought = sum(v in held.classes for v in pool.labels.values())
    say(f"{file}: {added} rows added, {len(held.items())} in all, {len(held.classes)} classes.")
    if brought:
        say(f"  {brought} bring a label (column {pool.columns[1]}), which is proposed until a person decides.")
    if held.taught():
        say(f"  {len(held.taught())} labels are known beforehand, and teach the guesses.")
    say(f"Next: sharpen data label {file} --who YOUR-NAME --next 20")


def _columns(said: str) -> tuple[str, str]:
    text, _, label = said.partition(",")
    return text.strip(), label.strip()


def _read(pool: Pool) -> None:
    """Say what of a file could not be used."""
    from sharpen.data import shorten

    for problem in shorten(pool.problems, "rows"):
        say(f"  ! {problem}")
    if pool.twice:
        say(f"  {pool.twice} rows have a text that stood before, and are asked about once.")


def teaching(held: Queue, batch: int, how: str) -> Teaching:
    """The quick model of a queue, with the embedding model that the queue names."""
    from sharpen.data.labels.teaching import Teaching

    ref = held.setting("embeddings") or ""
    if not ref:
        return Teaching(held, batch, how)
    if ref.startswith("fake:"):
        from sharpen.models import open_model

        return Teaching(held, batch, how, lambda texts: open_model(ref).embed(texts), ref)  # type: ignore[attr-defined]
    from sharpen.models.embedder import open_embedder

    def embed(texts: Sequence[str]) -> Any:
        with live() as progress:
            return open_embedder(ref).embed(texts, told=lambda n: progress("embed rows", n, len(texts)))

    return Teaching(held, batch, how, embed, ref)


def write_labels(held: Queue, file: Path) -> None:
    """Write the rows of a queue with classes that people labelled, with how each label came about."""
    from sharpen.cli.saving import write_rows
    from sharpen.data.labels.accord import Standing, standing

    items = {i.id: i for i in held.items()}
    settled = standing(held)
    kept = [s for s in settled if s.label is not None]
    if not kept:
        do = f"Let somebody decide: sharpen data label {held.path} --who YOUR-NAME"
        raise UserError("nobody stands behind any label yet.", str(held.path), do)
    said: dict[str, list[Any]] = {}
    for d in held.decisions():
        if d.action != "skip":
            said.setdefault(d.item, []).append(d)

    def row(s: Standing) -> dict[str, Any]:
        item = items[s.item]
        given = said[s.item]
        made: dict[str, Any] = {"id": item.id, "text": item.text, "label": s.label}
        made |= {k: v for k, v in item.meta.get("row", {}).items() if k not in made}
        made |= {"origin": item.origin or "no guess", "confirmed": True}
        made |= {"confirmed_by": sorted({d.who for d in given}), "confirmed_at": max(d.at for d in given)}
        made |= {"edited": s.label != item.proposal, "proposal": item.proposal, "settled": s.how, "votes": s.votes}
        if s.differ:
            made |= {"said": {d.who: d.value or "(refused)" for d in given}, "probability": round(s.sure or 0.0, 4)}
        return made

    write_rows(file, map(row, kept), '"confirmed": ')
    say(f"{file}: {len(kept)} rows with labels that people stand behind, of {len(items)} in the queue.")
    for how, n in Counter(s.how for s in kept).most_common():
        say(f"  {n:6} {how}")
    if refused := len(settled) - len(kept):
        say(f"  {refused} are left out: people refused them, because no class fits.")
    if divided := sum(s.divided for s in kept):
        say(f"  {divided} have no majority: Dawid-Skene decided. A further person is asked about them first.")
    say("Rows chosen by doubt are no random sample: use them for train, and let --how random choose a test.")
    say(f"Next: sharpen data agreement {held.path}")


def agreement(file: Path, as_json: bool) -> None:
    """Print how often proposals were accepted, and how far people agree."""
    from sharpen.data.labels.accord import acceptance, accord

    held = open_queue(file)
    taken, made = acceptance(held.items(), held.decisions()), accord(held)
    if as_json:
        parts = {k: [r.row() for r in v] if isinstance(v, tuple) else v.row() for k, v in vars(taken).items()}
        print(json.dumps({"acceptance": parts, "agreement": asdict(made)}, ensure_ascii=False, indent=1))
        return
    say(f"{file}: {made.labelled} of {made.items} items labelled, {made.twice} by two people or more.")
    _say_taken(taken)
    if made.twice:
        _say_accord(made)
    else:
        say("Nothing was labelled twice, so that no agreement is known: --who A --who B --per-item 2")


def open_queue(file: Path, per_item: int = 1) -> Queue:
    """Open a queue that is there.

    Raises:
        UserError: it is not, or the file is something else.
    """
    from sharpen.data.labels.queue import Queue

    do = f"Make one of rows: sharpen data queue {file.with_suffix('.jsonl').name}; of documents: sharpen data draft DIR"
    if not file.is_file():
        raise UserError("there is no such queue.", str(file), do)
    with file.open("rb") as f:
        if (begin := f.read(15)) and begin != b"SQLite format 3":
            do = f"Make a queue of it: sharpen data queue {file} --queue labels.sqlite"
            raise UserError("is no queue.", str(file), do)
    return Queue(file, per_item)


def _rate(rate: Rate) -> str:
    row = rate.row()
    if not rate.shown:
        return "none"
    low, high = row["interval"]
    return f"{rate.accepted:5} of {rate.shown:5}  {100 * row['share']:5.1f}%  [{100 * low:.1f}, {100 * high:.1f}]"


def _say_taken(taken: Acceptance) -> None:
    if not taken.all.shown:
        say("No proposal was decided on.")
        return
    say(f"Proposals accepted as they were: {_rate(taken.all)} (95%, Wilson)")
    worst = sorted(taken.classes, key=lambda r: ((r.share or 0.0), -r.shown))
    for title, rates in (
        ("over time", taken.over_time),
        ("by origin", taken.origins),
        ("by person", taken.people if len(taken.people) > 1 else ()),
        ("by proposed class, the least accepted first", worst if len(worst) < taken.all.shown else ()),
    ):
        if rates:
            say(f"  {title}:")
        for rate in rates[:SHOWN]:
            say(f"    {_rate(rate)}  {rate.name}")
        if len(rates) > SHOWN:
            say(f"    and {len(rates) - SHOWN} more: --json")


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _say_accord(made: Accord) -> None:
    from sharpen.data.labels.accord import Rate

    say(
        f"Agreement: {made.unanimous} of {made.twice} unanimous; Krippendorff's alpha {_figure(made.alpha)}",
    )
    if made.fleiss is not None:
        say(f"  Fleiss' kappa {_figure(made.fleiss)}")
    for one, other, n, kappa in made.pairs:
        if n:
            say(f"  {one} and {other}: {n} items, Cohen's kappa {_figure(kappa)}")
    say("  how often each says what Dawid-Skene settles on, where others labelled, too:")
    for who, (right, n) in made.reliability.items():
        say(f"    {_rate(Rate(who, right, n))}  {who}")
    if made.groups:
        say("  within groups:")
    for name, people, n, alpha in made.groups:
        say(f"    {name} ({', '.join(people)}): {n} items labelled twice, alpha {_figure(alpha)}")
    for one, other, n, kappa in made.between:
        say(f"    {one} against {other}, each by its majority: {n} items, kappa {_figure(kappa)}")
    if made.confusion:
        say("  who takes what for what:")
    for one, a, other, b, n in made.confusion[:SHOWN]:
        say(f"    {n:5}  {one}: {brief(a, 60)}  |  {other}: {brief(b, 60)}")
    if made.divided:
        say(f"  {len(made.divided)} items have no majority; whoever comes next is asked about them first:")
    for item, votes in made.divided[:SHOWN]:
        say(f"    {item}  " + "; ".join(f"{who}: {brief(v, 60)}" for who, v in votes.items()))


def rules(rows: Path, file: Path, to: tuple[Path | None, Path | None], sure: float, named: tuple[str, str]) -> None:
    """Label rows by rules; the sure ones go to the first file of ``to``, the rest into the second, a queue."""
    from sharpen.data.labels.pooling import read_classes, read_pool
    from sharpen.data.labels.rulebook import label_by_rules, read_rules

    labels, column = named
    problems: list[Problem] = []
    classes, functions = [], []
    try:
        classes = read_classes(labels) if labels else []
    except UserError as e:
        problems += e.problems
    try:
        functions = read_rules(file)
    except UserError as e:
        problems += e.problems
    if problems:
        raise UserError(problems)
    pool = read_pool(rows, _columns(column))
    classes = classes or sorted(set(pool.labels.values()))
    made = label_by_rules(functions, pool.texts, classes, pool.labels, sure)
    _read(pool)
    _say_rules(made, len(pool.texts), sure)
    write, queue = to
    if write:
        _write_ruled(made, pool, file.name, write)
    if queue:
        _queue_rest(made, pool, queue, classes or [str(c) for c in made.votes.classes])
    if not write and not queue:
        say("Next: --write FILE keeps the rows that are sure, --queue FILE lets people decide on the rest.")


def _say_rules(made: Labelled, total: int, sure: float) -> None:
    say("coverage  overlaps  conflicts  estimated  measured  rule")
    for n, (rule, estimated) in enumerate(zip(made.rules, made.accuracy, strict=True)):
        own = "       -" if rule.accuracy is None else f"{rule.accuracy:8.3f}"
        shares = f"{rule.coverage:8.3f}  {rule.overlaps:8.3f}  {rule.conflicts:9.3f}"
        weight = "  silent " if not rule.coverage else f"{estimated:8.3f}{'*' if made.assumed(n) else ' '}"
        say(f"{shares}  {weight}  {own}  {rule.rule}")
    if any(made.assumed(n) for n, rule in enumerate(made.rules) if rule.coverage):
        say("* Hardly another rule votes there: that figure is an assumption, and so is how sure its rows are. Write")
        say("  rules that overlap, or look at some of the rows before they teach anything.")
    say(f"{made.covered} of {total} rows are covered; of {len(made.sure)} the label is at least {sure:g} sure.")
    judged, right = made.measured
    if judged:
        from sharpen.data.bias import wilson

        low, high = wilson(right, judged)
        shares = f"{100 * right / judged:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"
        say(f"Of these, {judged} bring a label, which {right} agree with: {shares}. No rule has learned from it.")


def _write_ruled(made: Labelled, pool: Pool, by: str, file: Path) -> None:
    from sharpen.cli.saving import write_rows
    from sharpen.types import digest

    def row(i: int) -> dict[str, Any]:
        label, p = made.sure[i]
        known: Mapping[str, Any] = {"id": f"row-{digest([pool.texts[i]])[:16]}", "text": pool.texts[i], "label": label}
        came = {"origin": f"rules {by}", "confirmed": False, "probability": round(p, 4), "rules": made.who(i)}
        return {**known, **{k: v for k, v in pool.rows[i].items() if k not in known}, **came}

    write_rows(file, map(row, made.sure), '"confirmed": ')
    say(f"{file}: {len(made.sure)} rows. Nobody has confirmed these labels: good for train, and no evidence.")


def _queue_rest(made: Labelled, pool: Pool, file: Path, classes: Sequence[str]) -> None:
    from sharpen.data.labels.pooling import Pool as Rest
    from sharpen.data.labels.pooling import as_items, fill
    from sharpen.data.labels.queue import Queue

    held = Queue(file)
    # What a row brought judged the rules and is not shown: whoever labels says what it is without it.
    rest = Rest([pool.texts[i] for i in made.rest], {}, [pool.rows[i] for i in made.rest], (pool.columns[0], ""))
    added = fill(held, rest, classes)
    from dataclasses import replace

    guesses = []
    for item, guess in zip(as_items(rest, classes), made.rest.values(), strict=True):
        if guess:
            guesses.append(
                replace(item, proposal=guess[0], origin="rules", meta={**item.meta, "sure": round(guess[1], 4)})
            )
    held.propose(guesses)
    say(f"{file}: {added} rows for people to decide on. Next: sharpen data label {file} --who YOUR-NAME --next 20")

"""What is done to rows and documents between splitting and writing, in this order.

Governed (what may not be used goes), tidied (cleaned, duplicates out), protected (personal data out), and cleared of
leaks. Cleaning stands before protecting, since a character taken out can make an address whole.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sharpen.data.asked import KINDS, about_of, asked_of
from sharpen.data.examples import Dropped, read_examples
from sharpen.data.governing import allowed_documents, allowed_rows
from sharpen.data.leaks import leaks
from sharpen.data.lineage import Noting
from sharpen.data.protecting import look, protect, said_of
from sharpen.data.tidying import moved, tidy_documents, tidy_rows
from sharpen.data.work import Work
from sharpen.errors import Problem, UserError
from sharpen.inputs import Data


def check_cleaners(data: Data, base: Path) -> None:
    """Say what is wrong with the cleaners before anything is read; what the task is about is known after."""
    asked_of(data.clean, dict.fromkeys(KINDS, ("the task",)), base)


KEEP = "Name a file of questions that can be read, or take it out: nothing could be kept out of training by it."


def govern(work: Work) -> None:
    """Drop what may not be used for what its split is for, and documents that may not be searched."""
    rules = work.rules
    if not rules.sources:
        return
    files = {name: file for name, (file, _) in work.where.items()}
    work.rows, gone = allowed_rows(work.rows, files, rules)
    for name, why in gone:
        _drop(work, name, why)
        work.lineage.dropped(name, "sources", why)
    work.documents, left = allowed_documents(work.documents, rules)
    for source, why in left:
        work.dropped.append(Dropped(source, "", "", why))
        work.lineage.dropped(source, "sources", why, of="document")
    if rules.unmatched:  # a slip of the pen in a rule of consent would let everything through
        do = "Mend or remove it: as it stands it keeps nothing out."
        raise UserError([Problem(f"{m!r} fits no source and no file.", "data.sources", do) for m in rules.unmatched])


def _drop(work: Work, name: str, why: str) -> None:
    """Put a row on the list of those that are not used."""
    file, place = work.where[name]
    work.dropped.append(Dropped(file, place, "", why))


def tidy(work: Work) -> None:
    """Clean documents and training rows, and take out what stands there twice or in a benchmark."""
    data, into = work.data, work.tidied
    about = about_of([e.question for e in work.rows["train"]], work.documents)
    asked = asked_of(data.clean, about, work.base)
    work.documents, moves = tidy_documents(work.documents, asked["documents"], data.duplicates, into)
    known = frozenset(d.source for d in work.documents)
    work.rows = {name: moved(rows, moves, known, into) for name, rows in work.rows.items()}
    if into.unplaced:
        work.notes.append(f"{into.unplaced} gold passages are gone with the documents, or what was cleaned of them.")
    banned = _benchmarks(work)
    before = work.rows["train"]
    places = {name: f"{file}, {place}" for name, (file, place) in work.where.items()}
    work.rows["train"] = tidy_rows(before, asked, data.duplicates, banned, data.near_duplicates, into, places)
    if into.scores:
        by = ", ".join(sorted({s.cleaner for s in into.scores}))
        work.notes.append(f"what was kept has a score by {by}: scores.jsonl in the folder of the prepared data.")
    for step in into.steps:
        rule = f"{step.rule}: {step.reason}" if step.reason else step.rule
        work.lineage.did(step.id, step.by, rule, 0, what=step.did, of=step.kind)
        if step.did == "dropped":
            why = f"{step.by}, {step.rule}" + (f": {step.reason}" if step.reason else "")
            if step.kind == "document":
                work.dropped.append(Dropped(step.id, "", "", why))
            else:
                _drop(work, step.id, why)
    if before and not work.rows["train"]:
        what = "no training row is left after data.clean, data.duplicates and data.benchmarks."
        do = "Take out the rules that hit most: dropped rows are counted by rule."
        work.problems.append(Problem(what, "data", do))


def _benchmarks(work: Work) -> dict[str, list[str]]:
    """The questions that nothing may be trained on, by file."""
    made, refused = {}, []
    for name in work.data.benchmarks:
        found = read_examples(work.base / name, name)
        made[name] = [d.example.question for d in found.drafts]
        if not found.drafts:
            said = found.problems or [Problem("holds no question.", name)]
            refused += [replace(p, where=f"data.benchmarks: {p.where}", do=KEEP) for p in said]
        work.problems += found.problems if found.drafts else []
    if refused:  # without it nothing would be kept out
        raise UserError(refused)
    return made


def shield(work: Work) -> None:
    """Take personal data out of examples and documents, or say that they stand there."""
    every = [e for rows in work.rows.values() for e in rows]
    if work.shield is None:
        work.personal, said = look(every, work.documents)
        work.notes += [said] if said else []
        return
    made = protect(every, work.documents, Noting(work.shield, work.data.privacy.how, work.lineage))
    rest = iter(made.examples)
    work.rows = {name: [next(rest) for _ in rows] for name, rows in work.rows.items()}
    work.documents, work.personal = made.documents, made.found
    work.where = {work.shield.name(name): place for name, place in work.where.items()}
    work.notes.append(said_of(made.found, work.data.privacy.how))


def hide(work: Work) -> None:
    """Take personal data out of what is said, which may quote a row."""
    if work.shield is None:
        return
    hidden = work.shield
    work.problems = [hidden.problem(p) for p in work.problems]
    work.notes = [hidden.said(note) for note in work.notes]
    work.tidied.scores = [replace(s, id=hidden.name(s.id)) for s in work.tidied.scores]
    work.tidied.changes = {}  # they show texts before and after, cut anywhere
    work.dropped = [replace(d, file=hidden.name(d.file), reason=hidden.said(d.reason)) for d in work.dropped]


def drop_leaks(work: Work) -> None:
    """Take rows out of dev that ask what test asks, and out of train what test or dev asks."""
    for name, judges in (("dev", ("test",)), ("train", ("test", "dev"))):
        judged = [(e, split_name) for split_name in judges for e in work.rows[split_name]]
        gone, alike = leaks(work.rows[name], [e for e, _ in judged], work.data.near_duplicates)
        for leak in gone:
            work.leaked[f"{name} like {judged[leak.other][1]}"] += 1
            row = work.rows[name][leak.row].id
            file, place = work.where[row]
            how = "the same words as" if leak.similarity == 1 else "nearly the same as"
            work.dropped.append(Dropped(file, place, "", f"leak: {how} a {judged[leak.other][1]} question"))
            work.lineage.dropped(row, "leaks", f"{how} a {judged[leak.other][1]} question")
        if alike:
            work.alike[f"{name} like {' or '.join(judges)}, of another source and with another answer"] = len(alike)
        bad = {leak.row for leak in gone}
        work.rows[name] = [e for i, e in enumerate(work.rows[name]) if i not in bad]

"""``sharpen index``: what each of its commands does and prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sharpen.cli.progress import live, say
from sharpen.errors import UserError, harmless

SHOWN = 5  # names that are listed of what changed
NONE = "none"


def groups_of(given: str) -> tuple[str, ...]:
    """Groups as they are typed: ``hr,board``."""
    return tuple(g.strip() for g in given.split(",") if g.strip())


def build(given: Path, to: str, made: tuple[int | None, int | None, str | None, Path | None], as_json: bool) -> None:
    """Make a collection, or bring it up to date, and say what changed; ``made`` are sizes, embeddings, access."""
    from sharpen.retrieval import read_access
    from sharpen.study import indexing

    size, longest, embeddings, access = made
    rules = read_access(access) if access else None
    making = indexing.Making(size, longest, "" if embeddings == NONE else embeddings, rules)
    with live() as progress:
        found = indexing.build(given, to, making, progress)
    _said(found, as_json)


def add(name: str, files: Sequence[Path], access: Path | None, as_json: bool) -> None:
    """Put files into a collection and say what changed."""
    from sharpen.retrieval import read_access
    from sharpen.study import indexing

    if not files and access is None:
        raise UserError("there is nothing to add.", do="Name files: sharpen index add NAME FILES")
    rules = read_access(access) if access else None
    with live() as progress:
        found = indexing.add(name, files, rules, progress)
    _said(found, as_json)


def remove(name: str, sources: Sequence[str], as_json: bool) -> None:
    """Take documents out of a collection and say which."""
    from sharpen.study import indexing

    with live() as progress:
        found = indexing.remove(name, sources, progress)
    _said(found, as_json)


def search(name: str, query: str, asked: tuple[int, str, str], as_json: bool) -> None:
    """Print passages with the matching words marked; ``asked`` is how many, how, and the asker's groups."""
    from sharpen.retrieval import word_marks
    from sharpen.study import indexing

    k, how, groups = asked
    with live() as progress:
        progress("searching", 0, None)
        found = indexing.search(name, query, k, how, groups_of(groups))
    marks = [word_marks(p.text, query, found.index.wording) for p in found.passages]
    if as_json:
        rows = [
            {
                "id": p.id,
                "score": p.score,
                "source": p.span.source,
                "start": p.span.start,
                "end": p.span.end,
                "text": p.text,
                "meta": dict(p.meta),
                "matches": [[p.span.start + a, p.span.start + b] for a, b in places],
            }
            for p, places in zip(found.passages, marks, strict=True)
        ]
        print(json.dumps({"version": found.version, "how": found.how, "passages": rows}, ensure_ascii=False, indent=1))
        return
    if not found.passages:
        say("Nothing was found." if found.version else "Nothing was found: nothing is in it yet. sharpen index build")
    for n, (p, places) in enumerate(zip(found.passages, marks, strict=True), 1):
        head = f" · {p.meta['section']}" if p.meta.get("section") else ""
        say(f"[{n}] {p.span.source}, characters {p.span.start} to {p.span.end}{head}  ({p.score:.3f})")
        _print(_snippet(p.text, places))
    say(f"Version {found.version}, searched by: {found.how}.", sys.stderr)


def stats(name: str, groups: str, every: bool, as_json: bool) -> None:
    """Print what is in a collection."""
    from sharpen.study import indexing

    found = indexing.stats(name, None if every else groups_of(groups))
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    say(f"{found['collection']}: version {found['version']}")
    say(f"  documents  {found['documents']:,}")
    say(f"  passages   {found['passages']:,} ({found['words']:,} words, the longest {found['longest_passage_words']})")
    vectors = f"{found['dimensions']} dimensions of {found['embeddings']}" if found["embeddings"] else "none"
    say(f"  vectors    {vectors}")
    if every:
        say(f"  size       {found['bytes'] / 1e6:,.1f} MB")
        say(f"  made of    {found['made_of']}")
        say(f"  access     {found['access_rules']} rules")


def _said(found: Any, as_json: bool) -> None:
    """Say what became of a collection."""
    change = found.change
    what = {"added": change.added, "changed": change.changed, "removed": change.removed}
    if as_json:
        facts = {
            "collection": str(found.path),
            "version": change.version,
            **what,
            "unchanged": change.unchanged,
            "passages": change.passages,
            "embedded": change.embedded,
            "left_out": dict(found.left_out),
            "problems": [str(p) for p in found.problems],
            "notes": list(found.notes),
        }
        print(json.dumps(facts, ensure_ascii=False, indent=1))
        return
    for note in found.notes:
        say(f"note: {note}", sys.stderr)
    for problem in found.problems:
        say(f"problem: {problem}", sys.stderr)
    for source, why in list(found.left_out.items())[:SHOWN]:
        say(f"left out: {source}: {why}", sys.stderr)
    if len(found.left_out) > SHOWN:
        say(f"left out: {len(found.left_out) - SHOWN} more", sys.stderr)
    for word, sources in what.items():
        if sources:
            more = f" and {len(sources) - SHOWN} more" if len(sources) > SHOWN else ""
            say(f"{word:<8} {len(sources):>6}  {', '.join(sources[:SHOWN])}{more}")
    if not change:
        say("Nothing changed.")
    cut = f"{change.passages} passages were cut, {change.embedded} embedded; " if change.passages else ""
    say(f"{found.path}: version {change.version} ({cut}{change.unchanged} documents as they were)")


def marked(text: str, places: Sequence[tuple[int, int]]) -> str:
    """A text with places of it marked: bold on a terminal, in guillemets elsewhere; safe to print."""
    on, off = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("«", "»")
    parts, at = [], 0
    for a, b in places:
        parts += [harmless(text[at:a]), on, harmless(text[a:b]), off]
        at = b
    return "".join([*parts, harmless(text[at:])])


def _snippet(text: str, places: Sequence[tuple[int, int]]) -> str:
    from sharpen.retrieval import snippet

    start, end = snippet(text, list(places))
    inside = [(a - start, b - start) for a, b in places if start <= a and b <= end]
    shown = marked(text[start:end], inside)
    return f"{'… ' if start else ''}{' '.join(shown.split())}{' …' if end < len(text) else ''}"


def _print(line: str) -> None:
    """Print a line whose marks are ours, and whose text is harmless already."""
    print(f"    {line}", flush=True)

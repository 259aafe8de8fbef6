"""``sharpen parts``: what there is, a part's page, a part's file."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from sharpen import parts as shelf
from sharpen.errors import UserError

BY_PATH = ("technique", "metric", "task")  # kinds that a use case may name by the path of a file


def parts(words: list[str], to: Path | None) -> None:
    """List, show or copy."""
    if to is not None and words[:1] != ["copy"]:
        raise UserError("--to is the file that a copy is written to.", do="Write: parts copy NAME --to FILE")
    if words[:1] == ["copy"] and len(words) == 2:
        copy(words[1], to)
    elif words[:1] == ["show"] and len(words) == 2:
        show(words[1])
    elif len(words) <= 1 and words[:1] not in (["show"], ["copy"]):
        listing(words[0] if words else None)
    else:
        raise UserError(
            f"cannot read: parts {' '.join(words)}.", do="Write: parts, parts KIND, parts show NAME, parts copy NAME"
        )


def listing(kind: str | None) -> None:
    """Print a line per part."""
    if kind is not None and kind.rstrip("s") not in shelf.ROOMS:
        raise UserError(f"there is no kind {kind!r}.", do=f"There are: {', '.join(shelf.ROOMS)}.")
    for k in [kind.rstrip("s")] if kind else shelf.ROOMS:
        print(f"{k}s")
        for part in shelf.all_parts(k).values():
            lack = shelf.missing(part)
            origin = "" if part.origin == "sharpen" else f" [{part.origin}]"
            note = f" (needs: pip install 'sharpen[{lack[1]}]')" if lack else ""
            print(f"  {part.name:18} {part.summary}{origin}{note}")


def _named(name: str) -> shelf.Part:
    kind, _, rest = name.rpartition("/")
    kinds = [kind] if kind in shelf.ROOMS else list(shelf.ROOMS)
    found = [shelf.all_parts(k)[rest.replace("-", "_")] for k in kinds if rest.replace("-", "_") in shelf.all_parts(k)]
    if not found:
        raise UserError(f"there is no part called {name!r}.", do="See: sharpen parts")
    if len(found) > 1:
        raise UserError(
            f"{name} names {len(found)} parts.", do=f"Say which: {', '.join(f'{p.kind}/{p.name}' for p in found)}"
        )
    return found[0]


def show(name: str) -> None:
    """Print a part's page."""
    part = _named(name)
    print(f"{part.kind} {part.name} ({part.origin})\n\n{part.page}\n\n{part.usage}".rstrip())
    more = None if shelf.missing(part) else getattr(shelf.module(part), "OPTIONS", None)
    if more is not None:
        print(f"\n{inspect.cleandoc(more.__doc__ or '')}\n\n{options_of(more)}")


def options_of(made: Any) -> str:
    """The fields of a class of options with their defaults, a line each."""
    return "\n".join(f"  {f.name}: {f.type} = {f.default!r}" for f in fields(made))


def copy(name: str, to: Path | None) -> None:
    """Copy a part's file."""
    part = _named(name)
    if part.path is None:
        raise UserError(f"{name} belongs to the package {part.origin}.", do="Copy it from there.")
    target = to or Path(part.path.name)
    if target.suffix != ".py" or not target.stem.isidentifier():
        raise UserError("is no name for a part's file.", str(target), "Use letters, digits and _, and end it with .py.")
    if target.exists():
        raise UserError("is there already.", str(target), "Name another file with --to.")
    text = part.path.read_text(encoding="utf-8")
    # A part's factory has the name of its file, so it is renamed with it.
    text = re.sub(rf"(?m)^(def|class) {part.name}\b", rf"\1 {target.stem}", text)
    target.write_text(text, encoding="utf-8")
    print(f"{target} is yours. {how_to_use(part, target)}")


def how_to_use(part: shelf.Part, target: Path) -> str:
    """What to do with a copied part: some kinds are named by their path, the others come from packages."""
    if part.kind in BY_PATH:
        return f"Name it by its path where you named {part.name}: ./{target.name}"
    return f"A {part.kind} comes from a package: put it into one, with the entry-point group sharpen.{part.kind}."

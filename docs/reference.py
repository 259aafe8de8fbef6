"""Write ``docs/reference.md`` from the program itself: ``python docs/reference.py``; a test holds it against the file.

Commands come from their own help, keys of the use-case file from its schema, fields of rows from the room that reads
them, parts from their files.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import typer

from sharpen import parts
from sharpen.cli.main import app
from sharpen.cli.parts import options_of
from sharpen.config import schema
from sharpen.data.fields import BESIDE, DOCUMENT, ROWS, SHAPES_SAID
from sharpen.data.shapes import SHAPES
from sharpen.prompts import Brief, rendering
from sharpen.prompts.linting import every_rule

TARGET = Path(__file__).with_suffix(".md")
WIDTH = 100


def commands(command: Any, name: str, above: Any = None) -> Iterator[str]:
    """The help of a command and of all below it."""
    context = click.Context(command, parent=above, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    yield f"### {context.command_path}\n\n```\n{command.get_help(context).strip()}\n```\n"
    for sub, below in sorted(getattr(command, "commands", {}).items()):
        yield from commands(below, sub, context)


def keys(node: Any, defs: Any, at: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and meaning of each key, nested ones behind their owner."""
    for name, field in node["properties"].items():
        key = f"{at}{name}"
        inner = _inner(field, defs)
        if inner is None:
            given = field.get("default", "" if name in node.get("required", ()) else None)
            shown = (
                "needed" if given == "" and name in node.get("required", ()) else "" if given is None else repr(given)
            )
            yield key, _type(field), shown, field.get("description", "")
        else:
            yield from keys(inner, defs, f"{key}[]." if _is_list(field) else f"{key}.")


def _is_list(field: Any) -> bool:
    return field.get("type") == "array"


def _inner(field: Any, defs: Any) -> Any:
    """The object that a key holds, or None where it holds a plain value."""
    places = [field, *field.get("anyOf", []), *field.get("items", {}).get("anyOf", []), field.get("items", {})]
    ref = next((p["$ref"] for p in places if "$ref" in p), None)
    return defs[ref.rpartition("/")[2]] if ref else None


def _type(field: Any) -> str:
    kinds = [f for f in field.get("anyOf", [field]) if f.get("type") != "null"]
    return " or ".join(_one(f) for f in kinds)


def _one(field: Any) -> str:
    if "enum" in field or "const" in field:
        return ", ".join(str(v) for v in field.get("enum", [field.get("const")]))
    within = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    limits = " ".join(f"{sign} {field[k]:g}" for k, sign in within.items() if k in field)
    items = field.get("items", {})
    of = f" of {' or '.join(f'{_one(f)}s' for f in items.get('anyOf', [items]))}" if items else ""
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2]).lower()
    return f"{field.get('type', 'any')}{of} {limits}".strip()


def table() -> str:
    """The keys of a use case as a Markdown table."""
    made = schema()
    found = [(f"`{k}`", t, f"`{d}`" if d and d != "needed" else d, w) for k, t, d, w in keys(made, made["$defs"])]
    return lined(("key", "type", "default", "what it is"), found)


def lined(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    every = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in every)


def fields() -> Iterator[str]:
    """What a row of examples may hold."""
    yield "A row has the fields of one shape; where columns are called otherwise, `data.columns` names them.\n"
    said = [(f"`{n}`", named(a), named(b) or "its last turn", SHAPES_SAID[n]) for n, a, b, _ in SHAPES]
    yield lined(("shape", "what asks", "what answers", "what is to be known"), said) + "\n"
    yield "Beside them any row may have these; other fields are kept and not read.\n"
    yield lined(("field", "what it says"), [(f"`{name}`", what) for name, what in BESIDE.items()]) + "\n"
    yield f"Where the document `returns.md` reads `{DOCUMENT}`:\n"
    yield from (f"{what}:\n\n```json\n{row}\n```\n" for what, row in ROWS.items())


def named(names: tuple[str, ...]) -> str:
    """Fields of which one is enough."""
    return " or ".join(f"`{n}`" for n in names)


def shelf(kind: str) -> Iterator[str]:
    """The page and the call of each part of a kind."""
    for part in parts.all_parts(kind).values():
        if part.origin != "sharpen":
            continue
        lack = "".join(f" Needs {package} (`sharpen[{extra}]`)." for package, extra in sorted(part.needs.items()))
        page = re.sub(r"``", "`", part.page)
        yield f"#### {part.name}\n\n{page}{lack}\n"
        options = (
            getattr(parts.module(part), "OPTIONS", None) if kind == "technique" and not parts.missing(part) else None
        )
        more = f"\n\n{inspect.cleandoc(options.__doc__ or '')}\n\n{options_of(options)}" if options else ""
        if part.usage:
            yield f"```\n{part.usage}{more}\n```\n"


def prompts() -> Iterator[str]:
    """What a prompt file may hold, and the rules of its linter."""
    made = Brief.model_json_schema()
    of_slot = made["$defs"]["Slot"]
    for title, node in (("A prompt", made), ("A slot", of_slot)):
        found = [
            (f"`{name}`", field.get("description", "") + ("; needed" if name in node.get("required", ()) else ""))
            for name, field in node["properties"].items()
        ]
        yield f"{title}:\n\n{lined(('field', 'what it is'), found)}\n"
    yield re.sub(r"``", "`", inspect.getdoc(rendering) or "") + "\n"
    rows = [(r.id, r.level, r.about, r.fix) for r in every_rule()]
    yield f"Rules of `sharpen prompts lint`:\n\n{lined(('rule', 'level', 'what it finds', 'what mends it'), rows)}\n"


def reference() -> str:
    """The whole page."""
    said = ["# Reference\n", "Written by `python docs/reference.py` from the program itself.\n", "## Commands\n"]
    said += commands(typer.main.get_command(app), "sharpen")
    said += ["## The use-case file\n", table() + "\n", "## Rows of examples\n", *fields()]
    said += ["## Prompts\n", *prompts(), "## Parts\n"]
    for kind in parts.ROOMS:
        said += [f"### {kind.capitalize()}s\n", *shelf(kind)]
    return "\n".join(said).rstrip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")

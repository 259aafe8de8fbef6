"""The commands of ``sharpen index``: collections that documents are added to, changed in and taken out of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

index_app = typer.Typer(
    help="Collections of documents that are searched and kept up to date.", no_args_is_help=True, rich_markup_mode=None
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A collection's name, or the path of its file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
AccessFile = Annotated[
    Path | None, typer.Option("--access", help="A YAML file that says which groups may see which sources.")
]
Groups = Annotated[str, typer.Option("--groups", metavar="A,B", help="The groups that the asker belongs to.")]


@index_app.command("build")
def build(
    given: Annotated[Path, typer.Argument(metavar="DIR|USECASE", help="A folder, a file, or a use case.")],
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="What it is called, or the path of its file.")],
    size: Annotated[int | None, typer.Option("--size", min=1, help="Join paragraphs up to so many words.")] = None,
    longest: Annotated[int | None, typer.Option("--longest", min=1, help="Cut paragraphs of more words.")] = None,
    embeddings: Annotated[
        str | None, typer.Option("--embeddings", metavar="MODEL", help="Embed with it; none: search by words alone.")
    ] = None,
    access: AccessFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a collection, or bring it to what the documents are now: only what changed is cut and embedded."""
    from sharpen.cli.index import build as command

    command(given, to, (size, longest, embeddings, access), as_json)


@index_app.command("add")
def add(
    name: Name,
    files: Annotated[list[Path] | None, typer.Argument(help="Files and folders, new or changed.")] = None,
    access: AccessFile = None,
    as_json: AsJson = False,
) -> None:
    """Put files into a collection, in the place of what they said before; or give it other rules of access."""
    from sharpen.cli.index import add as command

    command(name, files or [], access, as_json)


@index_app.command("remove")
def remove(
    name: Name,
    sources: Annotated[list[str], typer.Argument(help="Sources, files, or patterns with * and ?.")],
    as_json: AsJson = False,
) -> None:
    """Take documents out of a collection; nothing of their text stays in its file."""
    from sharpen.cli.index import remove as command

    command(name, sources, as_json)


@index_app.command("search")
def search(
    name: Name,
    query: Annotated[str, typer.Argument(help="What is searched for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages at most.")] = 5,
    how: Annotated[str, typer.Option("--how", help="auto, hybrid, dense (by meaning) or bm25 (by words).")] = "auto",
    groups: Groups = "",
    as_json: AsJson = False,
) -> None:
    """Find passages, and see the words that match."""
    from sharpen.cli.index import search as command

    command(name, query, (k, how, groups), as_json)


@index_app.command("stats")
def stats(
    name: Name,
    groups: Groups = "",
    every: Annotated[bool, typer.Option("--all", help="All of it, for who keeps the collection.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how much is in a collection, as far as the asker may see it."""
    from sharpen.cli.index import stats as command

    command(name, groups, every, as_json)

"""The commands of ``sharpen data`` about what was prepared: its page, its rows, its versions, its splits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Look at data on its way to examples.", no_args_is_help=True, rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
Version = Annotated[str, typer.Argument(help="A prepared folder, the beginning of its hash, a run, or a use case.")]


@data_app.command("report")
def data_report(
    use_case: Annotated[Path, typer.Argument(help="usecase.yaml, or the folder that holds it.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The page; default: data.html beside the file.")] = None,
    features: Annotated[
        Path | None, typer.Option("--features", help="Write a table of features of each row: lengths, language, ...")
    ] = None,
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="Take so many rows, and say how unlike they are to all.")
    ] = 0,
    review: Annotated[
        Path | None, typer.Option("--review", help="A sheet of the sample for people; filled in, it is reported.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the sample.")] = 0,
    edges: Annotated[
        int, typer.Option("--edges", min=0, help="Edge cases on the sheet: longest, of rare classes, least sure.")
    ] = 0,
) -> None:
    """Prepare a use case's data and write a page about them: what is in them, what was dropped, what to look at."""
    from sharpen.cli.data import Extras
    from sharpen.cli.data import report as command

    command(use_case, set_ or [], out, Extras(features, sample, review, seed, edges))


@data_app.command("trace")
def data_trace(
    id: Annotated[str, typer.Argument(help="Of a row or document, or a row's place: 'questions.jsonl, line 7'.")],
    data: Annotated[str, typer.Option("--data", help="A use case, a run, a prepared folder, or its hash.")] = ".",
    raw: Annotated[
        bool, typer.Option("--raw", help="Show it as read even where personal data were taken out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say where a row or document comes from, what was done to it by which rule or person, and where it is used."""
    from sharpen.cli.versions import trace as command

    command(id, data, raw, as_json)


@data_app.command("diff")
def data_diff(one: Version, other: Version, as_json: AsJson = False) -> None:
    """Say what differs between two versions of prepared data: settings, files, rows, splits, classes, lengths."""
    from sharpen.cli.versions import diff as command

    command(one, other, as_json)


@data_app.command("split")
def data_split(
    use_case: Version,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the splits there. Opens the test, and counts that.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how a use case's data are split, and that nothing is in two splits."""
    from sharpen.cli.versions import split as command

    command(use_case, out, as_json)

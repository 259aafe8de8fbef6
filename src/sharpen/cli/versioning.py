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
    use_case: Annotated[
        Path, typer.Argument(help="usecase.yaml or its folder; or documents alone, a folder or a file.")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The page; default: data.html beside the file.")] = None,
    features: Annotated[
        Path | None, typer.Option("--features", help="Write a table of features of each row: lengths, language, ...")
    ] = None,
    sample: Annotated[
        str, typer.Option("--sample", metavar="N[:SEED]", help="Take so many rows, and say how unlike they are to all.")
    ] = "0",
    review: Annotated[
        Path | None,
        typer.Option("--review", help="A sheet of the sample and edge cases for people; filled in, it is reported."),
    ] = None,
    suspects: Annotated[
        Path | None, typer.Option("--suspects", help="Write a CSV of rows whose label is likely wrong, to go through.")
    ] = None,
    probes: Annotated[
        Path | None, typer.Option("--probes", help="A probe set of your own: pairs or templates with groups.")
    ] = None,
) -> None:
    """Prepare a use case's data and write a page about them: what is in them, what was dropped, what to look at."""
    from sharpen.cli.data import Extras, numbers
    from sharpen.cli.data import report as command

    n, seed = numbers(sample, "--sample")
    edges = -(-n // 5)  # of a sheet for people, beside the sample
    command(use_case, set_ or [], out, Extras(features, n, review, suspects, probes, seed, edges))


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


@data_app.command("augment")
def data_augment(
    use_case: Annotated[Path, typer.Argument(help="usecase.yaml, or the folder that holds it.")],
    with_: Annotated[
        list[str], typer.Option("--with", metavar="OPERATOR", help="typos, 'swap(n=2)', ...; repeatable.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file of variants, ending in .jsonl.")],
    seed: Annotated[int | None, typer.Option("--seed", help="Of random choices; default: the use case's.")] = None,
    share: Annotated[
        float, typer.Option("--share", min=0, max=100, help="Most variants together, as a share of training rows.")
    ] = 1.0,
    most: Annotated[int, typer.Option("--most", min=0, help="Most variants at all; 0: as --share says.")] = 0,
    model: Annotated[str, typer.Option("--model", help="The model that writes, where an operator needs one.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write variants of a use case's training rows, marked and beside their originals; never of dev or test."""
    from sharpen.cli.augment import augment as command

    command(use_case, with_, out, (seed, share, most, model), as_json)

"""Commands of ``sharpen data`` around a queue of rows to label: filling it, rules that label, how far people agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharpen.cli.versioning import AsJson, data_app

Rows = Annotated[Path, typer.Argument(help="Rows to label: jsonl, csv or another table, with a column text.")]
Labels = Annotated[str, typer.Option("--labels", help="The classes: one,other, or a file with one a line.")]
Column = Annotated[
    str, typer.Option("--column", metavar="TEXT[,LABEL]", help="What the columns of the text and label are called.")
]


@data_app.command("draft")
def data_draft(
    documents: Annotated[Path, typer.Argument(help="A folder of documents, or one.")],
    queue: Annotated[Path, typer.Option("--queue", help="The queue that drafts are added to.")] = Path("drafts.sqlite"),
    logs: Annotated[Path | None, typer.Option("--logs", help="Questions that were asked, one a line.")] = None,
    model: Annotated[str, typer.Option("--model", help="A model that proposes them, by its reference.")] = "",
    most: Annotated[int, typer.Option("--most", help="Drafts at most.")] = 500,
) -> None:
    """Propose questions from documents, with the passages that answer them, for people to accept, edit or refuse."""
    from sharpen.cli.labelling import draft as command

    command(documents, queue, logs, model, most)


@data_app.command("label")
def data_label(
    queue: Annotated[Path, typer.Argument(help="A queue, as sharpen data draft or queue makes it.")],
    who: Annotated[
        list[str] | None,
        typer.Option("--who", metavar="NAME[:GROUP]", help="Who decides; repeatable, a link for each."),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Of this machine; 0: any that is free.")] = 0,
    per_item: Annotated[int, typer.Option("--per-item", min=1, help="How many people decide on each.")] = 1,
    write: Annotated[Path | None, typer.Option("--write", help="Write what people stand behind, and end.")] = None,
    unconfirmed: Annotated[
        bool, typer.Option("--unconfirmed", help="With --write: drafts that nobody decided on, too; no evidence.")
    ] = False,
    next_: Annotated[
        int,
        typer.Option("--next", min=0, help="Rows: choose so many that teach most, and learn after as many answers."),
    ] = 0,
    how: Annotated[str, typer.Option("--how", help="With --next: auto, typical, uncertain, mixed or random.")] = "",
) -> None:
    """Show a queue in the browser, where one key decides; or write what people stand behind as examples."""
    from sharpen.cli.labelling import label as command

    command(queue, who or [], port, per_item, (write, unconfirmed) if write else None, (next_, how))


@data_app.command("queue")
def data_queue(
    rows: Rows,
    queue: Annotated[Path, typer.Option("--queue", help="The queue that rows are added to.")] = Path("labels.sqlite"),
    labels: Labels = "",
    known: Annotated[
        Path | None, typer.Option("--known", help="Rows whose labels are right: the first guesses come of them.")
    ] = None,
    column: Column = "",
    embeddings: Annotated[
        str, typer.Option("--embeddings", help="An embedding model that guesses are made with; without: TF-IDF.")
    ] = "",
) -> None:
    """Put rows into a queue for people to label. A label that a row brings is proposed; others are guessed."""
    from sharpen.cli.pooling import queue as command

    command(rows, queue, (labels, column), known, embeddings)


@data_app.command("rules")
def data_rules(
    rows: Rows,
    rules: Annotated[Path, typer.Option("--rules", help="Labelling functions: keywords, patterns, lengths, Python.")],
    write: Annotated[Path | None, typer.Option("--write", help="The rows that the rules are sure of.")] = None,
    queue: Annotated[Path | None, typer.Option("--queue", help="A queue for the rest, with guesses.")] = None,
    sure: Annotated[float, typer.Option("--sure", min=0, max=1, help="The probability that is sure enough.")] = 0.9,
    labels: Labels = "",
    column: Column = "",
) -> None:
    """Label rows by rules of your own, weighed by how they agree; labels that rows bring only judge the rules."""
    from sharpen.cli.pooling import rules as command

    command(rows, rules, (write, queue), sure, (labels, column))


@data_app.command("agreement")
def data_agreement(
    queue: Annotated[Path, typer.Argument(help="A queue, as sharpen data draft or queue makes it.")],
    as_json: AsJson = False,
) -> None:
    """Say how often guesses were accepted, how far people agree, who takes what for what, and what is divided."""
    from sharpen.cli.pooling import agreement as command

    command(queue, as_json)

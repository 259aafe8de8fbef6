"""``sharpen prompts``: the library, a prompt's pages and problems, two of them compared, many in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sharpen.errors import Problem, UserError

if TYPE_CHECKING:
    from sharpen.prompts.linting import Subject

prompts_app = typer.Typer(help="Look at prompts, check and share them.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="A prompt of the library, or a YAML file.")]
Slots = Annotated[list[str] | None, typer.Option("--slot", metavar="NAME=VALUE", help="Fill a slot; repeatable.")]


@prompts_app.command("list")
def prompts_list() -> None:
    """List the prompts of the library."""
    from sharpen.cli.progress import say
    from sharpen.prompts import catalogue, find

    briefs = [find(name) for name in catalogue()]
    width = max(len(b.name) for b in briefs)
    for brief in sorted(briefs, key=lambda b: (b.domain, b.name)):
        say(f"{brief.name.ljust(width)}  {brief.domain or 'any':<18}  {brief.about}")


@prompts_app.command("show")
def prompts_show(
    name: Name,
    slot: Slots = None,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print its file, to start one of your own from.")] = False,
) -> None:
    """Show a prompt as a model reads it, with its slots; those with no value and no default stand as they are."""
    from sharpen.cli.progress import say
    from sharpen.prompts import find, render
    from sharpen.prompts.shelf import written
    from sharpen.runtime import compose
    from sharpen.types import Message

    brief = find(name)
    if as_yaml:
        say(written(brief).rstrip())
        return
    given = _pairs(slot or [])
    asked = given.pop(brief.question, "")
    if asked and (why := brief.slots[brief.question].wrong(asked)):
        raise UserError(f"the slot {brief.question} of the prompt {brief.name} {why}.", do="Give another text.")
    made = render(brief, given, partly=True)
    say(f"{brief.name}: {brief.about}\nfrom {brief.origin or 'nobody named'}, {brief.licence or 'no licence'}")
    say(f"sha256 {brief.hash}")
    for slot_name, s in brief.slots.items():
        say(f"slot {slot_name} ({', '.join([s.type, *s.limits])}): {s.about}")
    question = Message("user", asked or f"{{{brief.question}}}")
    for message in compose(made.prompt, (question,), made.demos):
        say(f"\n[{message.role}]\n{message.content}")


def _pairs(given: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as they are typed."""
    wrong = [g for g in given if "=" not in g]
    if wrong:
        raise UserError([Problem(f"--slot {g}: there is no '='.", do="Write: --slot language=French") for g in wrong])
    return {name.strip(): value for name, _, value in (g.partition("=") for g in given)}


@prompts_app.command("lint")
def prompts_lint(
    what: Annotated[
        list[str] | None,
        typer.Argument(help="Prompts by name or YAML file, text files, or a run's folder; none: the library."),
    ] = None,
    context: Annotated[int | None, typer.Option("--context", min=1, help="Tokens that the model holds.")] = None,
    level: Annotated[str, typer.Option("--level", help="The least that is told: error, warning or advice.")] = "advice",
    rules: Annotated[bool, typer.Option("--rules", help="List the rules, and end.")] = False,
) -> None:
    """Say what is wrong with prompts, and what mends it; ends with status 1 where something is an error."""
    from sharpen.cli.progress import say
    from sharpen.prompts import linting

    if rules:
        for rule in linting.every_rule():
            say(f"{rule.id}  {rule.level:<7}  {rule.about}. {rule.fix}")
        return
    if level not in linting.LEVELS:
        raise UserError(f"--level {level}: there is no such level.", do=f"Take of: {', '.join(linting.LEVELS)}.")
    subjects, found = _subjects(what or [], context), []
    for subject in subjects:
        found += linting.findings(subject)
    found += linting.lint_together([s for s in subjects if not s.template])  # arms stand beside each other
    shown = linting.LEVELS[: linting.LEVELS.index(level) + 1]
    for finding in found:
        if finding.level in shown:
            say(finding)
    counts = [f"{sum(f.level == name for f in found)} {name}s" for name in linting.LEVELS[:2]]
    say(f"{len(subjects)} prompts: {', '.join(counts)}, {sum(f.level == 'advice' for f in found)} pieces of advice.")
    if any(f.level == "error" for f in found):
        raise typer.Exit(1)


def _subjects(named: Sequence[str], context: int | None) -> list[Subject]:
    """What is to be linted, by what it is named."""
    from sharpen.prompts import catalogue, find
    from sharpen.prompts.linting import Subject
    from sharpen.prompts.shelf import SUFFIXES
    from sharpen.study.prompting import subjects_of

    made = []
    for name in named or catalogue():
        path = Path(name)
        if (path / "report.json").is_file():
            made += subjects_of(path, context)
        elif path.is_file() and path.suffix not in SUFFIXES:
            try:
                made.append(Subject(path.name, {"text": path.read_text(encoding="utf-8")}, context=context))
            except (OSError, UnicodeDecodeError) as e:
                raise UserError(f"cannot be read: {e}.", name, "Save it as UTF-8 text.") from None
        else:
            brief = find(name)
            made.append(Subject(brief.name, brief.texts(), brief, context, fence=brief.fence))
    return made


@prompts_app.command("diff")
def prompts_diff(before: Name, after: Name) -> None:
    """Compare two prompts field by field."""
    from sharpen.cli.progress import brief as short
    from sharpen.cli.progress import say
    from sharpen.prompts import diff, find

    changes = diff(find(before), find(after))
    for change in changes:
        say(change.field)
        for sign, value in (("-", change.before), ("+", change.after)):
            if value is not None:
                say(f"  {sign} {short(str(value), 400)}")
    say(f"{len(changes)} fields differ." if changes else "They are the same.")


@prompts_app.command("export")
def prompts_export(
    out: Annotated[Path, typer.Option("--out", help="The file to write, JSON lines.")],
    names: Annotated[list[str] | None, typer.Argument(help="Prompts by name or YAML file; none: the library.")] = None,
) -> None:
    """Write prompts into one file, each with the sha256 of what it says, to share them."""
    from sharpen.cli.progress import say
    from sharpen.cli.saving import free
    from sharpen.prompts import catalogue, find
    from sharpen.prompts.shelf import MARK, export

    free(out, MARK)
    briefs = [find(name) for name in dict.fromkeys(names or catalogue())]
    export(briefs, out)
    say(f"{len(briefs)} prompts: {out}")


@prompts_app.command("import")
def prompts_import(
    file: Annotated[Path, typer.Argument(help="A file as export writes it.")],
    to: Annotated[Path, typer.Option("--to", help="The folder for their YAML files.")] = Path("prompts"),
) -> None:
    """Unpack such a file, checked by its sha256, into one YAML file a prompt."""
    from sharpen.cli.progress import say
    from sharpen.prompts.shelf import load, unpack

    for path in unpack(load(file), to):
        say(str(path))


@prompts_app.command("stress")
def prompts_stress(
    run: Annotated[Path, typer.Argument(help="The folder of a run, such as runs/help-centre.")],
    change: Annotated[
        list[str] | None, typer.Option("--change", help="injection, example_order, ...; repeatable; default: all.")
    ] = None,
    arm: Annotated[str | None, typer.Option("--arm", help="Another arm than the chosen one.")] = None,
) -> None:
    """Ask dev questions of changed prompts: typing mistakes, contradiction, injection, other orders, other askers."""
    from sharpen.cli.after import robustness
    from sharpen.study.stressing import STRESSES

    robustness(run, change or list(STRESSES), arm)


@prompts_app.command("repair")
def prompts_repair(
    run: Annotated[Path, typer.Argument(help="The folder of a run, such as runs/help-centre.")],
    arm: Annotated[str | None, typer.Option("--arm", help="Another arm than the chosen one.")] = None,
) -> None:
    """Say what is wrong with a run's answers on dev (too long, wrong form, ...), and what in a prompt may mend it."""
    from sharpen.cli.progress import live, say
    from sharpen.study.prompting import symptoms_of

    with live() as progress:
        name, found = symptoms_of(run, arm, progress)
    say(f"{name}, by its answers on dev; the test stayed closed.")
    for symptom in found:
        say(symptom)
    if not found:
        say("No symptom is seen.")

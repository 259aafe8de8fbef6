"""``sharpen ask``: an answer, and the passages that it rests on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sharpen.cli.progress import live, say
from sharpen.errors import UserError


def say_of_folds(run: Path, arm: str | None) -> None:
    """Say on stderr which of several programs of an arm this is, where a study has folds."""
    from sharpen import study
    from sharpen.study.folds import program_said

    report = study.read_report(run)
    if folds := report.data.get("folds"):
        name = arm or report.winner or report["baseline"]
        say(f"{program_said(folds, name)} --arm 'ARM (fold N)' names another's.", sys.stderr)


def say_if_baseline(run: Path, arm: str | None) -> None:
    """Say on stderr that nothing was chosen, where that is so: what comes is the baseline's."""
    from sharpen import study

    report = study.read_report(run)
    if arm is None and report.winner is None:
        others = ", ".join(a["name"] for a in report["arms"] if a["fingerprint"])
        say(f"No arm was chosen, so this is {report['baseline']}; --arm names another: {others}.", sys.stderr)


def ask(run: Path, question: str, arm: str | None, as_json: bool) -> None:
    """Ask and print."""
    from sharpen import study
    from sharpen.types import plain

    if not question.strip():
        raise UserError("the question is empty.", do='Write: sharpen ask RUN "question"')
    with live() as progress:
        progress("open the model and answer", 0, None)
        answer = study.ask(run, question, arm)
    say_if_baseline(run, arm)
    say_of_folds(run, arm)
    if as_json:
        print(json.dumps(plain(answer), indent=2, ensure_ascii=False))
        return
    say(answer.text or "(nothing that can be read as an answer)")
    if answer.label_scores:
        order = sorted(answer.label_scores, key=lambda c: -answer.label_scores[c])
        say(f"Chosen among {len(order)} classes; next would be: {', '.join(order[1:3])}.", sys.stderr)
    for finding in answer.findings:
        say(f"Mind: {finding}.", sys.stderr)
    some = set(answer.citations) < {p.id for p in answer.passages}  # of a program that cites none in particular: all
    for n, passage in enumerate(answer.passages, 1):
        cited = ", cited" if some and passage.id in answer.citations else ""
        say(f"\n[{n}] {passage.span.source}, characters {passage.span.start} to {passage.span.end}{cited}")
        say("    " + passage.text.replace("\n", "\n    "))

"""``sharpen ask``: an answer, and the passages that it rests on."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpen.cli.index import marked
from sharpen.cli.progress import brief, live, say
from sharpen.errors import UserError, harmless

if TYPE_CHECKING:
    from sharpen.study.living import Asked
    from sharpen.types import Answer, Passage


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


@dataclass(frozen=True)
class Asking:
    """How a question is asked and its answer shown; ``collection`` and ``groups`` as for ``sharpen index search``."""

    arm: str | None = None
    collection: str | None = None
    groups: tuple[str, ...] = ()
    steps: bool = False
    stream: bool = False
    as_json: bool = False


def ask(run: Path, question: str, how: Asking = Asking()) -> None:
    """Ask and print."""
    from sharpen import study
    from sharpen.study.living import ask_living

    if not question.strip():
        raise UserError("the question is empty.", do='Write: sharpen ask RUN "question"')
    if how.groups and not how.collection:
        raise UserError("say who asks a collection, and none is named.", "--groups", "Add --index NAME.")
    with live() as progress:
        progress("open the model and answer", 0, None)

        def tell(piece: str) -> None:
            progress.finish()
            print(harmless(piece), end="", flush=True)

        streams = how.stream and not how.as_json
        told = tell if streams else None
        if how.collection:
            asked = ask_living(run, question, how.collection, how.groups, how.arm, told)
            answer = asked.answer
        else:
            asked, answer = None, study.ask(run, question, how.arm, told)
    if streams:
        print(flush=True)
    say_if_baseline(run, how.arm)
    say_of_folds(run, how.arm)
    if asked:
        before = ", which had answered it before" if asked.known else ""
        say(f"From {how.collection}, version {asked.version}{before}.", sys.stderr)
    if how.as_json:
        print(json.dumps(_facts(answer, question, asked), indent=2, ensure_ascii=False))
        return
    for name, text in (*answer.steps.items(), *([("thoughts", answer.reasoning)] if answer.reasoning else [])):
        say(f"{name}: {text}\n", sys.stderr)
    if not streams or not answer.text:
        say(answer.text or "(nothing that can be read as an answer)")
    if answer.votes:
        say(f"So said {answer.votes} of the votes.", sys.stderr)
    if answer.valid is False:
        say("It does not keep the JSON Schema that it was to keep.", sys.stderr)
    if answer.label_scores:
        order = sorted(answer.label_scores, key=lambda c: -answer.label_scores[c])
        say(f"Chosen among {len(order)} classes; next would be: {', '.join(order[1:3])}.", sys.stderr)
    if how.steps:
        _steps(answer)
    _passages(answer, question)


def _facts(answer: Answer, question: str, asked: Asked | None) -> dict[str, Any]:
    """The answer as JSON, with the sentence of each passage that is nearest to it."""
    from sharpen.types import plain

    found: dict[str, Any] = plain(answer)
    places = [(p, sentence) for p in answer.passages if (sentence := nearest(p, answer, question))]
    found["sentences"] = [
        {
            "passage": p.id,
            "source": p.span.source,
            "start": p.span.start + a,
            "end": p.span.start + b,
            "text": p.text[a:b],
        }
        for p, (a, b) in places
    ]
    if asked:
        found["collection"] = {"name": asked.name, "version": asked.version, "known": asked.known}
    return found


def nearest(passage: Passage, answer: Answer, question: str) -> tuple[int, int] | None:
    """The sentence of a passage that is nearest to an answer."""
    from sharpen.retrieval import nearest_sentence

    return nearest_sentence(passage.text, "" if answer.finish == "refused" else answer.text, question)


def _steps(answer: Answer) -> None:
    """Print what came before the answer."""
    for name, text in answer.steps.items():
        say(f"\nstep {name}:\n    " + text.replace("\n", "\n    "))
    if answer.reasoning:
        say("\nreasoning:\n    " + answer.reasoning.replace("\n", "\n    "))
    if answer.votes:
        say(f"\n{answer.votes} of the drawn answers said this one.")
    n = len(answer.completions)
    say(f"\n{n} call{'s' if n != 1 else ''} of the model, {answer.tokens} tokens, {len(answer.passages)} passages.")


def _passages(answer: Answer, question: str) -> None:
    """Print the passages, and of each the sentence to look at first."""
    for n, p in enumerate(answer.passages, 1):
        apart = "" if p.id in answer.citations else " (given, and not cited)"
        say(f"\n[{n}] {p.span.source}, characters {p.span.start} to {p.span.end}{apart}")
        sentence = nearest(p, answer, question)
        text = marked(p.text, [sentence] if sentence and sys.stdout.isatty() else [])
        print("    " + text.replace("\n", "\n    "), flush=True)
        if sentence:
            a, b = sentence
            say(f"    > characters {p.span.start + a} to {p.span.start + b}: {brief(p.text[a:b])}")
    for finding in answer.findings:
        say(f"\nnote: {finding}", sys.stderr)

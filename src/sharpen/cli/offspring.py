"""What ``sharpen data trace`` says of a variant: what it was made of, how, and which arms of which runs learned it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.cli.progress import say
from sharpen.errors import UserError

LINES = 600  # characters of a text that are printed; --json has all


def arms_of(chain: Sequence[Mapping[str, Any]], version: str, runs: Sequence[Mapping[str, str]]) -> list[str]:
    """Arms of finished runs of this version that have the operators of a chain, with the same options, in its order."""
    from sharpen.config import parse_sum

    wanted = [(step["by"], step["options"]) for step in reversed(chain) if "options" in step]
    found = []
    for run in runs if wanted else ():
        if run["version"] != version:
            continue
        try:
            report = json.loads((Path(run["run"]) / "report.json").read_text(encoding="utf-8"))
            levers = [(str(lever["arm"]), parse_sum(str(lever["does"])), lever["notes"]) for lever in report["levers"]]
        except (OSError, ValueError, LookupError, TypeError, UserError):  # damaged: sharpen report says so
            continue
        for arm, steps, notes in levers:
            there = iter(steps)
            if any(n.get("note") == "augmented" for n in notes) and all(step in there for step in wanted):
                found.append(f"arm {arm} of run {run['run']}")
    return found


def print_chain(chain: Sequence[Mapping[str, Any]], arms: Sequence[str]) -> None:
    """Print how a variant came about, from its original to itself."""
    say(f"variant {chain[0]['id']}: synthetic, learned from only")
    for step in chain:
        options = ", ".join(f"{k}={v!r}" for k, v in step.get("options", {}).items())
        by = f"{step['by']}({options})" if options else step["by"]
        seed = f", seed {step['seed']}" if "seed" in step else ""
        of = f"row {step['of']}" if step["of"] else f"document {step['source']}" if step["source"] else "a row not here"
        say(f"  {step['id']} is made of {of} by {by}{seed}: {step.get('how', '')}")
        if step.get("from"):
            say(f"    with words of {step['from']}")
        if step.get("triple"):
            say(f"    of the fact {step['triple']['id']}")
        say(f"    now: {step['text']['question'][:LINES]}")
    for arm in arms:
        say(f"  in {arm}")
    if not arms and "options" in chain[0]:
        say("  in no arm of a finished run that is known here: sharpen data augment made it, or a run that goes on.")

"""``sharpen check``: every problem at once, the data, and what to expect."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from sharpen.cli.progress import live, say
from sharpen.errors import Problem, UserError


def check(use_case: Path, settings: list[str], dry: bool = False) -> None:
    """Check and print; a dry run has its own last words."""
    from sharpen import study

    with live() as progress:

        def show(found: dict[str, Any]) -> None:
            progress.finish()
            _data(found)

        found = study.check(use_case, settings, progress, show)
    print("\nwhat it will take")
    say(found)
    if found["folds"]:
        say(f"\n{found['folds']}")
    if found["problems"]:
        print("\nA run would warn of these and go on; mend them or leave them:", flush=True)
        raise UserError([Problem(p) for p in found["problems"]])
    if not dry:
        typed = ["sharpen", "run", str(use_case), *(word for s in settings for word in ("--set", s))]
        print(f"\nNext: {shlex.join(typed)}")


def _data(found: dict[str, Any]) -> None:
    """Print what is known before anything is computed."""
    from sharpen.study.reading import groups

    facts = found["data"]
    say("data")
    folds = facts.get("folds", ())
    for row in folds:
        parts = (f"{name} {row[name]:5} in {row[f'{name}_clusters']}" for name in ("train", "dev", "test"))
        say(f"  fold {row['fold']:2}: {', '.join(parts)} clusters")
    for name in ("test",) if folds else ("train", "dev", "test"):
        part = facts[name]
        sizes = part["cluster_sizes"]
        say(
            f"  {name:6} {part['n']:6} questions {groups(part['n'], len(sizes), facts['cluster_by'])}, "
            f"{part['n_unanswerable']} unanswerable, {part['n_with_gold']} with a known passage"
        )
    for t in facts["tables"]:
        mapped = ", ".join(f"{ours}: {theirs}" for ours, theirs in t["columns"].items())
        columns = f" ({mapped})" if mapped else ""
        say(f"  {t['table']}: {t['rows']} rows for {t['for']}, {t['used']} used, {t['dropped']} dropped{columns}")
    say(f"  documents {facts['documents']['n']}")
    if facts["train"].get("labels"):
        say(f"  classes {len(facts['train']['labels'])}")
    for reason, n in facts["dropped"].items():
        if not reason.startswith("leak:"):  # those are told pair by pair
            say(f"  dropped {n}: {reason}")
    for pair, n in facts["leaks"].items():
        say(f"  dropped {n}: leak, {pair}")
    hits = {rule: n for rule, n in facts["rules"].items() if n}
    if facts["rules"]:
        listed = ", ".join(f"{rule} {n}" for rule, n in hits.items())
        say(f"  cleaned, by {len(facts['rules'])} rules: {listed or 'none hit'}")
    if facts["dropped"]:
        say(f"  every dropped row with its place and reason: {os.path.relpath(found['dropped'])}")
    if not facts["leaks"]:
        say("  no leak was found")
    for pair, n in facts["alike"].items():
        say(f"  alike and kept {n}: {pair}")
    for note in found["notes"]:
        say(f"  note: {note}")
    for remark in found["remarks"]:
        say(f"  look at this: {remark}")
    say("\nwhat the test can show")
    for sentence in found["proof"]:
        say(f"  {sentence}")

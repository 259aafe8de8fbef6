"""``sharpen check``: every problem at once, the data, and what to expect."""

from __future__ import annotations

from pathlib import Path

from sharpen.cli.progress import clock, live
from sharpen.errors import Problem, UserError


def check(use_case: Path, settings: list[str]) -> None:
    """Check and print."""
    from sharpen import study
    from sharpen.study.reading import groups

    with live() as progress:
        found = study.check(use_case, settings, progress)
    facts = found["data"]
    print("data")
    for name in ("train", "dev", "test"):
        part = facts[name]
        sizes = part["cluster_sizes"]
        print(
            f"  {name:6} {part['n']:6} questions {groups(part['n'], len(sizes), facts['cluster_by'])}, "
            f"{part['n_unanswerable']} unanswerable, {part['n_with_gold']} with a known passage"
        )
    print(f"  documents {facts['documents']['n']}")
    for reason, n in facts["dropped"].items():
        print(f"  dropped {n}: {reason}")
    for pair, n in facts["leaks"].items():
        print(f"  leaks {n}: {pair}")
    for note in found["notes"]:
        print(f"  note: {note}")
    print("\nwhat the test can show")
    for sentence in found["proof"]:
        print(f"  {sentence}")
    print("\nwhat it will take")
    for row in found["estimates"]:
        print(f"  {row['arm']:28} {clock(row['seconds']):>8}  {row['memory_gb']:.1f} GB  {row['why']}")
    print(f"  {'together':28} {clock(found['seconds']):>8}")
    if found["problems"]:
        # A study could live with these (what cannot be read is left out), but a check is for mending them.
        raise UserError([Problem(p) for p in found["problems"]])

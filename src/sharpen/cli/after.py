"""``sharpen robustness`` and ``sharpen compare``: what is asked of finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sharpen.cli.progress import live, say


def robustness(run: Path, changes: Sequence[str], arm: str | None = None) -> None:
    """Ask changed dev questions, print the table, and write it into the run's report and page."""
    from sharpen.evaluation.shown import gain, interval, p_value
    from sharpen.study.page import write_page
    from sharpen.study.robustness import judge_run

    with live() as progress:
        found = judge_run(run, changes, arm, progress)
    asked = found["robustness"]
    say(f"{asked['metric']} on {asked['n']} dev questions as they are and changed; the test stayed closed.")
    head = ("change", "arm", "n", "as it is", "changed", "difference", "95% interval", "p", "same")
    rows = [
        (
            r["change"],
            r["arm"],
            str(r["n"]),
            f"{r['as_it_is']:.3f}",
            f"{r['changed']:.3f}",
            gain(r["delta"]),
            interval(r["low"], r["high"], "+.3f"),
            p_value(r["p"]),
            f"{r['kept']:.0%}",
        )
        for r in asked["rows"]
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        say("  ".join(cells).rstrip())
    for r in asked["rows"]:
        if r.get("followed") is not None:
            say(f"{r['arm']} followed {r['followed']:.0%} of the injected orders.")
    if not rows:
        say("No dev question can be changed in these ways.")
    print(f"\nReport: {write_page(found.path)}")


def compare(before: Path, after: Path) -> None:
    """Print what a later run gained on the weak slices of an earlier one."""
    from sharpen.study import read_report
    from sharpen.study.requesting import gains

    made, said = gains(read_report(before), read_report(after))
    for line in dict.fromkeys([*map(str, made), *said]):
        say(line)

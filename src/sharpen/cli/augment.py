"""``sharpen data augment``: variants of training rows in a file, with what was refused and a few to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.cli.progress import brief, live, say
from sharpen.errors import UserError

PAIRS = 3  # originals that are printed beside what was made of them
MARK = '"synthetic": true'  # in each row of such a file


def augment(
    use_case: Path,
    steps: Sequence[str],
    out: Path,
    limits: tuple[int | None, float, int, str],
    as_json: bool,
) -> None:
    """Write variants of a use case's training rows; ``limits``: seed, share, most, model.

    Raises:
        UserError: an operator cannot work here, or none of them made a variant.
    """
    from sharpen.cli.saving import free, write_rows
    from sharpen.study.variants import Wanted, variants

    seed, share, most, model = limits
    if out.suffix.lower() != ".jsonl":
        raise UserError(f"{out.name} is no name of a file of rows.", "--out", "Give it the ending .jsonl.")
    free(out, MARK)  # said before minutes are spent
    with live() as progress:
        made = variants(use_case, Wanted(steps, seed, share, most, model), progress=progress)
    if not made.rows:
        whys = [str(said["why"]) for said in made.operators.values() if said.get("why")]
        raise UserError(f"no variant was made. {' '.join(whys)}".strip(), "--with", "Nothing was written.")
    write_rows(out, made.rows, MARK)
    if as_json:
        print(json.dumps({"file": str(out), **made.facts, "operators": made.operators}, ensure_ascii=False, indent=1))
        return
    for name, said in made.operators.items():
        _print_operator(name, said)
    for row in made.rows[:: max(1, len(made.rows) // PAIRS)][:PAIRS]:
        say(f"  {row['id']}: {row['how']}")
        say(f"    before  {brief(row['original'])}" if "original" in row else f"    answer  {brief(row['answers'][0])}")
        say(f"    after   {brief(_asked(row))}")
    n, real = made.facts["variants"], made.facts["train"]
    say(f"{out}: {n} variants of {real} training rows ({n / real:.0%}), all marked synthetic; none of dev or test.")
    say(
        f"Next: train on them by an arm ({' + '.join(steps)} + lora), or give them back as rows; trace one: "
        f"sharpen data trace {made.rows[0]['id']} --data {use_case}"
    )


def _print_operator(name: str, said: Mapping[str, Any]) -> None:
    refused = ", ".join(f"{n} {why}" for why, n in said["refused"].items())
    say(
        f"{name}: {said.get('proposed', 0)} proposed, {said['kept']} kept"
        + (f"; refused: {refused}" if refused else "")
    )
    for key, what in (("shares", "of"), ("weights", "weights")):
        if said.get(key):
            say(f"  {what} " + ", ".join(f"{k} {v}" for k, v in said[key].items()))
    if like := said.get("likelihood"):
        real, now, beyond = like["real"], like["made"], like["beyond"]
        say(
            f"  likelihood: {real:.2f} bits a letter of real rows, {now:.2f} of these (medians); {beyond:.0%} are less "
        )
        say("    likely than all real rows but 1 in 100; the option likely=0.01 refuses such")
    for warning in [said.get("why"), said.get("warning"), *said.get("probe", {}).get("warnings", ())]:
        if warning:
            say(f"  ! {warning}")


def _asked(row: Mapping[str, Any]) -> str:
    return str(row["question"] if "question" in row else row["messages"][-1]["content"])

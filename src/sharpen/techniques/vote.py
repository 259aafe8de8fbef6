"""Draw several answers and take the one that is given most often.

Wang et al. 2023, "Self-consistency improves chain of thought reasoning in language models". After ``reason`` each vote
has thoughts of its own. An answer costs as many calls as there are votes; how many is chosen on dev where several are
named, more only where they are clearly better. Drawn with the vote's number as seed, so a vote gives the same again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sharpen.errors import UserError
from sharpen.techniques._options import counts
from sharpen.techniques.bench import Bench
from sharpen.types import System, Task, Technique

MOST = 100


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """Votes need answers that are drawn and can be alike."""
    if "generate" not in can:
        return "nothing is drawn where the model only chooses, so all votes would be alike"
    ranks = program.decoding.choices and not program.decoding.by_text
    if ranks and program.reasoning is None:
        return "likelihoods choose the class, and nothing before them is drawn, so all votes would be alike"
    if not program.decoding.choices and not task.one_line and not program.decoding.field:
        return "hardly two texts of this length are alike, so the first would always win"
    return None


def vote(n: int | Sequence[int] = 5, temperature: float = 0.7) -> Technique:
    """Return the technique.

    Args:
        n: how many answers are drawn; several numbers are tried on dev.
        temperature: at which they are drawn, above 0.
    """
    sizes = counts("n", n, least=2, most=MOST)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 < temperature <= 5:
        do = "Write a number above 0, at most 5: temperature=0.7"
        raise UserError(f"the option temperature is {temperature!r}.", do=do)

    def improve(program: System, bench: Bench) -> System:
        drawn = replace(program.decoding, temperature=float(temperature))
        candidates = [(f"n={n}", replace(program, decoding=replace(drawn, votes=n))) for n in sorted(sizes)]
        return bench.best(candidates, "vote", cheapest_first=True)

    return improve

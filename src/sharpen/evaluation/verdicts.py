"""From simultaneous intervals to one of three verdicts, and the sentences that say it.

"Not significantly different" is never taken for "equal": an arm is as good as another only where the interval shows it
to be less than ``worth`` below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil, inf


@dataclass(frozen=True)
class Standing:
    """One arm as the verdict sees it: oriented so that higher is better.

    ``gain`` and ``p`` against the baseline; ``below`` how far it may lie below each other arm (upper simultaneous
    bounds); ``above_baseline`` the lower bound of its gain.
    """

    name: str
    mean: float
    gain: float
    p: float
    above_baseline: float
    below: dict[str, float] = field(default_factory=dict)
    cost: float | None = None
    able: bool = True


@dataclass(frozen=True)
class Terms:
    """What was fixed before, and what the test can give."""

    baseline: str
    worth: float
    alpha: float
    n: int
    n_clusters: int
    smallest_p: float
    others: str = "arm"  # what claims about all other arms are about


@dataclass(frozen=True)
class Verdict:
    """``kind`` is better, keep_baseline or not_decided; ``as_good_as_best``: shown, not presumed, of all arms that keep
    the constraints."""

    kind: str
    winner: str | None
    text: str
    leader: str
    as_good_as_best: bool = False


def decide(arms: Sequence[Standing], terms: Terms, reach: float | None) -> Verdict:
    """Reach the verdict.

    Args:
        arms: all arms, the baseline among them.
        terms: margin, error rate, size of the test.
        reach: how far the leader's gain must lie from 0 or from ``worth`` to be shown, four times in five; None: no
            distance is enough.
    """
    by = {a.name: a for a in arms}
    able = [a for a in arms if a.able]
    leader = max(able or arms, key=lambda a: (a.mean, a.name == terms.baseline))
    if len(arms) < 2:
        return Verdict("not_decided", None, "There was nothing to compare the baseline with.", leader.name)
    better = [a for a in able if _is_better(a, terms)]
    base = by[terms.baseline]
    notes = "".join(_barred(a, terms) for a in arms if not a.able and a is not base)
    terms = replace(terms, others="arm" if len(able) == len(arms) else "arm that keeps the constraints")
    if better:
        verdict = _choose(better, base, able, terms, leader.name)
    elif not [a for a in able if a is not base]:
        text = f"Not decided: no arm{f' but {base.name}' if able else ''} keeps the constraints."
        verdict = Verdict("not_decided", None, text, leader.name)
    elif base.able and all(base.below[a.name] < terms.worth for a in able if a is not base):
        verdict = Verdict("keep_baseline", base.name, _keep_text(base, able, terms), leader.name, True)
    else:
        verdict = Verdict("not_decided", None, _open_text(leader, base, able, terms, reach), leader.name)
    if not base.able:
        notes += f" The baseline {base.name} itself breaks a constraint."
    return Verdict(verdict.kind, verdict.winner, verdict.text + notes, verdict.leader, verdict.as_good_as_best)


def _barred(arm: Standing, terms: Terms) -> str:
    """What is said of an arm that breaks a constraint: no claim about the other arms holds for it."""
    if _is_better(arm, terms):
        return f" {arm.name} is better too, {_gain(arm)}, but breaks a constraint, so it is not chosen."
    return f" {arm.name} breaks a constraint and is not among the arms that could be chosen."


def _is_better(arm: Standing, terms: Terms) -> bool:
    """p and interval are two readings of the same flips; where they disagree the more cautious decides."""
    return arm.name != terms.baseline and arm.p <= terms.alpha and arm.gain > 0 and arm.above_baseline > 0


def _choose(better: Sequence[Standing], base: Standing, able: Sequence[Standing], terms: Terms, leader: str) -> Verdict:
    """The cheapest that is shown to be as good as the best; else the best of them, not separated from the others."""
    candidates = [*better, base] if base.able else list(better)
    shown = [a for a in candidates if all(a.below[b.name] < terms.worth for b in able if b is not a)]
    if shown:
        best = min(shown, key=lambda a: (_cost(a), a is not base, -a.mean))
        if best is base:
            return Verdict("keep_baseline", base.name, _small_text(better, base, terms), leader, True)
        cheapest = len(shown) > 1 and all(_cost(best) < _cost(a) for a in shown if a is not best)
        why = ""
        if len(shown) > 1 or any(a is not best and a is not base for a in able):
            why = f"; it is shown to be less than {terms.worth:g} below every other {terms.others}"
        more = f", and it is the cheapest arm of which that is shown ({len(shown)})" if cheapest else ""
        text = f"{best.name} is better than {base.name} {_gain(best)}{why}{more}."
        return Verdict("better", best.name, text, leader, True)
    best = max(better, key=lambda a: a.mean)
    close = [b.name for b in able if b is not best and best.below[b.name] >= terms.worth]
    text = f"{best.name} is better than {base.name} {_gain(best)}; it is not separated from {_list(close)}."
    return Verdict("better", best.name, text, leader)


def _cost(arm: Standing) -> float:
    """Unknown costs count as the greatest; of equal costs the baseline's, which needs no building, is the least."""
    return arm.cost if arm.cost is not None else inf


def _gain(arm: Standing) -> str:
    return f"by {arm.gain:.3f} (adjusted p {_p(arm.p)})"


def _p(p: float) -> str:
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _keep_text(base: Standing, able: Sequence[Standing], terms: Terms) -> str:
    most = max(base.below[a.name] for a in able if a is not base)
    return (
        f"Keep {base.name}: no {terms.others} gains {terms.worth:g} or more; "
        f"the most that any could gain, with {1 - terms.alpha:.0%} confidence, is {max(most, 0.0):.3f}."
    )


def _small_text(better: Sequence[Standing], base: Standing, terms: Terms) -> str:
    best = max(better, key=lambda a: a.gain)
    return (
        f"Keep {base.name}: {best.name} is better {_gain(best)}, but no {terms.others} gains {terms.worth:g} or more, "
        f"and no cheaper arm is shown to be as good."
    )


def _open_text(leader: Standing, base: Standing, able: Sequence[Standing], terms: Terms, reach: float | None) -> str:
    """Who leads, and how many more questions would decide."""
    if terms.smallest_p > terms.alpha:
        return (
            f"Not decided: no verdict is possible with {terms.n_clusters} clusters, whose smallest possible p is "
            f"{terms.smallest_p:.2g}. {_leads(leader, base, able)} A larger test or finer sources would help."
        )
    more = _more(leader, base, able, terms, reach)
    if more is None:
        more_of = "More questions" if terms.n_clusters == terms.n else "Questions from more sources"
        why = f"{more_of} would help: in too few of these do the arms differ in one direction."
        return f"Not decided. {_leads(leader, base, able)} {why}"
    if not more:
        return f"Not decided. {_leads(leader, base, able)} It is close: a larger test would probably decide."
    clusters = max(1, ceil(more * terms.n_clusters / terms.n))
    return (
        f"Not decided. {_leads(leader, base, able)} About {_round(more)} more questions "
        f"(in about {_round(clusters)} more clusters like these) would probably decide."
    )


def _leads(leader: Standing, base: Standing, able: Sequence[Standing]) -> str:
    called = base.name if base.name == "baseline" else f"baseline, {base.name}"
    if leader is base:
        return f"No arm scores more than the {called}."
    level = [a.name for a in able if a is not leader and a.mean == leader.mean]
    who = f"{_list([leader.name, *level])} lead" if level else f"{leader.name} leads"
    return f"{who}, {leader.gain:+.3f} on {base.name} (adjusted p {_p(leader.p)})."


def _more(leader: Standing, base: Standing, able: Sequence[Standing], terms: Terms, reach: float | None) -> int | None:
    """Questions to add to show that the gain seen is above 0, or that it is below ``worth``, whichever takes fewer.

    0: this many could have shown it. None: no number is enough, or none is known.
    """
    top = max(a.gain for a in able if a is not base)
    # Only a baseline that may be kept is shown to be good enough.
    distances = [d for d in (top, terms.worth - top if base.able else 0.0) if d > 0]
    if reach is None or not distances:
        return None
    factor = (reach / max(distances)) ** 2
    return max(0, ceil(round(terms.n * float(factor - 1), 6)))


def _round(n: int) -> int:
    """Two leading digits: more would pretend to be exact."""
    unit = 10 ** max(len(str(n)) - 2, 0)
    return int(ceil(n / unit) * unit)

"""What the test of this split can show, before anything is spent; if that is too little, how many questions would."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from sharpen import evaluation
from sharpen.data import Dataset
from sharpen.inputs import Split
from sharpen.metrics import bounds_of
from sharpen.study.setting import Setting

DEV, TEST_SHARES = 0.15, (0.40, 0.50, 0.60)  # of a split that is proposed
LARGER = (0.05, 0.1, 0.2)  # gains for which a number is said, too


def proof(setting: Setting, data: Dataset) -> evaluation.Plan:
    """What a test of these clusters can show; its ``says`` end with a split that could show something, if need be."""
    uc, arms = setting.use_case, max(2, len(setting.arms))
    shape = evaluation.plan(data.seal.cluster_sizes, arms, None, uc.worth, uc.alpha, bounds_of(setting.metrics[0]))
    if uc.data.split.folds:  # all that there is is the test
        says = (s.replace("A larger test share, finer sources, or more", "Finer sources or more") for s in shape.says)
        shape = replace(shape, says=tuple(says))
    said = [] if shape.possible else [other_split(setting, data)]
    least = shape.minimum_detectable_difference
    if least is None or least > uc.worth:
        said += enough(setting, data, arms)
    return replace(shape, says=(*shape.says, *said))


def enough(setting: Setting, data: Dataset, arms: int) -> list[str]:
    """How many questions would show what is worth it, and how many are enough for larger gains; nothing is said where
    the metric has no bounds."""
    uc, bounds, sizes = setting.use_case, bounds_of(setting.metrics[0]), data.seal.cluster_sizes
    found = []
    for gain in (uc.worth, *(g for g in LARGER if g >= 2 * uc.worth)):
        number = evaluation.enough(sizes, arms, gain, uc.alpha, bounds)
        if number:
            found.append((gain, *number))
    if not found or found[0][0] != uc.worth:
        return []
    drafted = data.facts["test"].get("came_about") or {}
    which = "confirmed questions" if drafted else "questions"
    gain, n, clusters = found[0]
    alone = clusters == n
    like = "" if alone else f" in about {rounded(clusters)} clusters like these"
    has = f"it has {data.seal.n}" + ("" if alone else f" in {data.seal.n_clusters}")
    if unconfirmed := drafted.get("unconfirmed"):
        has += f", {data.seal.n - unconfirmed} of them confirmed"
    said = f"To show {gain:g} four times in five, the test would need about {rounded(n)} {which}{like} ({has})"
    if uc.data.examples:
        said += f", which is about {rounded(round(n / uc.data.split.test))} in all at this split"
    more = [f"{rounded(n)} for {g:g}" for g, n, _ in found[1:]]
    listed = " and ".join(filter(None, [", ".join(more[:-1]), *more[-1:]]))
    return [f"{said}.{f' Larger gains take fewer: about {listed}.' if more else ''}"]


def rounded(n: int) -> str:
    """Two leading digits, rounded up: more would pretend to be exact."""
    unit = 10 ** max(len(str(n)) - 2, 0)
    return f"{-(-n // unit) * unit:,}"


def needed(alpha: float) -> int:
    """The fewest clusters from which p can fall to ``alpha``."""
    return next(g for g in range(2, 40) if evaluation.smallest_p(g, evaluation.Rule().flips) <= alpha)


def other_split(setting: Setting, data: Dataset) -> str:
    """What would make a verdict possible: a line to add, as far as the examples have enough clusters."""
    uc = setting.use_case
    split, fewest = uc.data.split, needed(uc.alpha)
    if not uc.data.examples:
        what = "questions" if split.by in ("row", "label") else f"{split.by}s"
        return f"Give the test file at least {fewest} {what}."
    if split.by == "time":
        return "Rows over a longer time would help, or a larger test share."
    names = ("test",) if split.folds else ("train", "dev", "test")  # of folds every cluster is tested
    sizes = [n for name in names for n in data.facts[name]["cluster_sizes"]]
    line = "" if split.folds else _line(sizes, fewest, split, split.by)
    if line:
        return line
    line = _line([1] * sum(sizes), fewest, split, "row") if sum(sizes) > len(sizes) else ""
    by = str(data.facts["cluster_by"])
    if len(sizes) >= fewest and not split.folds:
        folds = min(5, len(sizes) // 3)
        what = f"lets all {len(sizes)} clusters count: every question is tested once, every arm built {folds} times."
        return f"--set data.split.folds={folds} {what}"
    few = f"{len(sizes)} in all are too few to split by {by}: bring more of them."
    return f"{few} If later questions will be about these very ones, rows may stand alone: {line}" if line else few


def _line(sizes: list[int], fewest: int, split: Split, by: str) -> str:
    """The smallest of the proposed tests that holds enough clusters however they fall, as an option to type."""
    for share in (s for s in TEST_SHARES if s > split.test or by != split.by):
        held = sum(total <= share * sum(sizes) for total in accumulate(sorted(sizes, reverse=True)))
        if held >= fewest:
            shares = f"train: {1 - DEV - share:.2f}, dev: {DEV}, test: {share:.2f}"
            return f"--set 'data.split={{{shares}, by: {by}, seed: {split.seed}}}' puts at least {held} into the test."
    return ""

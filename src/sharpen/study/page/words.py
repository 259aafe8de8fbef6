"""Sentences of the page that depend on the verdict: its head, what it rests on, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from sharpen.study.page.showing import leader_of, side_of
from sharpen.study.page.values import Facts, known, pointer

KINDS = {"better": "Better", "keep_baseline": "Keep the baseline", "not_decided": "Not decided"}

MUCH = 0.15  # share of answers that hold a reference and are not exactly one, from which that is said
FEW = 0.05  # share of answers that may be read in part or not at all without a word


def arm_at(facts: Facts, name: object) -> str | None:
    """Where an arm of that name stands in the report."""
    for i, arm in enumerate(facts.report.get("arms") or []):
        if arm.get("name") == name:
            return pointer("arms", i)
    return None


def named(facts: Facts, at: str | None, otherwise: str = "an arm") -> Markup:
    """The name of an arm, in letters that keep it together."""
    return facts.text(f"{at}/name", 120, class_="arm-name") if at else Markup(otherwise)


def headline(facts: Facts) -> Markup:
    """The verdict in one short sentence."""
    report = facts.report
    winner, base = arm_at(facts, report.get("winner")), arm_at(facts, report.get("baseline"))
    if report.get("verdict") == "better" and winner:
        return Markup("{} is better than {}.").format(named(facts, winner), _base(facts, base))
    if report.get("verdict") == "keep_baseline":
        return Markup("Keep {}.").format(_base(facts, base))
    return Markup("Not decided: this test cannot tell.")


def _base(facts: Facts, base: str | None) -> Markup:
    if base and facts.get(f"{base}/name") == "baseline":
        return Markup("the baseline")
    return Markup("the baseline, {}").format(named(facts, base, "none")) if base else Markup("the baseline")


def subject(facts: Facts) -> str | None:
    """The arm that the numbers under the headline are about: the chosen one, or the leader."""
    return arm_at(facts, leader_of(facts))


def rests_on(facts: Facts) -> Markup:
    """The numbers of the verdict, in sentences."""
    report, at, base = facts.report, subject(facts), arm_at(facts, facts.report.get("baseline"))
    said = Markup("")
    metric = facts.words("/metric")
    if at and base and at != base:
        leads = Markup("") if report.get("verdict") == "better" else Markup(", the leader,")
        said = Markup("{}{} scores {} by {}, {} scores {}").format(
            named(facts, at), leads, facts.num(f"{at}/mean"), metric, _base(facts, base), facts.num(f"{base}/mean")
        )
        if known(facts.get(f"{at}/delta")):
            said += Markup(": a difference of {}").format(facts.num(f"{at}/delta", "delta"))
        said += _interval(facts, at) + Markup(". ")
    elif base:
        said = Markup("{} scores {} by {}. ").format(_base(facts, base), facts.num(f"{base}/mean"), metric)
        said = Markup("The") + said[3:] if said.startswith("the") else said
    if report.get("folds"):
        return said + _of_folds(facts)
    if report.get("n_clusters") == report.get("n_test"):
        each = Markup("Measured on {} questions that no arm had seen, each taken to stand alone.")
        return said + each.format(facts.num("/n_test", "whole"))
    said += Markup("Measured on {} questions that no arm had seen, from {} independent groups").format(
        facts.num("/n_test", "whole"), facts.num("/n_clusters", "whole")
    )
    said += Markup(" (by {}).").format(facts.text("/cluster_by")) if report.get("cluster_by") else Markup(".")
    return said


def _of_folds(facts: Facts) -> Markup:
    """What was measured in folds: by several programs of an arm, each on what it had not seen."""
    said = Markup(
        "Measured on all {} questions, from {} independent groups (by {}), in {} folds: every arm was built so many "
        "times, and each question answered by programs that had not seen its group."
    )
    whole = (facts.num("/n_test", "whole"), facts.num("/n_clusters", "whole"))
    return said.format(*whole, facts.text("/cluster_by"), facts.num("/folds/n", "whole"))


def _interval(facts: Facts, at: str) -> Markup:
    if not (known(facts.get(f"{at}/delta_ci_low")) and known(facts.get(f"{at}/delta_ci_high"))):
        return Markup("")
    return Markup(" ({}% interval {} to {})").format(
        facts.num("/alpha", "plain", "confidence"),
        facts.num(f"{at}/delta_ci_low", "delta"),
        facts.num(f"{at}/delta_ci_high", "delta"),
    )


def next_steps(facts: Facts) -> list[Markup]:
    """What to do now, most important first."""
    report = facts.report
    by_verdict = {"better": _after_better, "keep_baseline": _after_keep}
    said = by_verdict.get(str(report.get("verdict")), _after_nothing)(facts)
    floors = _of_floors(facts)
    ahead = any(f.get("ahead") for f in report.get("floors") or [])
    said = floors + said if ahead else said + floors
    said += _of_form(facts)
    said += _of_failures(facts)
    if report.get("evidence"):
        label = Markup("<code>sharpen data label QUEUE --who NAME</code>")
        said.insert(0, Markup("Have people decide on the drafts before anything rests on this: {}.").format(label))
    if known(report.get("looks_at_this_test")) and report["looks_at_this_test"] > 1:
        said.append(
            Markup(
                "Collect fresh test questions: these have been looked at {} times, and every look wears them out."
            ).format(facts.num("/looks_at_this_test", "whole"))
        )
    return said


def _after_better(facts: Facts) -> list[Markup]:
    at = subject(facts)
    said = []
    if facts.get(f"{at}/fingerprint"):  # answers that were given come from no program
        ask = Markup('<code>sharpen ask RUN "a question"</code>')
        said.append(Markup("Try it: {}. Take it along: <code>sharpen export RUN --to DIR</code>.").format(ask))
    if at and (facts.get(f"{at}/broken") or 0) > 0:
        said.insert(
            0,
            Markup(
                'Before you ship, read the <a href="#examples">answers that it breaks</a> ({}; it fixes {}).'
            ).format(facts.num(f"{at}/broken", "whole"), facts.num(f"{at}/fixed", "whole")),
        )
    return said


def _after_keep(facts: Facts) -> list[Markup]:
    return [
        Markup("Ship nothing new: no arm{} gains as much as {}, the least that was said to matter.").format(
            " that keeps the constraints" if _some_break(facts) else "", facts.num("/worth", "plain")
        ),
        Markup("If more is needed, change what is tried: a stronger base model, more or other training examples."),
    ]


def _some_break(facts: Facts) -> bool:
    return any(arm.get("broken_constraints") for arm in facts.report.get("arms") or [])


def _after_nothing(facts: Facts) -> list[Markup]:
    report = facts.report
    said = [Markup("Ship nothing on this evidence.")]
    smallest, alpha = report.get("smallest_possible_p"), report.get("alpha")
    if known(smallest) and known(alpha) and smallest > alpha:
        said.append(
            Markup(
                "No result could have decided: with {} groups the smallest possible p is {}, above {}. "
                "Take a larger test share or finer groups."
            ).format(
                facts.num("/n_clusters", "whole"), facts.num("/smallest_possible_p", "p"), facts.num("/alpha", "plain")
            )
        )
    elif known(report.get("minimum_detectable_difference")):
        said.append(
            Markup(
                "Bring more test questions, from more groups: this test shows differences of about {} or more."
            ).format(facts.num("/minimum_detectable_difference"))
        )
    else:
        said.append(Markup("Bring more test questions, from more groups."))
    return said


def _of_floors(facts: Facts) -> list[Markup]:
    floors = list(enumerate(facts.report.get("floors") or []))
    better = [i for i, f in floors if f.get("better")]
    missed = [i for i, f in floors if f.get("beaten") is False and not f.get("better")]

    def names(which: list[int]) -> Markup:
        return Markup(", ").join(facts.text(pointer("floors", i, "name")) for i in which)

    said = []
    if better:
        said.append(Markup("Look at what is cheap and shown to be better than the best arm: {}.").format(names(better)))
    if missed:
        said.append(Markup("Look at the cheap floors first. Not shown to be beaten: {}.").format(names(missed)))
    return said


def _of_form(facts: Facts) -> list[Markup]:
    """Many answers that hold a reference and are none: a question of form, which prompts and tuning can mend."""
    at = subject(facts)
    held, mean = facts.get(f"{at}/contains"), facts.get(f"{at}/mean")
    if not at or facts.report.get("metric") != "exact_match" or not (known(held) and known(mean)):
        return []
    if held - mean < MUCH:
        return []
    return [
        Markup(
            "Look at the form of the answers: {} of those of {} hold a reference and {} are exactly one. Prompts, "
            "worked examples or tuning teach a form; if form does not matter, decide by a metric that forgives it."
        ).format(facts.num(f"{at}/contains"), named(facts, at), facts.num(f"{at}/mean"))
    ]


def _of_failures(facts: Facts) -> list[Markup]:
    found: Mapping[str, Any] = facts.report.get("failures") or {}
    counts = {k: found[k] for k in ("retrieval_miss", "reader_miss", "broken_by_context") if known(found.get(k))}
    if not counts or not max(counts.values()):
        return []
    advice = {
        "retrieval_miss": "{} wrong answers lack the right passage ({} of {} questions): better search would pay most.",
        "reader_miss": "{} wrong answers stay wrong with the right passage ({} of {} questions): "
        "more training examples or a stronger model would pay most.",
        "broken_by_context": "{} wrong answers were right without passages ({} of {} questions): "
        "fewer or cleaner passages would pay most.",
    }
    worst = max(counts, key=lambda k: counts[k])
    share = "Most" if 2 * counts[worst] > sum(counts.values()) else "The largest part of the"
    numbers = facts.num(pointer("failures", worst), "whole"), facts.num("/failures/n", "whole")
    return [Markup(advice[worst]).format(share, *numbers)]


def cautions(facts: Facts) -> list[Markup]:
    """What speaks against the verdict, or limits it."""
    report = facts.report
    said: list[Markup] = []
    at = subject(facts)
    unread, asked = facts.get(f"{at}/n_unparsed"), report.get("n_test")
    if known(unread) and known(asked) and unread > FEW * asked:
        said.append(
            Markup("{} of the answers of {} could not be read as an answer at all; look at its prompt.").format(
                facts.num(f"{at}/n_unparsed", "whole"), named(facts, at)
            )
        )
    said += _of_lines(facts)
    inner = report.get("judged_only")
    if inner and (inner.get("verdict"), inner.get("winner")) != (report.get("verdict"), report.get("winner")):
        said.append(
            Markup(
                "Answers that could not be judged count as wrong, and that matters here. "
                "On the {} questions judged for every arm: {}"
            ).format(facts.num("/judged_only/n_test", "whole"), facts.text("/judged_only/verdict_text", 1000))
        )
    return said


def _of_lines(facts: Facts) -> list[Markup]:
    """Answers of which only the first line was judged: whoever put something before the answer has it wrong."""
    asked = facts.report.get("n_test")
    places = [pointer("arms", i) for i in range(len(facts.report.get("arms") or []))]
    cut = [at for at in places if known(n := facts.get(f"{at}/n_cut")) and known(asked) and n > FEW * asked]
    if not cut:
        return []
    counts = (Markup("{} of {}").format(facts.num(f"{at}/n_cut", "whole"), named(facts, at)) for at in cut)
    return [
        Markup(
            "Of answers that have more than one line only the first is judged: {}. Where something else stands "
            "before the answer, have it left out: of a given one by who wrote it, of a model's by its prompt."
        ).format(Markup(", ").join(counts))
    ]


__all__ = ["KINDS", "arm_at", "cautions", "headline", "next_steps", "rests_on", "side_of", "subject"]

"""From a report to the page: the template, and what it is given."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from sharpen.study.page import chart_arms, chart_bars, chart_cost, chart_curves, levers, showing, words
from sharpen.study.page.values import Facts, known, last, pointer, tidy


def render(report: Mapping[str, Any]) -> str:
    """Return the whole page as HTML."""
    from jinja2 import ChainableUndefined, Environment, PackageLoader

    world = Environment(
        loader=PackageLoader("sharpen.study.page", "templates"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    facts, script = Facts(tidy(report)), _asset("page.js")
    world.globals.update(_ways(facts))
    return world.get_template("page.html").render(
        css=_asset("page.css"),
        js=script,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_hash(script)}'",
        **_said(facts),
        **_listed(facts),
        **_drawn(facts, showing.side_of(facts.report)),
    )


def _ways(facts: Facts) -> dict[str, Any]:
    """What every template may call: the ways to show a value of the report."""

    def highlight(path: str, targets: list[str], most: int, tag: str = "p") -> Markup:
        return showing.highlighted(facts, path, targets, most, tag)

    def position(path: str, row: Any) -> int:
        return int(facts.get(path).index(row))

    shown = {"num": facts.num, "text": facts.text, "any": facts.any, "words": facts.words, "key": facts.key}
    paths = {"r": facts.report, "get": facts.get, "at": pointer, "last": last, "known": known, "r_index": position}
    return {**shown, **paths, "highlight": highlight}


def _said(facts: Facts) -> dict[str, Any]:
    """Sentences, and the arms that they are about."""
    return {
        "kinds": words.KINDS,
        "headline": words.headline(facts),
        "rests_on": words.rests_on(facts),
        "steps": words.next_steps(facts),
        "cautions": words.cautions(facts),
        "subject": words.subject(facts),
        "through": words.arm_at(facts, showing.seen_through(facts)),
        "side": showing.side_of(facts.report),
        "causes": chart_bars.CAUSES,
    }


def _listed(facts: Facts) -> dict[str, Any]:
    """Rows of tables, cards of examples, and how much of each is shown."""
    report = facts.report
    arms = [(pointer("arms", i), a) for i, a in enumerate(report.get("arms") or [])]
    seeds = [str(s.get("name")) for s in report.get("seeds") or []]
    limits = {"answer": showing.MOST_ANSWER, "passage": showing.MOST_PASSAGE, "question": showing.MOST_QUESTION}
    return {
        "tested": [(at, a) for at, a in arms if known(a.get("mean"))],
        "away": [(at, a) for at, a in arms if not known(a.get("mean"))],
        "seeded": [at for at, a in arms if any(s.startswith(f"{a.get('name')} (seed ") for s in seeds)],
        "split": any(known(a.get("form_gain")) for _, a in arms),
        "several": any((a.get("calls_per_answer") or 0) > 1 for _, a in arms),
        "schemas": any(known(a.get("valid")) for _, a in arms),
        "refusing": any(a.get("n_refused") for _, a in arms),
        "metrics": [m for m in report.get("metrics") or [] if m != report.get("metric")],
        "prompts": _prompts(report.get("prompts") or {}),
        "levers": levers.levers_of(facts),
        "examples": showing.examples_of(facts),
        "limits": {**limits, "cards": showing.SHOWN_AT_ONCE},
    }


def _drawn(facts: Facts, side: int) -> dict[str, Any]:
    """The charts; an empty one is left out by the template."""
    curves = chart_curves.curves_of(facts)
    most = chart_curves.most_of(curves)
    return {
        "arms_chart": chart_arms.chart_arms(facts, side),
        "deltas_chart": chart_arms.chart_deltas(facts, side),
        "cost_chart": chart_cost.chart_cost(facts, side),
        "time_chart": chart_cost.chart_cost(facts, side, "p95_seconds"),
        "changes_chart": chart_bars.chart_changes(facts, side),
        "failures_chart": chart_bars.chart_failures(facts),
        "curves": [(c, chart_curves.chart_curve(c, most)) for c in curves],
    }


def _asset(name: str) -> Markup:
    return Markup((files("sharpen.study.page") / "templates" / name).read_text(encoding="utf-8"))


def _hash(script: str) -> str:
    """What the page's content policy lets run: this script and no other."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _prompts(prompts: Mapping[str, Any]) -> list[list[str]]:
    """Where each different prompt stands, all of its arms together."""
    found: dict[str, list[str]] = {}
    for name, prompt in prompts.items():
        found.setdefault(str(prompt), []).append(pointer("prompts", name))
    return list(found.values())

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
    report = tidy(report)
    facts = Facts(report)
    world.globals.update(
        r=report,
        num=facts.num,
        text=facts.text,
        any=facts.any,
        words=facts.words,
        key=facts.key,
        get=facts.get,
        at=pointer,
        known=known,
        last=last,
        r_index=lambda path, row: facts.get(path).index(row),
    )
    arms, script = report.get("arms") or [], _asset("page.js")
    seeds = [str(s.get("name")) for s in report.get("seeds") or []]
    side = showing.side_of(report)
    curves = chart_curves.curves_of(facts)
    most = chart_curves.most_of(curves)
    said = world.get_template("page.html").render(
        css=_asset("page.css"),
        js=script,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_hash(script)}'",
        prompts=_prompts(report.get("prompts") or {}),
        seeded=[
            pointer("arms", i)
            for i, a in enumerate(arms)
            if any(s.startswith(f"{a.get('name')} (seed ") for s in seeds)
        ],
        tested=[(pointer("arms", i), a) for i, a in enumerate(arms) if known(a.get("mean"))],
        away=[(pointer("arms", i), a) for i, a in enumerate(arms) if not known(a.get("mean"))],
        side=side,
        kinds=words.KINDS,
        headline=words.headline(facts),
        rests_on=words.rests_on(facts),
        steps=words.next_steps(facts),
        cautions=words.cautions(facts),
        subject=words.subject(facts),
        through=words.arm_at(facts, showing.seen_through(facts)),
        arms_chart=chart_arms.chart_arms(facts, side),
        deltas_chart=chart_arms.chart_deltas(facts, side),
        split=any(known(a.get("form_gain")) for a in arms),
        cost_chart=chart_cost.chart_cost(facts, side),
        time_chart=chart_cost.chart_cost(facts, side, "p95_seconds"),
        changes_chart=chart_bars.chart_changes(facts, side),
        failures_chart=chart_bars.chart_failures(facts),
        causes=chart_bars.CAUSES,
        curves=[(c, chart_curves.chart_curve(c, most)) for c in curves],
        levers=levers.levers_of(facts),
        examples=showing.examples_of(facts),
        highlight=lambda path, targets, most, tag="p": showing.highlighted(facts, path, targets, most, tag),
        limits={
            "answer": showing.MOST_ANSWER,
            "passage": showing.MOST_PASSAGE,
            "question": showing.MOST_QUESTION,
            "cards": showing.SHOWN_AT_ONCE,
        },
        metrics=[m for m in report.get("metrics") or [] if m != report.get("metric")],
    )
    return said


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

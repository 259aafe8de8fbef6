"""From a report to the page: the template, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharpen.study.page.values import Facts, pointer


def render(report: Mapping[str, Any]) -> str:
    """Return the whole page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    world = Environment(
        loader=PackageLoader("sharpen.study.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    facts = Facts(report)
    world.globals.update(r=report, num=facts.num, text=facts.text, get=facts.get, at=pointer)
    return world.get_template("page.html").render()

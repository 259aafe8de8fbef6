"""From a profile to the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharpen.data.page.lengths import BINS
from sharpen.data.page.shelf import shelf_remarks
from sharpen.data.protecting import PUBLIC

WIDTH, ROW = 480, 21  # pixels of a chart, and of one of its bars
NAMES = 168  # pixels for what stands before a bar
LETTER = 7.4  # pixels of one, about


def render(profile: Mapping[str, Any], name: str, goal: str = "", beside: Mapping[str, Any] | None = None) -> str:
    """Return the page as one HTML text that asks nothing of any other place.

    Args:
        profile: as :func:`sharpen.data.page.profile` makes it.
        name: of the use case.
        goal: what it is for.
        beside: where they are there, the ``gate`` (see :func:`sharpen.data.page.gate.standing`), a ``review`` (see
            :func:`sharpen.data.sampling.reviewed`) and a ``sample`` with its size and distances.
    """
    known = {"gate": None, "review": None, "sample": None, **(beside or {})}
    template = _world().get_template("data.html")
    return str(template.render(p=profile, name=name, goal=goal, remarks=remarks(profile), **known))


def render_shelf(found: Mapping[str, Any], name: str, goal: str = "") -> str:
    """The same for documents alone (see :func:`sharpen.data.page.shelf.shelf`)."""
    template = _world().get_template("documents.html")
    return str(template.render(p=found, name=name, goal=goal, remarks=shelf_remarks(found)))


def _world() -> Any:
    from jinja2 import Environment, PackageLoader

    world = Environment(
        loader=PackageLoader("sharpen.data.page", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    world.globals.update(bars=bars, columns=columns, percent=percent, counted=counted, tally=tally)
    return world


def tally(counts: Mapping[str, int] | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Counts by name, or rows with a name and ``n``, as rows of a chart."""
    pairs = counts.items() if isinstance(counts, Mapping) else [(r["name"], r["n"]) for r in counts]
    return [{"name": name, "train": n} for name, n in pairs]


def counted(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups as rows of a chart."""
    return [{"name": g["group"], "train": g["n"]} for g in groups]


def percent(share: float | None) -> str:
    """A share as people write it."""
    return "–" if share is None else f"{100 * share:.1f}%"


def remarks(profile: Mapping[str, Any]) -> list[str]:
    """What somebody should look at first, in sentences."""
    found = first_remarks(profile)
    lengths = profile["lengths"]
    if lengths["too_long"]:
        found.append(
            f"{lengths['too_long']} rows are longer than the {lengths['context']} tokens that the model reads."
        )
    if profile["leaks"]:
        found.append(f"{sum(profile['leaks'].values())} rows gave away rows of a later split, and were dropped.")
    if profile["repeated"]["share"] > 0.05:
        found.append(f"{percent(profile['repeated']['share'])} of the questions are nearly the same as another one.")
    told = {kind: n for kind, n in (profile["personal"] or {}).items() if kind not in PUBLIC}
    if told:
        n = sum(told.values())
        kinds = ", ".join(f"{n} {kind}" for kind, n in told.items())
        found.append(f"{n} {'place looks' if n == 1 else 'places look'} like personal data: {kinds}.")
    if (doubts := profile["doubts"]) and (n := len(doubts["suspects"])):
        found.append(
            f"{n} {'label is' if n == 1 else 'labels are'} likely wrong: look at {'it' if n == 1 else 'them'}."
        )
    return found


def first_remarks(profile: Mapping[str, Any]) -> list[str]:
    """Those that take one pass over the rows (see :func:`sharpen.data.page.profile.brief`), each a line."""
    found = []
    sources, labels = profile["sources"], profile["labels"]
    if sources["one_source"]:
        said = f"{percent(sources['largest_share'])} of train and dev come from one source, {sources['largest']}"
        found.append(f"{said}: what is learned may hold for that source only.")
    if (told := profile["history"]) and told["n_lost"]:
        some = ", ".join(r["source"] for r in told["lost"][:3]) + (", …" if told["n_lost"] > 3 else "")
        found.append(f"{told['n_lost']} {'source has' if told['n_lost'] == 1 else 'sources have'} no row left: {some}.")
    if labels and labels["imbalanced"]:
        what = f"the largest class has {labels['imbalance']:g} times the examples of the smallest"
        found.append(f"Classes are far from balanced: {what}. Judge by macro_f1 as well.")
    if profile["dialogue"]["too_much"]:
        said = f"{percent(profile['dialogue']['share'])} of the rows are conversations"
        found.append(f"{said}: a model tuned on them may take every text for the beginning of one. Add plain rows.")
    found += _of_bias(profile["bias"])
    if profile["bias"]["skewed"]:
        named = ", ".join(row["label"] for row in profile["bias"]["skewed"][:5])
        found.append(f"Words of one gender are far more frequent in: {named}.")
    return found


def _of_bias(bias: Mapping[str, Any]) -> list[str]:
    found = []
    if broken := [r for r in bias["rates"] if r["shown"]]:
        some = ", ".join(f"{r['label']} (rarest in {r['low']['group']}: {r['ratio']:.2f})" for r in broken[:3])
        found.append(f"{len(broken)} classes break the 0.8 rule between groups of people: {some}.")
    if skewed := [r["name"] for r in bias["occupations"]["rows"] if r["skewed"]]:
        found.append(f"Occupations that stand beside one gender more than others do: {', '.join(skewed[:5])}.")
    if n := bias["offensive"]["rows"]:
        found.append(f"{n} {'row holds' if n == 1 else 'rows hold'} offensive words.")
    return found


def bars(rows: list[dict[str, Any]], series: list[str], title: str, names: int = NAMES) -> Any:
    """Horizontal bars, one row a name, one colour a series, with their numbers; ``names`` are pixels for the names."""
    from markupsafe import Markup

    most = max((sum(int(row.get(s) or 0) for s in series) for row in rows), default=0) or 1
    room = WIDTH - names - 60
    made = []
    for i, row in enumerate(rows):
        y, x = i * ROW, float(names)
        whole, cut = str(row["name"]), _cut(str(row["name"]), int(names / LETTER))
        named = Markup('<text class="name" x="{}" y="{}">{}<title>{}</title></text>')
        made.append(named.format(names - 8, y + 15, cut, whole))
        for s in series:
            n = int(row.get(s) or 0)
            width = room * n / most
            shape = '<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}"><title>{}: {}</title></rect>'
            made.append(Markup(shape).format(s, x, y + 3, width, ROW - 6, whole if len(series) == 1 else s, n))
            x += width
        total = sum(int(row.get(s) or 0) for s in series)
        made.append(Markup('<text x="{:.1f}" y="{}">{:,}</text>').format(x + 6, y + 15, total))
    head = '<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>'
    top = Markup(head).format(WIDTH, len(rows) * ROW + 4, title, title)
    return top + Markup("").join(made) + Markup("</svg>")


def columns(histogram: Mapping[str, Any], unit: str, title: str, split: str = "train", most: int = 0) -> Any:
    """A histogram with its steps below it; the last of 17 columns holds all that is longer.

    Args:
        histogram: as :func:`sharpen.data.page.lengths.histogram` makes it.
        unit: of its values.
        title: of the chart.
        split: whose colour it has.
        most: columns of the chart, so that two can be held against each other; 0: as many as there are.
    """
    from markupsafe import Markup

    counts, step = histogram["counts"], histogram["step"]
    highest, n, height = max(counts, default=0) or 1, max(most, len(counts)) or 1, 110
    width = WIDTH / n
    made = []
    for i, count in enumerate(counts):
        tall = height * count / highest
        said = f"{i * step} {unit} or more" if i == BINS else f"{i * step} to {(i + 1) * step - 1} {unit}"
        shape = '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {}</title></rect>'
        wide = max(1.0, width - 2)
        made.append(Markup(shape).format(split, i * width + 1, height - tall + 4, wide, tall, said, count))
    for i in range(0, n, max(1, -(-n // 8))):
        more = "+" if i == BINS else ""
        x = min(i * width + 1, WIDTH - LETTER * len(f"{i * step:,}{more}"))  # the last one is whole
        made.append(Markup('<text x="{:.1f}" y="{}">{:,}{}</text>').format(x, height + 20, i * step, more))
    head = '<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>'
    return Markup(head).format(WIDTH, height + 26, title, title) + Markup("").join(made) + Markup("</svg>")


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"

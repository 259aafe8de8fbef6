"""A report that was written, read back: as a table, as a page in a notebook, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.evaluation.shown import gain, html_table, interval, p_value
from sharpen.store import read_json
from sharpen.study.evidence import came_about
from sharpen.study.folder import ANEW


@dataclass(frozen=True)
class Report:
    """``data`` is ``report.json``; printing shows the table and the verdict, a notebook shows the page's head."""

    path: Path
    data: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    @property
    def verdict(self) -> str:
        """better, keep_baseline or not_decided."""
        return str(self.data["verdict"])

    @property
    def winner(self) -> str | None:
        """The chosen arm, or None."""
        return self.data["winner"]  # type: ignore[no-any-return]

    def arm(self, name: str) -> Mapping[str, Any]:
        """One arm's row."""
        for row in self.data["arms"]:
            if row["name"] == name:
                return row  # type: ignore[no-any-return]
        names = ", ".join(r["name"] for r in self.data["arms"])
        raise UserError(f"there is no arm called {name!r}.", str(self.path), f"There are: {names}.")

    def __str__(self) -> str:
        return table(self.data)

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self.data['verdict_text'])}</b></p>{html_table(HEAD, _rows(self.data))}"


HEAD = ("arm", "score", "95% interval", "vs baseline", "95% interval", "p", "holds ref.", "p95 s", "cost")


def _rows(data: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for arm in data["arms"]:
        if arm["status"] != "tested":
            rows.append([arm["name"], arm["status"], "", "", "", "", "", "", ""])
            continue
        mark = " *" if arm["name"] == data["winner"] else ""
        rows.append(
            [
                arm["name"] + mark,
                f"{arm['mean']:.3f}",
                interval(arm["ci_low"], arm["ci_high"], ".3f"),
                gain(arm["delta"]),
                interval(arm["delta_ci_low"], arm["delta_ci_high"], "+.3f"),
                p_value(arm["p_adjusted"]),
                "" if arm["contains"] is None else f"{arm['contains']:.3f}",
                "" if arm["p95_seconds"] is None else f"{arm['p95_seconds']:.2f}",
                "" if arm["cost_total"] is None else f"{arm['cost_total']:.2f}",
            ]
        )
    for kind in ("floors", "oracles"):
        for row in data[kind]:
            holds = "" if row.get("contains") is None else f"{row['contains']:.3f}"
            mean = "" if row["mean"] is None else f"{row['mean']:.3f}"
            rows.append([f"({kind[:-1]}) {row['name']}", mean, "", "", "", "", holds, "", ""])
    return rows


def table(data: Mapping[str, Any]) -> str:
    """The table of arms and the verdict, as text."""
    rows = [list(HEAD), *_rows(data)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(r, widths, strict=True))
        ).rstrip()
        for r in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    n, by = data["n_test"], data["cluster_by"]
    folds = f", in {data['folds']['n']} folds" if data.get("folds") else ""
    facts = f"{data['metric']} on {n} test questions {groups(n, data['n_clusters'], by)}{folds}"
    facts += f" ({data['evidence']})" if data.get("evidence") else ""
    return "\n".join([facts, *lines, *_legend(data), "", data["verdict_text"], *_gaps(data), *_requests(data)])


def _gaps(data: Mapping[str, Any]) -> list[str]:
    """How far groups are apart, a line for each column."""
    lines = []
    for row in data.get("groups") or []:
        each = [f"{a['arm']} {a['gap']:.3f} ({interval(a['low'], a['high'], '.3f')})" for a in row["arms"]]
        change = row["change"]
        more = f"; change {gain(change['delta'])} ({interval(change['low'], change['high'], '+.3f')})" if change else ""
        lines.append(f"Gap between groups by {row['by']}: {', '.join(each)}{more}." if each else row["why"])
    return ["", *lines] if lines else []


def _requests(data: Mapping[str, Any]) -> list[str]:
    """Which data to ask for next, in a line; none where no slice is weak."""
    weak = (data.get("requests") or {}).get("weak") or []
    if not weak:
        return []
    some = [f"{r['facet']} {r['value']} ({r['wrong']} of {r['n']} wrong)" for r in weak[:3]]
    more = f" and {len(weak) - 3} more slices" if len(weak) > 3 else ""
    return ["", f"Data to ask for next, by what {data['requests']['arm']} gets wrong on dev: {', '.join(some)}{more}."]


def _legend(data: Mapping[str, Any]) -> list[str]:
    """What the columns mean, where their heads are too short to say it."""
    answers = (data.get("costs") or {}).get("answers")
    spread = f"; cost: of building once and of {answers:,} answers" if answers else ""
    said = [f"{'*: chosen; ' if data['winner'] else ''}holds ref.: share of answers that hold a reference{spread}"]
    if data.get("weights"):
        least, most = data["weights"]
        said.append(f"scores are weighted by what each row says of its weight, from {least:g} to {most:g}")
    if told := came_about(data["data"]) if data.get("data") else "":
        said.append(told.rstrip("."))
    arms = [a for a in data["arms"] if a["p_adjusted"] is not None and a["p_adjusted"] < data["alpha"]]
    if any((a["delta_ci_low"] or 0) <= 0 <= (a["delta_ci_high"] or 0) for a in arms):
        said.append("p holds for all arms against the baseline, intervals for all pairs of arms; a verdict needs both")
    return said


def groups(questions: int, clusters: int, by: str) -> str:
    """Say which questions belong together, as in ``120 questions from 14 clusters (source)``."""
    return "that stand alone" if clusters == questions else f"from {clusters:,} cluster{'s'[: clusters - 1]} ({by})"


def read_report(path: Path | str) -> Report:
    """Read the report of a run's folder.

    Raises:
        UserError: there is none yet, or it is damaged.
    """
    folder = Path(path).resolve()
    file = folder / "report.json"
    if not file.is_file():
        within = sorted(folder.glob("runs/*/report.json"))
        do = f"Name the run: {', '.join(str(Path(path, 'runs', p.parent.name)) for p in within[:3])}" if within else ""
        raise UserError("holds no report.", str(path), do or "Finish the study with: sharpen run")
    return Report(folder, read_json(file, _whole, ANEW))


def _whole(data: Any) -> dict[str, Any]:
    """A report that has what its readers need."""
    if not (table(data) and data["verdict"] and data["baseline"] and data["environment"]["engine"]):
        raise ValueError
    return dict(data)

"""A study on drafts runs and says everywhere that it is no evidence; confirmed ones are counted by who confirmed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import sharpen
from sharpen.study.evidence import came_about, evidence, stamp
from sharpen.study.reading import read_report

ARMS = ["arms=[baseline, retrieve]"]


def mark(towns: Path, rows_of: object) -> None:
    path = towns.parent / "questions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    marked = [{**row, **rows_of(n)} for n, row in enumerate(rows)]  # type: ignore[operator]
    path.write_text("".join(json.dumps(row) + "\n" for row in marked))


def facts(n: int, **known: object) -> dict[str, object]:
    return {"test": {"n": n, "came_about": known}}


def test_sentences_by_hand() -> None:
    none = {"drafted": 4, "edited": 0, "origins": {"gap": 3, "heading": 1}, "confirmed_by": {}}
    assert stamp(facts(9, unconfirmed=1, **none)) == (
        "Unconfirmed: not evidence, because 1 of the 9 test questions is a draft that no person stands behind."
    )
    assert "because all 4 test questions are drafts" in stamp(facts(4, unconfirmed=4, **none))
    assert (stamp(facts(9)), evidence(facts(9)), came_about(facts(9))) == ("", "", "")
    assert came_about(facts(9, unconfirmed=4, **none)) == (
        "4 of the 9 test questions were proposed (gap 3, heading 1); 0 of these confirmed by people."
    )
    assert stamp({"test": {"n": 3}}) == "", "data prepared by an earlier version"


def test_a_study_on_drafts_runs_and_is_stamped(towns: Path) -> None:
    mark(towns, lambda n: {"origin": "gap" if n % 2 else "heading", "confirmed": False})
    found = sharpen.check(towns, ARMS)
    n = found["data"]["test"]["n"]
    says = f"Unconfirmed: not evidence, because all {n} test questions are drafts that no person stands behind."
    assert (found["evidence"], found["proof"][0]) == ("unconfirmed: not evidence", says)
    assert any(f"nobody confirmed: {found['data']['train']['n']} of train" in note for note in found["notes"])

    report = sharpen.run(towns, settings=ARMS)
    assert report["evidence"] == "unconfirmed: not evidence"
    assert report["verdict_text"].startswith(says)
    printed = str(report).splitlines()
    assert printed[0].endswith("(unconfirmed: not evidence)")
    assert says in printed[-1]
    assert says in report._repr_html_()
    page = (report.path / "report.html").read_text()
    body = page[page.index("<body") :]
    assert body.index("unconfirmed: not evidence") < body.index("<h1>")
    assert says in re.sub("<[^>]+>", "", body)
    assert sum(report["data"]["test"]["came_about"]["origins"].values()) == n


def test_what_people_confirmed_is_counted_by_who_and_not_stamped(towns: Path) -> None:
    who = [["ann"], ["ben"], ["ann", "ben"]]
    mark(
        towns,
        lambda n: (
            {"origin": "gap", "confirmed": True, "confirmed_by": who[n % 3], "edited": n % 2 == 0} if n % 4 else {}
        ),
    )
    report = sharpen.run(towns, settings=ARMS)
    assert report["evidence"] == ""
    assert "onfirmed: not" not in str(report)
    known = report["data"]["test"]["came_about"]
    assert 0 < known["drafted"] < report["n_test"]
    assert known["unconfirmed"] == 0
    assert known["origins"] == {"gap": known["drafted"]}
    assert set(known["confirmed_by"]) == {"ann", "ben"}
    assert sum(known["confirmed_by"].values()) > known["drafted"], "two people stand behind some"
    assert f"{known['drafted']} of the {report['n_test']} test questions were proposed (gap" in str(report)
    page = (report.path / "report.html").read_text()
    assert "How the test questions came about" in page
    assert 'class="stamp"' not in page


def test_a_column_called_confirmed_is_no_draft(towns: Path) -> None:
    mark(towns, lambda n: {"confirmed": False})
    found = sharpen.check(towns, ARMS)
    assert (found["evidence"], found["data"]["test"]["came_about"]) == ("", {})


def test_a_report_of_an_earlier_version_is_read(towns: Path) -> None:
    report = sharpen.run(towns, settings=ARMS)
    old = json.loads((report.path / "report.json").read_text())
    del old["evidence"]
    for name in ("train", "dev", "test"):
        del old["data"][name]["came_about"]
    (report.path / "report.json").write_text(json.dumps(old))
    assert "not evidence" not in str(read_report(report.path))


@pytest.mark.parametrize("word", ["False", "no", "0", False, ""])
def test_tables_write_no_in_many_ways(towns: Path, word: object) -> None:
    mark(towns, lambda n: {"origin": "gap", "confirmed": word})
    assert sharpen.check(towns, ARMS)["evidence"] == "unconfirmed: not evidence"

"""A study whose test is the newest: learned from what came before it, weighed by the calendar."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

from towns_data import write_towns

import sharpen


def test_the_newest_are_tested_and_days_are_the_clusters(tmp_path: Path) -> None:
    towns = write_towns(tmp_path / "towns", documents=12)
    file = towns.parent / "questions.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    asked = [date(2024, 1, 1) + timedelta(days=i // 3) for i in range(120)]  # three a day, 40 days
    file.write_text("".join(json.dumps({**r, "asked": str(d)}) + "\n" for r, d in zip(rows, asked, strict=True)))
    split = "data.split={train: 0.4, dev: 0.2, test: 0.4, by: time}"
    settings = ["arms=[baseline, retrieve + few_shot]", "data.columns={time: asked}", split]
    found = sharpen.check(towns, settings)
    assert found["proof"][0].startswith("The test holds 48 questions in 16 clusters")  # the last 16 days
    assert any("test 2024-01-25 to 2024-02-09. Questions of one day count as one cluster." in n for n in found["notes"])
    report = sharpen.run(towns, settings=settings)
    assert (report["n_test"], report["n_clusters"], report["cluster_by"]) == (48, 16, "time")
    answers = (report.path / "arms" / "baseline" / "answers.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in answers} == {f"questions:{n}" for n in range(73, 121)}
    assert {s["name"] for s in report["slices"]} == {str(d) for d in asked[72:]}
    assert "from 16 clusters (time)" in str(report)

"""Groups named by a column: sampled by it, scored by it, before and after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sharpen
from sharpen.data import balanced, open_sampler
from sharpen.errors import UserError
from sharpen.types import Example, Message


def row(i: int, segment: str) -> Example:
    return Example(
        str(i), (Message("user", f"q {i}"),), ("x",), labels=("x",), meta={"segment": segment} if segment else {}
    )


def test_segments_count_alike_and_who_has_none_stays() -> None:
    train = [row(i, s) for i, s in enumerate(["home"] * 9 + ["shop"] * 3 + [""] * 2)]
    made = balanced("reweight", open_sampler("reweight", {"by": "segment"}), train, by_target=False)
    assert (made.before, made.after) == ({"home": 9, "shop": 3}, {"home": 6, "shop": 6})
    assert [e.id for e in made.examples if "segment" not in e.meta] == ["12", "13"]
    more = balanced("oversample", open_sampler("oversample", {"by": "segment"}), train, by_target=False)
    assert more.after == {"home": 9, "shop": 9}
    fewer = balanced("undersample", open_sampler("undersample", {"by": "segment"}), train, by_target=False)
    assert fewer.after == {"home": 3, "shop": 3}


def test_a_column_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match=r"two values or more of the column 'age'.*they have: segment"):
        balanced("reweight", open_sampler("reweight", {"by": "age"}), [row(0, "a"), row(1, "b")], by_target=False)
    with pytest.raises(UserError, match="the option by is 3"):
        open_sampler("reweight", {"by": 3})


def test_scores_by_group_and_the_gap_stand_in_the_report(towns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARPEN_HOME", str(towns.parent / "home"))
    file = towns.parent / "questions.jsonl"
    rows = [json.loads(x) for x in file.read_text().splitlines()]
    for r in rows:
        r["segment"] = "building" if "built" in r["question"] else "paint"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    arm = "{name: fair, does: reweight(by='segment') + retrieve(k=3) + few_shot(k=3)}"
    report = sharpen.run(towns, settings=[f"arms=[baseline, {arm}]", "groups=[nothing]"])
    nothing, found = report["groups"]
    assert nothing["why"].startswith("Gap between groups by nothing: not judged")
    assert (found["by"], [a["arm"] for a in found["arms"]]) == ("segment", ["baseline", "fair"])
    (prepared,) = (towns.parent / "home" / "data").glob("*/sealed/test.jsonl")
    segment = {e["id"]: e["meta"]["segment"] for e in map(json.loads, prepared.open())}
    for n, arm in enumerate(("baseline", "fair")):
        answers = [json.loads(x) for x in (report.path / "arms" / arm / "answers.jsonl").open()]
        for v in found["values_of"]:
            scores = [a["scores"]["exact_match"] for a in answers if segment[a["id"]] == v["value"]]
            assert v["scores"][n]["mean"] == pytest.approx(sum(scores) / len(scores))
            assert v["n"] == len(scores)
        means = [v["scores"][n]["mean"] for v in found["values_of"]]
        assert found["arms"][n]["gap"] == pytest.approx(max(means) - min(means))
    assert found["change"]["delta"] == pytest.approx(found["arms"][1]["gap"] - found["arms"][0]["gap"])
    assert "Gap between groups by segment: baseline " in str(report)
    assert 'data-path="/groups/1/change/delta"' in (report.path / "report.html").read_text()

"""Where retrieving arms fail: each cause by hand, and a whole study's report."""

from __future__ import annotations

import json
from typing import Any

import pytest

import sharpen
from sharpen.study.abstention import abstained
from sharpen.study.diagnosis import interval
from sharpen.types import Answer, Example, Message, Passage, Span

SETTINGS = ["arms=[baseline, 'retrieve(k=1, how=\"bm25\") + few_shot(k=3, draws=1)']", "racing=false"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from towns_data import write_towns

    folder = tmp_path_factory.mktemp("diagnosed")
    file = write_towns(folder / "towns")
    rows = [json.loads(x) for x in (folder / "towns" / "questions.jsonl").open()]
    for n, r in enumerate(rows):
        r.setdefault("evidence", None)
        if n % 10 == 0:  # the place that is named holds no answer, and a search by words will not find it
            town = r["source"]
            text = (folder / "towns" / "documents" / town).read_text()
            r["evidence"] = next(s for s in text.split("\n\n")[2:] if r["answers"][0] not in s)
        if r["evidence"] is None:
            del r["evidence"]
    (folder / "towns" / "questions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHARPEN_HOME", str(folder / "home"))
        report = sharpen.run(file, settings=SETTINGS)
    assert (report.path / "report.html").read_text().count('id="diagnosis"') == 1
    return dict(report.data)


def test_every_question_with_a_known_place_has_one_cause(found: dict[str, Any]) -> None:
    (row,) = found["diagnosis"]["arms"]
    assert row["k"] == 1
    for part in ("dev", "test"):
        causes = {name: c["count"] for name, c in row[part]["causes"].items()}
        assert sum(causes.values()) == row[part]["n"] > 0
        assert causes["right"] / row[part]["n"] == pytest.approx(row[part]["causes"]["right"]["value"])
        search = row[part]["search"]
        assert search["recall@1"]["value"] <= search["recall@3"]["value"] <= search["recall@10"]["value"]
        assert search["mrr@10"]["value"] >= search["recall@1"]["value"]
        assert all(c["low"] is None or c["low"] <= c["value"] <= c["high"] for c in search.values())


def test_dev_questions_are_shown_and_none_of_the_test(found: dict[str, Any]) -> None:
    (row,) = found["diagnosis"]["arms"]
    assert "examples" not in row["test"]
    assert {e["cause"] for e in row["examples"]} <= {"refused", "retrieval_miss", "reader_miss", "broken_by_context"}
    known = {e["id"] for e in found["examples"]}
    assert not {e["id"] for e in row["examples"]} & known


def test_an_interval_is_over_clusters() -> None:
    made = interval([1.0, 0.0] * 20, [str(i // 5) for i in range(40)])
    assert made["value"] == 0.5
    assert made["low"] < 0.5 < made["high"]


def test_refusals_and_the_curve_by_hand() -> None:
    def answer(score: float, finish: str = "stop") -> Answer:
        return Answer("x", passages=(Passage("p", "t", Span("a", 0, 1), score),), finish=finish)

    examples = [Example(str(i), (Message("user", "?"),), answerable=i != 3) for i in range(5)]
    answers = [answer(0.9), answer(0.8), answer(0.7), answer(0.6), answer(0.1, "refused")]
    made = abstained(examples, answers, [True, True, False, False, False])
    assert made is not None
    assert (made["answered_right"], made["answered_wrong"], made["refused_wrong"]) == (2, 1, 1)
    assert (made["refused_right"], made["answered_unanswerable"], made["f1"]) == (0, 1, 0.0)
    risks = {p["coverage"]: p["risk"] for p in made["curve"]}
    assert risks[0.8] == 0.5
    assert risks[0.6] == pytest.approx(1 / 3)
    assert risks[0.4] == 0
    assert max(risks) == 0.8
    assert abstained(examples[:2], answers[:2], [True, True]) is None

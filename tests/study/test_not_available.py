"""Arms that a technique, the data or the program rules out: said with the reason, and the study goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sharpen
from sharpen.errors import UserError

SETTINGS = ["data.documents=null"]


def rewrite(towns: Path, **changes: str) -> None:
    """Give each row of the questions a field, or another form; ``{question}`` and ``{answer}`` are filled in."""
    path = towns.parent / "questions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    documents = {p.name: p.read_text() for p in (towns.parent / "documents").iterdir()}
    made = []
    for row in rows:
        if "context" in changes:
            row["context"] = documents[row["source"]]
            row.pop("evidence", None)
        if "messages" in changes:
            turns = [("user", "Hello."), ("assistant", "Good day."), ("user", row["question"])]
            turns.append(("assistant", row["answers"][0]))
            row = {"messages": [{"role": r, "content": c} for r, c in turns], "source": row["source"]}
        made.append(json.dumps(row) + "\n")
    path.write_text("".join(made))


def test_contexts_in_rows_are_retrieved_from(towns: Path) -> None:
    """The commonest public shape: question, answers, context, and no documents folder."""
    rewrite(towns, context="")
    report = sharpen.run(towns, settings=SETTINGS)
    assert any("retrieve" in a["name"] for a in report["arms"]), "the task's own arms for documents"
    assert report.arm("retrieve + few_shot")["mean"] > report.arm("few_shot")["mean"]


def test_nothing_to_retrieve_from_is_said_before_anything_is_computed(towns: Path) -> None:
    with pytest.raises(UserError, match="retrieve needs documents, and there are none"):
        sharpen.run(towns, settings=[*SETTINGS, "arms=[baseline, retrieve + lora]"])
    assert not (towns.parent / "runs" / "towns" / "plan.json").exists()


def test_two_techniques_that_train_are_not_available_in_one_arm(towns: Path) -> None:
    report = sharpen.run(towns, settings=["arms=[baseline, lora, lora + lora]"])
    assert report.arm("lora + lora")["status"] == "not available"
    assert "tuned already" in json.dumps(report["not_measured"])
    assert report.arm("lora")["status"] != "not available"


def test_conversations_cannot_be_shown_as_single_questions(towns: Path) -> None:
    rewrite(towns, messages="")
    report = sharpen.run(towns, settings=["task=chat", "arms=[baseline, few_shot, nearest_shots, lora]"])
    for name in ("few_shot", "nearest_shots"):
        assert report.arm(name)["status"] == "not available"
    assert "no training example can be shown" in json.dumps(report["not_measured"])
    assert report.arm("lora")["delta"] is not None

"""What cleaners are told by a use case, and what comes of it: relevance, files of texts, scores, imputed columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sharpen import config, data
from sharpen.data.curated import texts_of
from sharpen.errors import UserError
from sharpen.inputs import Data

SPLIT = {"train": 0.6, "dev": 0.2, "test": 0.2, "by": "row"}
THINGS = ("parcel", "letter", "box", "crate", "card")
DAYS = ("Monday", "Tuesday", "Friday")


def row(i: int) -> dict[str, Any]:
    thing, day = THINGS[i % 5], DAYS[i % 3]
    return {"question": f"When does {thing} {i} sent on {day} reach my house?", "answer": f"after {i} days"}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "case"
    (folder / "docs").mkdir(parents=True)
    for n, thing in enumerate(THINGS):
        text = f"Each {thing} sent on Monday or Tuesday will reach the house of {n} customers when the van is full."
        (folder / "docs" / f"{thing}.md").write_text(text, encoding="utf-8")
    cake = "Whisk butter with sugar, then fold flour into it and bake everything until golden."
    (folder / "docs" / "cake.md").write_text(cake, encoding="utf-8")
    return folder


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def prepared(base: Path, **more: Any) -> data.Dataset:
    settings = Data(**{"examples": "q.jsonl", "split": SPLIT, **more})
    return data.load(data.prepare(settings, base, base.parent / "store"))


def test_relevance_knows_the_task_by_its_questions_and_documents(base: Path) -> None:
    write(base / "q.jsonl", [row(i) for i in range(50)])
    made = prepared(base, documents="docs", clean={"documents": ["relevance"]})
    assert {d.source for d in made.documents} == {f"{t}.md" for t in THINGS}
    odd = [{"question": f"Whose opera {w} premiered?", "answer": "x"} for w in ("Fidelio", "Aida", "Norma", "Tosca")]
    write(base / "q.jsonl", [*(row(i) for i in range(50)), *odd])
    (base / "docs" / "cake.md").unlink()
    for more in ({"documents": "docs"}, {}):  # without documents: words that questions share
        made = prepared(base, clean={"questions": ["relevance(least=0.2)"]}, **more)
        gone = [d.place for d in made.dropped if "relevance" in d.reason]
        assert all(int(place.removeprefix("line ")) > 50 for place in gone)
        if more:
            assert gone
            assert not any("opera" in e.question for e in made.train)


def test_relevance_knows_the_goal(base: Path) -> None:
    write(base / "q.jsonl", [row(i) for i in range(50)])
    raw = {"version": 1, "name": "x", "model": "fake:a", "goal": "Bake butter cakes.", "data": {"examples": "q.jsonl"}}
    raw["data"] = {"examples": "q.jsonl", "documents": "docs", "clean": {"documents": ["relevance"]}, "split": SPLIT}
    uc = config.UseCase.model_validate(raw)
    assert uc.data.clean.about == ("Bake butter cakes.",)
    made = data.load(data.prepare(uc.data, base, base.parent / "store"))
    assert "cake.md" in {d.source for d in made.documents}
    raw["data"]["clean"] = {"documents": ["markup"]}
    assert config.UseCase.model_validate(raw).data.clean.about == ()


def test_good_texts_are_a_file_beside_the_use_case_and_scores_are_kept(base: Path) -> None:
    good = [row(100 + i)["question"] for i in range(20)]
    spam = [{"question": f"Click {w} to win cheap pills now!!!", "answer": "x"} for w in "abcdefghijklmnop"]
    write(base / "q.jsonl", [*(row(i) for i in range(30)), *spam])
    (base / "good.txt").write_text("\n\n".join(good), encoding="utf-8")
    write(base / "bad.jsonl", [{"text": "Click here to win cheap pills"}, {"text": "Buy pills now!!!"}])
    clean = {"questions": ["classifier(good='good.txt', bad='bad.jsonl')"]}
    made = prepared(base, clean=clean)
    assert made.train
    assert not any("pills" in e.question for e in made.train)
    lines = [json.loads(line) for line in (made.folder / "scores.jsonl").read_text().splitlines()]
    assert {s["id"] for s in lines} == {e.id for e in made.train}
    assert any("score by classifier: scores.jsonl" in note for note in made.notes)
    assert all(s["cleaner"] == "classifier" and s["of"] == "questions" and 0.5 <= s["score"] <= 1 for s in lines)
    (base / "good.txt").write_text("\n".join([*good, "Another line."]), encoding="utf-8")
    assert prepared(base, clean=clean).folder != made.folder  # other texts, other data


def test_what_is_wrong_with_a_file_of_texts_is_said(base: Path) -> None:
    write(base / "q.jsonl", [row(i) for i in range(30)])
    with pytest.raises(UserError, match=r"no such file of texts"):
        prepared(base, clean={"questions": ["classifier(good='god.txt')"]})
    (base / "t.jsonl").write_text('{"text": "a"}\n\n{"other": 1}\n"b"\nnot json\n', encoding="utf-8")
    with pytest.raises(UserError) as e:
        texts_of(str(base / "t.jsonl"))
    assert [p.where.rpartition(", ")[2] for p in e.value.problems] == ["line 3", "line 5"]


def test_imputed_columns_are_written_and_marked(base: Path) -> None:
    rows = [row(i) | {"amount": "47" if i % 3 else "", "sex": "f"} for i in range(60)]
    write(base / "q.jsonl", rows)
    made = prepared(base, clean={"questions": ["missing(fields={'amount': 'mode'})"]})
    imputed = [e for e in made.train if "imputed" in e.meta]
    assert {e.meta["amount"] for e in made.train} == {"47"}
    assert all(e.meta["imputed"] == ["amount"] and e.meta["sex"] == "f" for e in imputed)
    assert len(imputed) == made.facts["rules"]["questions.missing.imputed.amount"] > 5
    assert {e.meta["amount"] for e in made.dev} == {"47", ""}  # as people gave them


def test_fields_that_are_not_there_or_are_not_to_be_made_up_are_refused(base: Path) -> None:
    write(base / "q.jsonl", [row(i) | {"amount": ""} for i in range(30)])
    for clean, said in (
        ({"questions": ["missing(fields={'amuont': 'mode'})"]}, "no row has a field 'amuont'. Did you mean amount"),
        ({"questions": ["missing"]}, "no row has a field 'text'"),
        ({"questions": ["missing(fields={'answer': 'mode'})"]}, "'answer' is never made up"),
        ({"answers": ["missing(fields={'amount': 'mode'})"]}, "'amount' is never made up"),
    ):
        with pytest.raises(UserError, match="missing") as e:
            prepared(base, clean=clean)
        assert said in str(e.value)


def test_a_near_duplicate_names_its_twin(base: Path) -> None:
    rows = [row(i) for i in range(30)]
    rows += [r | {"question": r["question"] + " Thanks."} for r in rows]
    write(base / "q.jsonl", rows)
    made = prepared(base, duplicates={"questions": 0.55}, split=SPLIT | {"by": "similar"})
    gone = [d for d in made.dropped if d.reason.startswith("duplicates")]
    assert gone
    for d in gone:
        twin = d.reason.rpartition(" like q.jsonl, line ")[2]
        assert int(twin) in (int(d.place[5:]) - 30, int(d.place[5:]) + 30)

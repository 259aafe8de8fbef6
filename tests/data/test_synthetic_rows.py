"""Rows that were made and not asked: in train at most, and never beside an original of dev or test."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from sharpen import data
from sharpen.data.lineage import lines_of
from sharpen.data.synthetic import is_synthetic
from sharpen.errors import UserError
from sharpen.inputs import Data
from sharpen.types import Example, Message

SPLIT = {"by": "row", "train": 0.5, "dev": 0.2, "test": 0.3}
LIKE = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "last", "only")


def asked(n: int = 60, **more: Any) -> list[dict[str, Any]]:
    """Questions that have nothing in common but the form."""
    return [{"question": f"{LIKE[i % 12]} w{i}a w{i}b w{i}c w{i}d?", "answers": f"a{i % 7}", **more} for i in range(n)]


def variant(row: dict[str, Any], n: int, **more: Any) -> dict[str, Any]:
    """Another text, that no near-duplicate is found by."""
    return {"question": f"v{n}a v{n}b v{n}c v{n}d", "answers": row["answers"], "synthetic": True, **more}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def load(folder: Path, **more: Any) -> tuple[data.Dataset, list[Example]]:
    given = Data(**{"examples": "q.jsonl", "split": SPLIT, **more})
    made = data.load(data.prepare(given, folder, folder / "store"))
    return made, data.load_sealed(made.seal)


@pytest.mark.parametrize("said", [True, "true", "Yes", 1, "1", "typos", "t"])
def test_what_says_that_a_row_was_made(said: Any) -> None:
    assert is_synthetic(Example("a", (Message("user", "q"),), ("x",), meta={"synthetic": said}))


@pytest.mark.parametrize("said", [False, "false", "No", 0, "0", "", None, "nan", "human"])
def test_what_says_that_it_was_not(said: Any) -> None:
    assert not is_synthetic(Example("a", (Message("user", "q"),), ("x",), meta={"synthetic": said}))
    assert not is_synthetic(Example("a", (Message("user", "q"),), ("x",)))


def test_rows_marked_synthetic_are_in_train_alone(tmp_path: Path) -> None:
    rows = asked()
    plain, test = _alone(tmp_path, rows)
    made = [variant(rows[i], i) for i in range(0, 40, 2)]
    write(tmp_path / "q.jsonl", [*rows, *made])
    mixed, sealed = load(tmp_path)
    assert not any(map(is_synthetic, (*mixed.dev, *sealed)))
    assert sum(map(is_synthetic, mixed.train)) == 20 == mixed.facts["train"]["synthetic"]
    assert {e.question for e in sealed} == {e.question for e in test}, "the split of those that were asked is the same"
    assert {e.question for e in mixed.dev} == {e.question for e in plain.dev}
    (note,) = [n for n in mixed.notes if "marked synthetic" in n]
    assert note.startswith("20 rows are marked synthetic: 20 are learned from, none is chosen or tested on.")
    assert "20 of them name no original" in note


def _alone(folder: Path, rows: list[dict[str, Any]]) -> tuple[data.Dataset, list[Example]]:
    write(folder / "q.jsonl", rows)
    return load(folder)


@pytest.mark.parametrize("how", ["text", "id", "own id", "chain", "other file"])
def test_a_variant_follows_its_original(how: str, tmp_path: Path) -> None:
    rows = [{**r, "id": f"r{i}"} for i, r in enumerate(asked())]
    plain, _ = _alone(tmp_path, rows)
    train = {e.id for e in plain.train}
    made = []
    for i, row in enumerate(rows):
        if how == "text":
            made.append(variant(row, i, original=row["question"].upper()))
        elif how == "id":
            made.append(variant(row, i, of=row["id"]))
        elif how == "own id":
            made.append(variant(row, i, id=f"{row['id']}~typos{i}"))
        elif how == "chain":
            made.append(variant(row, i, id=f"first {i}", of=row["id"]))
            made.append(variant(row, 100 + i, of=f"first {i}"))
        else:  # the id is another row's here, and the text is right
            made.append(variant(row, i, of=rows[i - 1]["id"], original=row["question"]))
    write(tmp_path / "q.jsonl", [*made, *rows])
    mixed, sealed = load(tmp_path, synthetic=9)
    kept = {e.question for e in mixed.train if is_synthetic(e)}
    right = {m["question"] for m in made if f"r{int(m['question'].split('a ')[0][1:]) % 100}" in train}
    assert kept == right
    assert not any(map(is_synthetic, (*mixed.dev, *sealed)))
    (note,) = [n for n in mixed.notes if "marked synthetic" in n]
    assert f"{len(made) - len(right)} not: its original is in dev or test" in note
    why = [d.reason for d in mixed.dropped]
    assert why == ["is synthetic: its original is in dev or test"] * (len(made) - len(right))
    found = [line for line in lines_of(mixed.folder) if line["steps"][-1]["by"] == "synthetic"]
    assert {line["split"] for line in found} == {"train", ""}


def test_a_row_without_an_original_goes_by_its_source(tmp_path: Path) -> None:
    rows = [{**r, "source": f"s{i % 12}"} for i, r in enumerate(asked())]
    made = [variant(rows[i], i, source=f"s{i % 12}") for i in range(24)]
    write(tmp_path / "q.jsonl", [*rows, *made])
    mixed, sealed = load(tmp_path, split={**SPLIT, "by": "source"})
    judged = {e.source for e in (*mixed.dev, *sealed)}
    kept = [e for e in mixed.train if is_synthetic(e)]
    assert len(kept) == 2 * (12 - len(judged))
    assert not {e.source for e in kept} & judged


def test_their_share_is_capped_and_the_same_again(tmp_path: Path) -> None:
    rows = asked()
    made = [variant(rows[0], i) for i in range(200)]
    write(tmp_path / "q.jsonl", [*rows, *made])
    first, _ = load(tmp_path)
    real = sum(not is_synthetic(e) for e in first.train)
    assert len(first.train) == 2 * real, "as many as were asked, unless it is said otherwise"
    half, _ = load(tmp_path, synthetic=0.5)
    few = {e.question for e in half.train if is_synthetic(e)}
    assert len(few) == real // 2
    assert few < {e.question for e in first.train}
    assert any("train has enough of them (data.synthetic: 0.5)" in n for n in half.notes)
    write(tmp_path / "q.jsonl", [*made[::-1], *rows])
    assert few == {e.question for e in load(tmp_path, synthetic=0.5)[0].train if is_synthetic(e)}
    assert not any(map(is_synthetic, load(tmp_path, synthetic=0)[0].train))


def test_files_of_dev_and_test_lose_them(tmp_path: Path) -> None:
    rows = asked(60)
    write(tmp_path / "a.jsonl", [*rows[:30], variant(rows[0], 0), variant(rows[50], 1, original=rows[50]["question"])])
    write(tmp_path / "b.jsonl", [*rows[30:40], variant(rows[0], 2)])
    write(tmp_path / "c.jsonl", [*rows[40:], variant(rows[0], 3)])
    mixed, sealed = load(tmp_path, examples=None, split={}, train="a.jsonl", dev="b.jsonl", test="c.jsonl")
    assert (len(mixed.train), len(mixed.dev), len(sealed)) == (31, 10, 20)
    (note,) = [n for n in mixed.notes if "marked synthetic" in n]
    assert "1 not: it stands in the file of test" in note
    assert "1 not: it stands in the file of dev" in note
    assert "1 not: its original is in dev or test" in note


def test_a_table_says_it_and_the_column_may_mean_something_else(tmp_path: Path) -> None:
    rows = asked()
    with (tmp_path / "q.csv").open("w", newline="") as f:
        table = csv.DictWriter(f, ["question", "answers", "synthetic"])
        table.writeheader()
        table.writerows([{**r, "synthetic": "no" if i % 3 else "Yes"} for i, r in enumerate(rows)])
    mixed, sealed = load(tmp_path, examples="q.csv")
    assert not any(map(is_synthetic, (*mixed.dev, *sealed)))
    assert sum(map(is_synthetic, mixed.train)) == 20
    other, sealed = load(tmp_path, examples="q.csv", columns={"synthetic": ""})
    assert len(other.train) + len(other.dev) + len(sealed) == 60
    assert not any("synthetic" in n for n in other.notes)


def test_a_file_of_nothing_else_cannot_be_tested_on(tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", [variant(r, i) for i, r in enumerate(asked())])
    with pytest.raises(UserError, match="all 60 rows are synthetic: nothing can be tested"):
        load(tmp_path)


def test_folds_test_no_row_that_was_made(tmp_path: Path) -> None:
    rows = asked()
    write(tmp_path / "q.jsonl", [*rows, *(variant(r, i, original=r["question"]) for i, r in enumerate(rows))])
    tested = set()
    for fold in (1, 2, 3):
        mixed, sealed = load(tmp_path, split={**SPLIT, "folds": 3, "fold": fold})
        judged = {e.question for e in (*mixed.dev, *sealed)}
        assert not any(e.meta["original"] in judged for e in mixed.train if is_synthetic(e))
        tested |= {e.question for e in sealed}
    assert tested == {r["question"] for r in rows}

"""What a queue's answers teach: guesses, the order of asking, and whose label it is that teaches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpen.data.labels.pooling import Pool, fill, read_classes, read_pool
from sharpen.data.labels.queue import Item, Queue
from sharpen.data.labels.teaching import Teaching, by_tfidf, settled
from sharpen.errors import UserError


def numbers(texts: Sequence[str]) -> Any:
    """Texts are numbers here: a row is that number and its distance from 0.5, so that doubt is known."""
    return np.array([[float(t), 1.0] for t in texts], dtype=np.float32)


def queue(folder: Path, texts: Sequence[str], known: dict[str, str] | None = None) -> Queue:
    held = Queue(folder / "q.sqlite")
    taught = Pool(list(known), dict(enumerate(known.values())), [{} for _ in known]) if known else None
    fill(held, Pool(list(texts), {}, [{} for _ in texts]), ["high", "low"], taught)
    return held


KNOWN = {f"{n}": "high" for n in (10, 11, 12, 13, 14, 15)} | {f"-{n}": "low" for n in (10, 11, 12, 13, 14, 15)}


def test_open_items_get_a_guess_and_the_doubtful_come_first(tmp_path: Path) -> None:
    held = queue(tmp_path, ["9", "-9", "0.1", "8", "-0.2", "-8", "10"], KNOWN)
    assert len(held.items()) == 6, "what is known is not asked"
    made = Teaching(held, 2, "uncertain", numbers, "numbers").learn()
    assert (made.labels, made.left, made.guessed) == (12, 6, 6)
    by = {i.text: i for i in held.items()}
    assert {t: i.proposal for t, i in by.items()} == {
        "9": "high",
        "-9": "low",
        "0.1": "high",
        "8": "high",
        "-0.2": "low",
        "-8": "low",
    }
    assert by["9"].meta["sure"] > by["0.1"].meta["sure"] > 0.5
    assert by["9"].meta["likely"] == ["high", "low"]
    first = held.next("ines")
    assert first is not None
    assert first.text == "0.1"
    held.decide(first.id, "ines", "accept")
    second = held.next("ines")
    assert second is not None
    assert second.text == "-0.2"
    assert len(held.vectors()) == 18, "embeddings are kept"


def test_a_guess_changes_with_the_answers_but_not_where_somebody_has_decided(tmp_path: Path) -> None:
    held = queue(tmp_path, ["0.5", "-9", "12.5"], KNOWN)
    teaching = Teaching(held, 1, "", numbers, "numbers")
    teaching.learn()
    by = {i.text: i for i in held.items()}
    held.decide(by["0.5"].id, "ines", "accept")
    held.teach({t: {"high": "low", "low": "high"}[v] for t, v in KNOWN.items()})
    beside = teaching.decided()
    assert beside is not None
    beside.join()
    assert {i.text: i.proposal for i in held.items()} == {"0.5": "high", "-9": "high", "12.5": "low"}
    assert held.item(by["12.5"].id).origin == "guess of numbers, 13 labels"


def test_a_label_that_the_row_brought_stays_proposed_and_few_labels_guess_nothing(tmp_path: Path) -> None:
    held = queue(tmp_path, ["9"], KNOWN)
    held.add([Item("own", "7", "", "low", "column label")])
    Teaching(held, 0, "", numbers, "numbers").learn()
    assert held.item("own").proposal == "low"
    assert held.item("own").meta["likely"][0] == "high"
    (tmp_path / "few").mkdir()
    few = queue(tmp_path / "few", ["1", "2"], dict(list(KNOWN.items())[:4]))
    assert Teaching(few, 0, "", numbers).learn().guessed == 0


def test_orders(tmp_path: Path) -> None:
    held = queue(tmp_path, [str(n) for n in range(30)])
    Teaching(held, 5, "auto", numbers).learn()
    first = held.next("ines")
    assert first is not None, "typical rows, before anything is known"
    chosen = []
    for _ in range(2):
        Teaching(held, 30, "random", numbers).learn()
        chosen.append(held.next("ines"))
    assert chosen[0] == chosen[1], "chance has a seed"
    with pytest.raises(UserError, match="no order 'best'"):
        Teaching(held, 1, "best")


def test_what_most_say_teaches(tmp_path: Path) -> None:
    held = queue(tmp_path, ["1", "2", "3"])
    a, b, c = (i.id for i in held.items())
    for who, said in (("x", "high"), ("y", "low"), ("z", "low")):
        held.decide(a, who, "edit", said)
    held.decide(b, "x", "edit", "high")
    held.decide(b, "y", "edit", "low")
    held.decide(c, "x", "refuse")
    assert settled(held.decisions()) == {a: "low"}


def test_who_begins_on_an_item_is_followed_before_a_new_one(tmp_path: Path) -> None:
    held = Queue(tmp_path / "q.sqlite", per_item=2)
    held.add([Item(c, c, proposal="yes") for c in "abcd"])
    held.order(["d", "b"])
    first = held.next("x")
    assert first is not None
    assert first.id == "d"
    held.decide("a", "x", "accept")
    for _ in range(2):
        found = held.next("y")
        assert found is not None
        assert found.id == "a"
    held.decide("a", "y", "edit", "no")
    third = held.next("z")
    assert third is not None
    assert third.id == "a", "they differ, so that a third decides before anything else"
    held.decide("a", "z", "edit", "no")
    assert [i.id for w in "z" if (i := held.next(w))] == ["d"]


def test_tfidf_of_texts_without_words() -> None:
    assert by_tfidf(["!", "?"]).shape == (2, 1)
    made = by_tfidf(["a cat sat", "a cat sat down", "the dog ran off"])
    assert made[0] @ made[1] > made[0] @ made[2]


def test_rows_are_read_once_each_and_what_is_wrong_is_said(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("question,category,who\nA?,x,1\n A? ,y,2\n,x,3\nB?,,4\n")
    made = read_pool(file)
    assert (made.texts, made.labels, made.twice) == (["A?", "B?"], {0: "x"}, 1)
    assert made.rows == [{"who": "1"}, {"who": "4"}]
    assert [p.where for p in made.problems] == ["rows.csv, line 4"]
    (tmp_path / "c.json").write_text('["x", "y"]')
    assert read_classes(str(tmp_path / "c.json")) == read_classes("x, y") == ["x", "y"]

"""Rows of which nobody said what they belong to: near-duplicate questions, and times."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen import data
from sharpen.data.grouping import by_time, calendar, moment, similar, unit_of
from sharpen.errors import UserError
from sharpen.inputs import Data
from sharpen.types import Example, Message


def asking(*questions: str) -> list[Example]:
    return [Example(str(i), (Message("user", q),), ("x",)) for i, q in enumerate(questions)]


A = "how do i send back the shoes that i bought last week"
B = "how do i send back the shoes that i bought last week please"  # 10 of 11 word 3-grams of the two
C = "do i send back the shoes that i bought last week please"  # 9 of 10 with B, 9 of 11 with A


def test_groups_are_what_pairs_connect() -> None:
    names = similar(asking(A, "Where are you?", C, B, "Where is it?", "where are YOU"), 0.85)
    assert names[0] == names[2] == names[3] != ""  # A and C (.818) meet through B
    assert names[1] == names[5] != ""  # case and punctuation do not count
    assert names[4] == ""
    assert similar(asking(A, C), 0.85) == ["", ""]


def test_the_names_do_not_hang_on_the_order_of_rows_and_are_unlike() -> None:
    long = "the very same beginning of a question that is longer than what is shown of it "
    rows = [A, B, long + "one two three", long + "one two three", long + "seven eight nine ten eleven twelve " * 3]
    rows.append(rows[-1])
    names = similar(asking(*rows))
    assert names[::-1] == similar(asking(*rows[::-1]))
    assert len(set(names)) == 3
    assert all(len(n) <= 80 for n in names)


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def intents(n: int) -> list[dict[str, Any]]:
    """Each asked three times in nearly the same words, and no source."""
    plain = "would you tell me where the old thing called {x} is now"  # 10 word 3-grams, all of them in the others
    asked = [plain, f"please {plain}", f"{plain} please"]
    names = [f"{chr(97 + i % 26) * 3}{i}" for i in range(n)]
    return [{"question": a.format(x=x), "answers": x} for x in names for a in asked]


def prepared(folder: Path, **split: Any) -> data.Dataset:
    shares = {"train": 0.5, "dev": 0.2, "test": 0.3}
    return data.load(data.prepare(Data(examples="q.jsonl", split={**shares, **split}), folder, folder / "store"))


@pytest.mark.parametrize("split", [{}, {"by": "similar"}])
def test_without_sources_questions_that_are_alike_are_not_torn_apart(tmp_path: Path, split: dict[str, Any]) -> None:
    write(tmp_path, [*intents(30), *({"question": f"What of {i * 7919}?", "answers": "y"} for i in range(10))])
    made = prepared(tmp_path, **split)
    assert made.facts["cluster_by"] == "similar"
    rows = {"train": made.train, "dev": made.dev, "test": data.load_sealed(made.seal)}
    assert sum(map(len, rows.values())) == 100, "nothing had to go as a leak"
    where = Counter((e.targets[0], name) for name, some in rows.items() for e in some if e.targets[0] != "y")
    assert set(where.values()) == {3}
    assert sorted(made.seal.cluster_sizes, reverse=True) == sorted(
        Counter(data.cluster(e, "similar") for e in rows["test"]).values(), reverse=True
    )
    assert made.seal.cluster_sizes[0] == 3
    (note,) = [n for n in made.notes if "nearly the same" in n]
    assert ("no row has a source" in note) == (not split)
    assert "90 of 100 rows ask nearly the same as another, in 30 groups" in note


def test_where_nothing_is_alike_or_a_source_is_known_all_stays_as_it_was(tmp_path: Path) -> None:
    rows = [{"question": f"What of {i * 7919}?", "answers": "y"} for i in range(60)]
    write(tmp_path, rows)
    made = prepared(tmp_path)
    assert made.facts["cluster_by"] == "source"
    assert any("no row has a source, so every row is taken to stand alone" in n for n in made.notes)
    write(tmp_path, [{**r, "source": f"s{i // 3}"} for i, r in enumerate(intents(20))])
    made = prepared(tmp_path)
    assert made.facts["cluster_by"] == "source"
    assert not any("nearly the same" in n for n in made.notes)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2024-05-31", "2024-05-31T00:00:00+00:00"),
        ("2024-05-31T12:30:00Z", "2024-05-31T12:30:00+00:00"),
        ("2024-05-31 12:30:00+02:00", "2024-05-31T10:30:00+00:00"),
        (1717113600, "2024-05-31T00:00:00+00:00"),
        ("1717113600", "2024-05-31T00:00:00+00:00"),
        (1717113600.5, "2024-05-31T00:00:00.500000+00:00"),
        (1717113600000, "2024-05-31T00:00:00+00:00"),
        (1717113600000000, "2024-05-31T00:00:00+00:00"),
        (1717113600000000000, "2024-05-31T00:00:00+00:00"),
        (20240531, "2024-05-31T00:00:00+00:00"),
        (2024, "2024-01-01T00:00:00+00:00"),
        ("2024-05", "2024-05-01T00:00:00+00:00"),
        (0, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_times_are_read(value: object, said: str) -> None:
    found = moment(value)
    assert found is not None
    assert found.isoformat() == said


@pytest.mark.parametrize("value", [None, "", "yesterday", "31.05.2024", True, [2024], {}, float("nan"), "1e400", "٣"])
def test_what_is_no_time_is_none(value: object) -> None:
    assert moment(value) is None


@given(st.one_of(st.text(), st.integers(), st.floats(), st.dates().map(str), st.datetimes().map(str)))
@settings(max_examples=200, deadline=None)
def test_any_value_gives_a_time_with_its_zone_or_none(value: object) -> None:
    found = moment(value)
    assert found is None or found.utcoffset() == timedelta(0)


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)), st.integers(-12, 12))
@settings(max_examples=100, deadline=None)
def test_a_time_means_the_same_in_every_zone_and_as_a_number(time: datetime, hours: int) -> None:
    at = time.replace(tzinfo=UTC)
    assert moment(at.astimezone(timezone(timedelta(hours=hours))).isoformat()) == at
    if at.timestamp() >= 22_000_000 and not 19e6 < at.timestamp() < 22e6:
        assert abs(moment(at.timestamp()) - at) < timedelta(milliseconds=1)  # type: ignore[operator]


def days(*numbers: int) -> list[datetime]:
    return [datetime(2024, 1, n, tzinfo=UTC) for n in numbers]


def test_the_oldest_train_and_one_day_is_not_torn() -> None:
    times = days(9, 1, 1, 1, 1, 2, 2, 3, 4, 4)
    # Counts up to each day: 4, 6, 7, 9, 10. Half of ten is nearest to day 1 (4) or 2 (6): the first. .7 is day 3.
    given_ = by_time(times, (0.5, 0.2, 0.3))
    assert given_ == ["test", *["train"] * 4, "dev", "dev", "dev", "test", "test"]
    assert by_time(days(5, 5, 6), (0.5, 0.2, 0.3)) == ["train", "train", "test"]


@given(st.lists(st.integers(1, 28), min_size=3, max_size=60))
@settings(max_examples=80, deadline=None)
def test_time_goes_one_way(numbers: list[int]) -> None:
    times = days(*numbers)
    spans = {
        name: [t for t, g in zip(times, by_time(times, (0.6, 0.2, 0.2)), strict=True) if g == name]
        for name in ("train", "dev", "test")
    }
    if len(set(numbers)) >= 3:
        assert max(spans["train"]) < min(spans["dev"])
        assert max(spans["dev"]) < min(spans["test"])


def test_the_coarsest_part_of_the_calendar_that_gives_eight_clusters() -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    assert unit_of([start + timedelta(days=31 * n) for n in range(8)]) == "month"
    assert unit_of([start + timedelta(days=7 * n) for n in range(8)]) == "week"
    assert unit_of([start + timedelta(days=n) for n in range(8)]) == "day"
    assert unit_of([start + timedelta(hours=n) for n in range(8)]) == "hour"
    assert unit_of([start]) == "hour"
    assert [calendar(start, u) for u in ("month", "week", "day", "hour")] == [
        *("2024-01", "2024-W01", "2024-01-01", "2024-01-01 00 h"),
    ]


def test_a_study_by_time_tests_the_newest_and_says_which_rows_have_no_time(tmp_path: Path) -> None:
    first = datetime(2024, 1, 1, tzinfo=UTC)
    rows: list[dict[str, Any]] = [
        {"question": f"What of {i * 7919}?", "answers": "y", "created": str((first + timedelta(days=i)).date())}
        for i in range(100)
    ]
    rows[3]["created"], rows[7]["created"] = "soon", None
    write(tmp_path, rows[::-1])
    split = {"train": 0.5, "dev": 0.2, "test": 0.3, "by": "time"}
    uc = Data(examples="q.jsonl", columns={"time": "created"}, split=split)
    made = data.load(data.prepare(uc, tmp_path, tmp_path / "store"))
    test = data.load_sealed(made.seal)
    stamps = {
        name: [e.meta["time"] for e in some]
        for name, some in (("train", made.train), ("dev", made.dev), ("test", test))
    }
    assert (len(made.train), len(made.dev), len(test)) == (49, 20, 29)
    assert max(stamps["train"]) < min(stamps["dev"]) < max(stamps["dev"]) < min(stamps["test"])
    assert [str(p).partition(" Write a date")[0] for p in made.problems] == [
        "q.jsonl, line 93: created: has no time: the row is left out.",
        "q.jsonl, line 97: created: has a time that cannot be read: the row is left out.",
    ]
    assert {(d.place, d.field) for d in made.dropped} == {("line 93", "created"), ("line 97", "created")}
    assert made.facts["cluster_by"] == "time"
    assert made.seal.n_clusters == 29, "29 days lie in 5 weeks, so each day is one"
    assert any("test 2024-03-12 to 2024-04-09. Questions of one day count as one cluster." in n for n in made.notes)


def test_no_time_at_all_is_one_problem(tmp_path: Path) -> None:
    write(tmp_path, [{"question": f"What of {i}?", "answers": "y"} for i in range(40)])
    with pytest.raises(UserError) as stop:
        prepared(tmp_path, by="time")
    assert any("no row has a time that can be read in a column 'time'" in str(p) for p in stop.value.problems)
    assert len(stop.value.problems) <= 4

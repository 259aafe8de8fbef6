"""What benchmarks/reading.py finds in a text, on texts made by hand."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import reading

OURS = "# Head\n\nSome text that runs\n\nA | B |  | C\n1 | - | | 2\n\nThe end."
MARKDOWN = (
    "## Head\n\nSome **text** that\nruns\n\n| A | B |  | C |\n| --- | --- | --- | --- |\n"
    "| 1 | - |  | 2 |\n\nThe [end](http://x.y/a_(b)).\n"
)
LISTED: list[reading.Listed] = ["Head", "Some text that runs", ["A", "B", "C"], ["1", "-", "2"], "The end"]


def found(text: str, listed: list[reading.Listed]) -> int:
    return reading.in_order(reading.places(text, listed))


def test_both_ways_of_writing_hold_all_of_it() -> None:
    assert found(OURS, LISTED) == found(MARKDOWN, LISTED) == 5


def test_what_is_in_another_order_or_row_is_not_found() -> None:
    assert found("The end. Some text that runs", ["Some text that runs", "The end"]) == 1
    assert found("A B C", [["A", "B", "C"]]) == 0
    assert found("A | B\nC | D", [["A", "B", "C"]]) == 0
    assert found("x | A | B | C", [["A", "B", "C"]]) == 1
    assert found("AA | B", [["A", "B"]]) == 0


def test_one_that_stands_early_by_chance_costs_nothing() -> None:
    assert found("one two three two", ["one", "three", "two"]) == 3


def test_speed_is_the_median_of_ratios() -> None:
    told = reading.told(["a"], [2_000_000], {"sharpen": [[1.0], [2.0], [1.0]], "markitdown": [[3.0], [4.0], [9.0]]})
    assert told["times_as_fast"] == 3.0
    assert told["sharpen"] == {"seconds_per_file": 1.0, "megabytes_per_second": 2.0}


def test_the_demands() -> None:
    kinds = {"pdf": {"times_as_fast": 1.9}, "office": {"times_as_fast": 1.0}}
    verdicts = reading.judged(kinds, {"sharpen": {"share": 0.96}, "markitdown": {"share": 0.97}})
    assert {name: ok for name, (ok, _) in verdicts.items()} == {
        "share found": False, "speed of pdf": False, "speed of office": True,
    }  # fmt: skip

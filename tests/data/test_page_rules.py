"""Completeness over columns, agreement, and the organisation's own rules: by hand on a few rows, and as gates."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import sharpen
from sharpen.cli.main import main
from sharpen.data import Dataset, Seal
from sharpen.data.page import gate, obeyed, thresholds_of
from sharpen.data.page.quality import quality_of
from sharpen.errors import UserError
from sharpen.inputs import Quality, Rule
from sharpen.types import Example, Message


def dataset(*rows: dict[str, Any]) -> Dataset:
    train = tuple(
        Example(str(i), (Message("user", f"Q{i}?"),), ("a",), source=str(r.get("source", "s")), meta=r)
        for i, r in enumerate(rows)
    )
    seal = Seal(Path("sealed"), 4, (3, 1), "c", "q", 0, 2)
    return Dataset(train, (), (), seal, (), (), (), {}, Path("none"))


def test_a_fifth_of_a_column_that_is_empty_is_not_complete() -> None:
    rows = [{"amount": "" if i % 5 == 0 else str(i), "note": "x" if i == 0 else None} for i in range(20)]
    found = quality_of(dataset(*rows))
    assert found["completeness"] == {"n": 16, "of": 20, "share": 0.8}
    assert found["missing"] == {"amount": 4}
    assert found["columns"] == [
        {"name": "note", "n": 1, "of": 20, "share": 0.05, "usual": False},
        {"name": "amount", "n": 16, "of": 20, "share": 0.8, "usual": True},
    ]
    rules = [{"field": "note", "kind": "accuracy", "n": 0, "of": 0}]
    assert quality_of(dataset(*rows), rules)["missing"] == {"note": 19, "amount": 4}, "a rule names it"


ROWS = (
    {"sku": "A-1", "price": "9.50", "price_2": 9.5, "unit": "EUR"},
    {"sku": "A-1", "price": "9.5", "price_2": "10", "unit": "eur"},
    {"sku": "B2", "price": "1,200", "price_2": "1200.00", "unit": "USD"},
    {"sku": "C-3", "price": "free", "price_2": "", "unit": "EUR"},
    {"sku": "D-4", "price": "-3", "unit": "EUR"},
    {"sku": "D-4", "price": "", "unit": "GBP"},
)


@pytest.mark.parametrize(
    ("rule", "kind", "n", "of"),
    [
        ({"field": "sku", "regex": "[A-Z]-[0-9]"}, "accuracy", 5, 6),
        ({"field": "price", "min": 0}, "accuracy", 3, 5),
        ({"field": "price", "min": 0, "max": 100}, "accuracy", 2, 5),
        ({"field": "unit", "allowed": ["EUR", "USD"]}, "accuracy", 4, 6),
        ({"field": "price", "same_as": "price_2"}, "consistency", 2, 3),
        ({"field": "price", "per": "sku"}, "consistency", 1, 1),
        ({"field": "unit", "per": "sku"}, "consistency", 1, 2),
        ({"field": "price", "table": "prices.csv", "key": "sku"}, "accuracy", 2, 3),
        ({"field": "price", "table": "prices.csv", "key": "sku", "column": "old"}, "accuracy", 0, 2),
    ],
)
def test_each_rule_by_hand(tmp_path: Path, rule: dict[str, Any], kind: str, n: int, of: int) -> None:
    (tmp_path / "prices.csv").write_text("sku,price,old\nA-1,9.50,8\nC-3,2,\nE-5,4,3\n")
    (found,) = obeyed([Rule(**rule)], dataset(*ROWS), tmp_path)
    assert (found["kind"], found["n"], found["of"]) == (kind, n, of)
    assert len(found["places"]) == min(3, of - n)
    measured = quality_of(dataset(*ROWS), [found])[kind]
    assert (measured["n"], measured["of"]) == (n, of)


def test_a_rule_is_a_gate_where_it_says_how_many_have_to_keep_it(tmp_path: Path) -> None:
    quality = Quality(accuracy=0.8, rules=(Rule(field="price", min=0, least=0.6), Rule(field="unit", regex="[A-Z]{3}")))
    checked = obeyed(quality.rules, dataset(*ROWS), tmp_path)
    found = {"quality": quality_of(dataset(*ROWS), checked)}
    (problem,) = gate(found, thresholds_of(quality))
    assert problem.where == "data.quality: accuracy"
    assert "(8 of 11)" in problem.what
    strict = Quality(rules=(Rule(field="price", min=0, least=0.9),))
    (problem,) = gate({"quality": quality_of(dataset(*ROWS), obeyed(strict.rules, dataset(*ROWS), tmp_path))}, {})
    assert "price is a number of at least 0: 3 of 5 keep it, and 90.0% is asked for" in problem.what
    assert "free" not in str(problem), "values stay out of what is printed"


def test_all_that_is_wrong_with_rules_is_said_at_once(tmp_path: Path) -> None:
    rules = [Rule(field="prise", min=0), Rule(field="sku", table="no.csv", key="sku")]
    with pytest.raises(UserError) as raised:
        obeyed(rules, dataset(*ROWS), tmp_path)
    said = "\n".join(map(str, raised.value.problems))
    assert "no row has a column 'prise'" in said
    assert "Did you mean price?" in said
    assert "there is no such table" in said
    for wrong in ({"field": "a"}, {"field": "a", "regex": "("}, {"field": "a", "table": "t.csv"}):
        with pytest.raises(ValueError, match="a"):
            Rule(**wrong)


def test_report_and_run_stop_at_a_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"question": f"Fee {i}?", "answers": str(i), "source": f"s{i % 9}", "fee": i} for i in range(90)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    rule = "quality: {rules: [{field: fee, max: 40, least: 0.99}]}"
    (tmp_path / "usecase.yaml").write_text(f"name: c\nmodel: 'fake:'\ndata: {{examples: q.jsonl, {rule}}}\n")
    monkeypatch.setattr(sys, "argv", ["sharpen", "data", "report", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "fee is a number of at most 40" in capsys.readouterr().err
    page = (tmp_path / "data.html").read_text()
    assert "The organisation&#39;s own rules" in page or "The organisation's own rules" in page
    assert "The gate is closed." in page
    with pytest.raises(UserError, match="fee is a number of at most 40"):
        sharpen.run(tmp_path / "usecase.yaml", tmp_path / "run")

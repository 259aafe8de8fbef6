"""The page of data that were really cleaned: every reason has its examples, and a source without consent is missed."""

from __future__ import annotations

import json
from pathlib import Path

from sharpen import data
from sharpen.data.page import profile, remarks, render
from sharpen.inputs import Data


def test_every_reason_has_examples_and_what_is_gone_is_said(tmp_path: Path) -> None:
    rows = [
        {"question": f"What  does the {w} plan number {i} cost in a month?", "answers": f"{i} EUR", "source": s}
        for i, (w, s) in enumerate((w, s) for w in ("small", "large", "old") for s in ("a.md", "b.md", "c.md") * 9)
    ]
    rows += [{"question": f"Secret {i} of the board?", "answers": str(i), "source": "d.md"} for i in range(12)]
    rows += [{"question": f"Why {i}?", "answers": str(i), "source": "a.md"} for i in range(6)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    settings = Data.model_validate(
        {
            "examples": "q.jsonl",
            "split": {"by": "row"},
            "near_duplicates": 1.0,
            "clean": {"questions": ["normalise", "quality(least=5)"]},
            "sources": [
                {"match": "d.md", "owner": "the board", "consent": False},
                {"match": "*", "owner": "sales", "licence": "ours"},
            ],
        }
    )
    made = data.load(data.prepare(settings, tmp_path, tmp_path / "data"))
    found = profile(made, language=lambda text: "en")
    assert found["dropped"]
    assert set(found["places"]) == set(found["dropped"]), "a reason without examples"
    assert all(at.startswith("q.jsonl, line ") for some in found["places"].values() for at in some)
    assert found["history"]["lost"] == [{"source": "d.md", "read": 12}]
    assert any("1 source has no row left: d.md" in r for r in remarks(found))
    assert [(o["match"], o["owner"], o["licence"]) for o in found["owners"]] == [
        ("d.md", "the board", ""),
        ("*", "sales", "ours"),
    ]
    assert any(n == 0 for n in found["rules"].values())
    assert any("What  does" in c["before"] and "What does" in c["after"] for c in found["changes"])
    page = render(found, "plans")
    assert "No row was dropped" not in page
    for said in ("Before and after", "Without a hit: ", "the board", "not said", "Who answers for the sources"):
        assert said in page

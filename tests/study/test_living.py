"""A run is asked with what a collection holds now: what changed changes the answer, what is gone is never cited again,
and what the use case says of its documents holds."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from towns_data import write_towns

import sharpen
from sharpen.cli import store as gc
from sharpen.errors import UserError
from sharpen.retrieval import Access
from sharpen.study.indexing import Making, add, build, open_collection, place_of, remove, search, stats
from sharpen.study.living import Asked, ask_living

ARMS = ["arms=[baseline, 'retrieve(k=2)']"]
QUESTION = "What colour is the lamp town3 painted?"
LAMP = "The lamp town3 is painted"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A use case that was run, in a folder that each test finds as it was; and a copy of it."""
    folder = tmp_path_factory.mktemp("living")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SHARPEN_HOME", raising=False)
        sharpen.run(write_towns(folder / "towns"), settings=ARMS)
    shutil.copytree(folder / "towns", folder / "copy")
    return folder / "towns", folder / "copy"


@pytest.fixture
def towns(once: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The use-case file of a finished run, beside which commands are typed."""
    folder, copy = once
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("SHARPEN_HOME", raising=False)
    return folder / "usecase.yaml"


@pytest.fixture
def ran(towns: Path) -> Path:
    """The folder of the run."""
    return towns.parent / "runs" / "towns"


def asked(ran: Path, groups: tuple[str, ...] = (), question: str = QUESTION) -> Asked:
    return ask_living(ran, question, "towns", groups, "retrieve(k=2)")


def cited(found: Asked) -> set[str]:
    return {p.span.source for p in found.answer.passages}


def painted(towns: Path, colour: str) -> Path:
    file = towns.parent / "documents" / "town3.md"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(f"{LAMP} {colour}. People like it." if x.startswith(LAMP) else x for x in lines) + "\n")
    return file


def held(towns: Path, text: str) -> list[str]:
    """Files below the store's collections that hold a text."""
    folder = towns.parent / ".sharpen" / "collections"
    return [p.name for p in folder.iterdir() if text.encode() in p.read_bytes()]


def test_a_changed_document_changes_the_answer_and_a_deleted_one_is_never_cited_again(ran: Path, towns: Path) -> None:
    painted(towns, "teal")
    assert build(towns.parent, "towns").change.version == 1
    first = asked(ran)
    assert "teal" in first.answer.text
    assert (first.version, first.known, cited(first)) == (1, False, {"town3.md"} | cited(first))
    assert asked(ran).known, "the same question of the same version"
    assert asked(ran).answer == first.answer
    add("towns", [painted(towns, "ochre")])
    second = asked(ran)
    assert "ochre" in second.answer.text
    assert "teal" not in second.answer.text
    assert (second.version, second.known) == (2, False)
    assert held(towns, f"{LAMP} teal") == []
    remove("towns", ["town3.md"])
    third = asked(ran)
    assert (third.version, third.known) == (3, False)
    assert "town3.md" not in cited(third)
    assert "ochre" not in third.answer.text
    assert held(towns, f"{LAMP} ochre") == []


def test_before_anything_changes_the_answers_are_those_of_the_run(ran: Path, towns: Path) -> None:
    build(towns, "towns")
    questions = [json.loads(x)["question"] for x in (towns.parent / "questions.jsonl").open()][:12]
    for question in questions:
        frozen = sharpen.ask(ran, question, "retrieve(k=2)")
        living = asked(ran, question=question).answer
        assert (living.text, [p.text for p in living.passages]) == (frozen.text, [p.text for p in frozen.passages])


def test_who_asks_is_answered_from_what_they_may_see(ran: Path, towns: Path) -> None:
    rules = Access.model_validate({"rules": [{"match": "town3.md", "groups": ["lamps"]}], "others": "everyone"})
    painted(towns, "teal")
    build(towns, "towns", Making(access=rules))
    assert "teal" in asked(ran, ("lamps",)).answer.text
    for groups in ((), ("bridges",)):
        found = asked(ran, groups)
        assert "teal" not in found.answer.text
        assert "town3.md" not in cited(found)
        assert not search("towns", QUESTION, 99, groups=groups).passages[0].span.source.startswith("town3")
        assert stats("towns", groups)["documents"] == 19
        assert "town3.md" not in stats("towns", groups)["sources"]
    assert stats("towns", ("lamps",))["documents"] == stats("towns", None)["documents"] == 20
    add("towns", [], Access.model_validate({"rules": [], "others": "everyone"}))
    assert "teal" in asked(ran).answer.text


@pytest.mark.parametrize("entry", ["consent: false", "keep_until: 2001-01-01", "allowed: [train]"])
def test_what_is_no_longer_allowed_is_not_found_and_what_is_expired_is_purged(
    ran: Path, towns: Path, entry: str, capsys: Any
) -> None:
    painted(towns, "teal")
    build(towns, "towns")
    assert "town3.md" in cited(asked(ran))
    towns.write_text(towns.read_text() + f"  sources: [{{match: town3.md, {entry}}}]\n")
    assert "town3.md" not in cited(asked(ran))
    assert "town3.md" not in {p.span.source for p in search("towns", QUESTION, 99).passages}
    assert "town3.md" not in stats("towns")["sources"]
    assert held(towns, f"{LAMP} teal"), "nothing was deleted yet"
    gc.purge(towns.parent, yes=False)
    narrowed = "allowed" in entry
    assert ("documents of collections 1" in capsys.readouterr().out) == (not narrowed)
    gc.purge(towns.parent, yes=True)
    assert bool(held(towns, f"{LAMP} teal")) == narrowed
    file = painted(towns, "teal")
    found = add("towns", [file])
    assert list(found.left_out) == ["town3.md"]
    assert found.change.added == ()
    assert held(towns, f"{LAMP} teal") == []


def test_a_collection_elsewhere_is_purged_with_the_others(towns: Path, tmp_path: Path) -> None:
    painted(towns, "teal")
    far = tmp_path / "far.sqlite"
    build(towns, str(far))
    assert LAMP.encode() in far.read_bytes()
    towns.write_text(towns.read_text() + "  sources: [{match: town3.md, consent: false}]\n")
    gc.purge(towns.parent, yes=True)
    assert LAMP.encode() not in far.read_bytes()
    far.unlink()
    gc.purge(towns.parent, yes=True)


def test_personal_data_are_masked_in_all_that_is_indexed(towns: Path) -> None:
    towns.write_text(towns.read_text() + "  privacy: {how: mask}\n")
    first, second = (towns.parent / "documents" / f"town{n}.md" for n in (1, 2))
    first.write_text(first.read_text() + "\nAsk anna.weber@example.org about it.\n")
    build(towns, "towns")
    second.write_text(second.read_text() + "\nAsk otto.lang@example.org about that.\n")
    found = add("towns", [second])
    assert found.change.changed == ("town2.md",)
    assert any("masked: 1 EMAIL" in n for n in found.notes)
    texts = [p.text for p in search("towns", "Ask about it", 99, "bm25").passages]
    assert sum("[EMAIL]" in t for t in texts) == 2
    assert held(towns, "@example.org") == []


def test_an_archive_of_a_use_case_is_one_file_whose_documents_may_go(towns: Path) -> None:
    archive = towns.parent / "documents" / "more.zip"

    def pack(*names: str) -> None:
        with zipfile.ZipFile(archive, "w") as z:
            for name in names:
                z.writestr(f"{name}.md", f"# {name}\n\nThe {name} is made of glass.\n")

    pack("kiosk", "arcade")
    build(towns, "towns")
    assert [s for s in open_collection("towns").known() if "zip" in s] == ["more.zip/arcade.md", "more.zip/kiosk.md"]
    pack("kiosk")
    assert add("towns", [archive]).change.removed == ("more.zip/arcade.md",)


def test_a_plain_folder_says_that_personal_data_stand_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("Ask anna.weber@example.org.")
    found = build(tmp_path / "docs", "c", Making(embeddings=""))
    assert any("1 EMAIL" in n for n in found.notes)


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a collection of its two documents."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHARPEN_HOME", raising=False)
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("Amber is yellow.")
    (folder / "sub" / "b.md").write_text("Basil is green.")
    build(folder, "c", Making(embeddings="fake:"))
    return folder


def test_a_table_is_a_document_a_row_and_one_that_is_gone_goes(plain: Path, tmp_path: Path) -> None:
    table = tmp_path / "faq.csv"
    table.write_text("source,text\npay,Pay rises in May.\nleave,Leave is asked for.\n")
    assert set(build(table, "faq", Making(embeddings="")).change.added) == {"leave", "pay"}
    table.write_text("source,text\npay,Pay falls in June.\n")
    change = add("faq", [table]).change
    assert (change.changed, change.removed) == (("pay",), ("leave",))


def test_a_use_case_without_examples_yet_has_its_rules_kept(plain: Path, tmp_path: Path) -> None:
    data = "{documents: docs, privacy: {how: mask}, sources: [{match: a.md, consent: false}]}"
    (tmp_path / "usecase.yaml").write_text(f"name: early\nmodel: 'fake:'\nembeddings: 'fake:'\ndata: {data}\n")
    (plain / "sub" / "b.md").write_text("Basil is sold by basil@example.org.")
    found = build(tmp_path, "early")
    assert (found.change.added, list(found.left_out)) == (("sub/b.md",), ["a.md"])
    assert "[EMAIL]" in search("early", "basil").passages[0].text
    (tmp_path / "usecase.yaml").write_text("no: longer: yaml")
    assert list(add("early", [plain / "a.md"]).left_out) == ["a.md"], "what was said last holds"


def test_building_again_brings_it_to_what_the_folder_is(plain: Path) -> None:
    (plain / "a.md").write_text("Amber is brown.")
    (plain / "sub" / "b.md").unlink()
    (plain / "c.md").write_text("Cedar is tall.")
    change = build(plain, "c").change
    assert (change.added, change.changed, change.removed) == (("c.md",), ("a.md",), ("sub/b.md",))
    assert not build(plain, "c").change
    assert build(plain, "c", Making(size=5)).change.version == 3, "other sizes cut all anew"


def test_a_file_keeps_its_name_however_it_is_named_and_one_from_elsewhere_stays(plain: Path, tmp_path: Path) -> None:
    (plain / "sub" / "b.md").write_text("Basil is blue.")
    assert add("c", [Path("docs/sub/b.md")]).change.changed == ("sub/b.md",)
    (tmp_path / "far.md").write_text("Far away.")
    assert add("c", [tmp_path / "far.md"]).change.added == ("far.md",)
    assert not build(plain, "c").change
    assert remove("c", ["docs/sub/b.md"]).change.removed == ("sub/b.md",)
    assert build(plain, "c").change.added == ("sub/b.md",)
    found = remove("c", ["sub/*"])
    assert found.change.removed == ("sub/b.md",)
    assert any("still there" in n for n in found.notes)


def test_a_file_that_says_nothing_any_more_is_gone(plain: Path) -> None:
    (plain / "a.md").write_text("---\ntitle: Amber\n---\n")
    assert add("c", [plain / "a.md"]).change.removed == ("a.md",)


def test_two_files_of_one_name_are_no_document(plain: Path, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "far.md").write_text(f"From {folder}.")
    with pytest.raises(UserError, match="two documents are called far.md"):
        add("c", [tmp_path / "x" / "far.md", tmp_path / "y" / "far.md"])


def test_a_pattern_is_one_of_sources_and_never_of_more(plain: Path) -> None:
    """``docs/*`` was once taken for ``*``, as the name of a file that lies elsewhere."""
    with pytest.raises(UserError) as e:
        remove("c", ["docs/*", "nothing", "a.md"])
    assert [p.where for p in e.value.problems] == ["docs/*", "nothing"]
    assert len(open_collection("c").known()) == 2


def test_a_file_that_cannot_be_read_keeps_what_was_indexed_of_it(plain: Path) -> None:
    (plain / "a.md").write_bytes(b"\x00\x01\x02" * 99)
    found = build(plain, "c")
    assert [p.where for p in found.problems] == ["a.md"]
    assert list(open_collection("c").known()) == ["a.md", "sub/b.md"]
    with pytest.raises(UserError, match="not text"):
        add("c", [plain / "a.md"])


def test_what_cannot_be_is_said(plain: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for act, what in (
        (lambda: build(other, "d"), "holds no document"),
        (lambda: build(tmp_path / "none", "d"), "no such folder"),
        (lambda: build(other, "c"), "was made of something else"),
        (lambda: build(plain, "c d"), "is no name"),
        (lambda: build(plain, "c", Making(embeddings="")), "has vectors of fake:"),
        (lambda: add("c", [tmp_path / "none.md"]), "no such file"),
        (lambda: add("none", [plain / "a.md"]), "There are: c"),
        (lambda: search("c", " "), "query is empty"),
        (lambda: search("c", "x", how="smell"), "cannot be searched by"),
    ):
        with pytest.raises(UserError, match=what):
            act()
    assert not place_of("d").exists(), "nothing is left of what could not be made"


def test_an_arm_that_searches_nothing_or_otherwise_is_refused(ran: Path, towns: Path) -> None:
    build(towns.parent / "documents", "words", Making(embeddings=""))
    with pytest.raises(UserError, match="searches no documents"):
        ask_living(ran, QUESTION, "words", (), "baseline")
    assert search("words", QUESTION).how == "bm25"
    with pytest.raises(UserError, match="no such collection"):
        ask_living(ran, QUESTION, "none", (), "retrieve(k=2)")

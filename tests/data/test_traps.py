"""What real files hold: each of these was read wrongly once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sharpen.data import near_duplicates, read_examples, words
from sharpen.data.documents import read_document, read_documents
from sharpen.data.evidence import Shelf
from sharpen.data.linking import link
from sharpen.types import Document


def rows(path: Path, found: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in found), encoding="utf-8")
    return path


def document(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (made,) = read_document(path, path.name)
    assert isinstance(made, Document), made
    return made.text


def test_rows_on_one_passage_stay_together(tmp_path: Path) -> None:
    """Also where no answer is found in it, or the question has none."""
    path = rows(
        tmp_path / "q.jsonl",
        [
            {"question": "When?", "context": "It opened in 1990.", "answers": {"text": ["1990"], "answer_start": [13]}},
            {"question": "Who?", "context": "It opened in 1990.", "answers": {"text": [], "answer_start": []},
             "is_impossible": True},
            {"question": "How?", "context": "It opened in 1990.", "answers": "slowly"},
        ],
    )  # fmt: skip
    linked = link(read_examples(path, "q.jsonl").drafts, [], from_contexts=True)
    assert len({e.source for e in linked.examples}) == 1
    assert linked.examples[0].source


def test_a_passage_of_the_same_length_and_other_blanks_moves_no_span() -> None:
    from sharpen.data.examples import Draft
    from sharpen.types import Example, Message

    text = "The fee\n\nis 25 euros a year."
    example = Example("q", (Message("user", "What?"),), ("fee",), source="a.md")
    draft = Draft(example, "q.jsonl", "line 1", {"context": "The  fee is 25 euros a year.", "starts": (5,)})
    (span,) = link([draft], [Document("a.md", text)], from_contexts=False).examples[0].gold
    assert "fee" in text[span.start : span.end]


def test_words_of_scripts_with_marks_and_without_spaces() -> None:
    assert words("काला रंग") != words("कील रंग")
    assert words("काला रंग") == ("काला", "रंग")
    assert words("Prüfung") == words("Pru\u0308fung")
    assert words("ﬁnance") == ("finance",)
    pairs = near_duplicates(["请问你们的退货政策是什么样的呢"], ["请问你们的退货政策是什么样的"])
    assert [(i, j) for i, j, _ in pairs] == [(0, 0)]


@pytest.mark.parametrize("said", ["False", "false", " FALSE "])
def test_a_reply_that_is_not_wanted_is_left_out_of_tables_too(tmp_path: Path, said: str) -> None:
    path = tmp_path / "q.csv"
    path.write_text(f"prompt,completion,label\nHi?,Go away.,{said}\nHi there?,Hello!,True\n")
    found = read_examples(path, "q.csv")
    assert [d.example.targets for d in found.drafts] == [("Hello!",)]


@pytest.mark.parametrize(
    ("cell", "targets"),
    [
        ("['yes', 'of course']", ("yes", "of course")),
        ("{'text': ['yes'], 'answer_start': [3]}", ("yes",)),
        ('{"text": ["yes"], "answer_start": [3]}', ("yes",)),
        ("[1] says so", ("[1] says so",)),
        ("{brackets}", ("{brackets}",)),
        ("[" * 5000, ("[" * 5000,)),
    ],
)
def test_lists_and_objects_in_cells(tmp_path: Path, cell: str, targets: tuple[str, ...]) -> None:
    path = tmp_path / "q.csv"
    quoted = cell.replace('"', '""')
    path.write_text(f'question,answers\nIs it?,"{quoted}"\n')
    (draft,) = read_examples(path, "q.csv").drafts
    assert draft.example.targets == targets


def test_excels_empty_columns_are_none(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("question,answer,,\nIs it?,Yes,,\nWhy?,Because,,\n")
    assert len(read_examples(path, "q.csv").drafts) == 2


def test_lists_one_after_another_are_said(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text('[{"question": "a?", "answer": "b"}]\n[{"question": "c?", "answer": "d"}]\n')
    found = read_examples(path, "q.json")
    assert len(found.drafts) == 1
    assert "More follows the end of the list" in str(found.problems[0])
    assert found.problems[0].where == "q.json, line 2"


def test_huge_negative_numbers_are_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "a?", "answer": "b", "n": -1' + "0" * 400 + "}\n")
    (draft,) = read_examples(path, "q.jsonl").drafts
    assert draft.example.meta["n"] is None


def test_a_home_page_has_a_name() -> None:
    assert Shelf([Document("/", "Welcome."), Document(".", "Here.")]).find("/") == Document("/", "Welcome.")


def test_pages_within_a_form_and_questions_on_buttons(tmp_path: Path) -> None:
    page = (
        "<html><body><form action='x'><h1>FAQ</h1><h2><button>How long can I return goods?</button></h2><p>30 days.</p>"
        "<button>Send</button></form></body></html>"
    )
    assert document(tmp_path / "a.html", page) == "# FAQ\n\n## How long can I return goods?\n\n30 days."


def test_pages_say_their_charset_as_browsers_understand_it(tmp_path: Path) -> None:
    page = "<html><head><meta charset={}></head><body><p>“5 €” – it is</p></body></html>"
    assert document(tmp_path / "a.html", page.format("iso-8859-1").encode("cp1252")) == "“5 €” – it is"
    assert document(tmp_path / "b.html", page.format("utf-16").encode()) == "“5 €” – it is"


def test_a_rule_above_a_text_is_no_front_matter(tmp_path: Path) -> None:
    assert "Intro" in document(tmp_path / "a.md", "---\n\nIntro to it.\n\n---\n# Title\n\nText.\n")
    assert document(tmp_path / "b.md", "---\ntitle: T\n---\n# Title\n").startswith("# Title")


def test_content_controls_and_insertions_of_word_files(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    word = docx.Document()
    paragraph = word.add_paragraph("The fee is ")
    for kind, tag, text in (("ins", "t", "25 EUR"), ("del", "delText", "20 EUR")):
        paragraph._p.append(parse_xml(f"<w:{kind} {space}><w:r><w:{tag}>{text}</w:{tag}></w:r></w:{kind}>"))
    block = (
        f"<w:sdt {space}><w:sdtContent><w:p><w:r><w:t>Refunds take 14 days.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    )
    word.element.body.insert(1, parse_xml(block))
    table = word.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Basic", "5 EUR"
    table.rows[0].cells[1].paragraphs[0]._p.append(parse_xml(f"<w:ins {space}><w:r><w:t> a year</w:t></w:r></w:ins>"))
    word.save(str(tmp_path / "a.docx"))
    (made,) = read_document(tmp_path / "a.docx", "a.docx")
    assert isinstance(made, Document)
    assert made.text == "The fee is 25 EUR\n\nRefunds take 14 days.\n\nBasic | 5 EUR a year"


def test_a_linked_folder_is_said_to_be_left_out(tmp_path: Path) -> None:
    for name in ("docs", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text("Text.")
    (tmp_path / "docs" / "linked").symlink_to(tmp_path / "other")
    found = read_documents(tmp_path / "docs")
    assert [d.source for d in found.documents] == ["a.md"]
    assert found.notes == ["linked: left out: it is a link to another folder."]


def test_a_link_to_nothing_and_a_pipe_are_said_to_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Text.")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    os.mkfifo(tmp_path / "pipe.md")
    found = read_documents(tmp_path)
    assert [d.source for d in found.documents] == ["a.md"]
    why = "left out: it is a link to nothing, or no file."
    assert found.notes == [f"gone.md: {why}", f"pipe.md: {why}"]

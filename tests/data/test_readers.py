"""What single readers make of what they are for: lines, encodings, boilerplate, tables, headings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sharpen.data import read_documents
from sharpen.data.documents import read_document
from sharpen.data.examples import read_examples
from sharpen.data.linking import link
from sharpen.data.reading import Note, Row, decode, open_reader
from sharpen.errors import Problem
from sharpen.types import Document


def rows(path: Path) -> list[Row | Problem | Note]:
    reader = open_reader(path)
    return list(reader.rows(path, path.name))  # type: ignore[union-attr]


def document(path: Path) -> Document:
    (found,) = (d for d in read_document(path, path.name) if isinstance(d, Document))
    return found


def test_a_broken_line_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    lines = [json.dumps({"question": f"Question {i}?", "answers": str(i)}) for i in range(1, 4001)]
    lines[3070] = '{"question": "cut off'
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = read_examples(path, "q.jsonl")
    assert len(found.drafts) == 3999
    (problem,) = found.problems
    assert problem.where == "q.jsonl, line 3071"
    assert "not JSON" in problem.what
    assert (found.dropped[0].file, found.dropped[0].place) == ("q.jsonl", "line 3071")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1, 2]", "is a list, not an object"),
        ('"text"', "is a string, not an object"),
        ("12", "is a number, not an object"),
        ("null", "is null, not an object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "1" * 5000 + "}", "too many digits"),
        ('{"a": NaNa}', "not JSON"),
    ],
)
def test_odd_json_gets_a_sentence(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(line, encoding="utf-8")
    (problem,) = rows(path)
    assert isinstance(problem, Problem)
    assert said in problem.what
    assert problem.where == "q.jsonl, line 1"


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("q.jsonl", '{"text": "b", "label": "x"}\nROW', "q.jsonl, line 2"),
        ("q.json", '[{"text": "b", "label": "x"},\nROW]', "q.json, line 2"),
        ("q.json", '{"rows": [{"text": "b", "label": "x"}, ROW]}', "q.json, row 2"),
    ],
)
@pytest.mark.parametrize(
    ("row", "key"),
    [
        ('{"text": "a", "label": "x", "text": "c"}', "text"),
        ('{"messages": [{"role": "user", "content": "a", "content": "c"}]}', "content"),
    ],
)
def test_a_key_that_stands_twice_is_said(
    name: str, content: str, place: str, row: str, key: str, tmp_path: Path
) -> None:
    """The last one would win, and nobody would know."""
    path = tmp_path / name
    path.write_text(content.replace("ROW", row), encoding="utf-8")
    first, twice = rows(path)
    assert isinstance(first, Row)
    assert str(twice) == f"{place}: holds the key {key!r} twice. Keep one."


def test_json_lists_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text('[\n {"a": 1},\n\n {"a": 2}\n, 7,\n {"a" 3}]', encoding="utf-8")
    first, second, number, broken = rows(path)
    assert (first, second) == (Row(2, {"a": 1}), Row(4, {"a": 2}))
    assert isinstance(number, Problem)
    assert "line 5" in number.where
    assert isinstance(broken, Problem)
    assert "line 6" in broken.where


def test_json_with_one_list_inside_and_json_lines_under_a_wrong_name(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text(json.dumps({"version": 1, "examples": [{"a": 1}, {"a": 2}]}), encoding="utf-8")
    assert [dict(r.fields) for r in rows(path) if isinstance(r, Row)] == [{"a": 1}, {"a": 2}]
    path.write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    assert [r.line for r in rows(path) if isinstance(r, Row)] == [1, 2]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"val": [["hi", 1]], "train": []}, "holds the list 'val' of 1 (the first is a list), and 1 more such;"),
        ({"rows": []}, "holds the list 'rows' of nothing;"),
        ({"a": [{"b": 1}], "c": [{"b": 2}]}, "holds 2 lists of objects;"),
        ({"a": 1}, "holds no list;"),
        ("text", "is a string;"),
    ],
)
def test_json_that_holds_no_rows_is_told_what_it_holds(value: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    (problem,) = rows(path)
    assert isinstance(problem, Problem)
    assert problem.what == f"{said} one list of objects is expected."


def test_squad_nesting_becomes_rows(tmp_path: Path) -> None:
    asked = {"id": "q1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}
    article = {"title": "Ada", "paragraphs": [{"context": "Ada wrote.", "qas": [asked]}, {"qas": 3}]}
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "1.1", "data": [article]}), encoding="utf-8")
    row, problem = rows(path)
    assert isinstance(row, Row)
    assert row.fields == {"context": "Ada wrote.", "source": "Ada", **asked}
    assert isinstance(problem, Problem)
    assert str(problem) == "squad.json, article 1: has a paragraph without qas. Mend that article."


ROW = {"question": "What is it?", "answers": ["x"]}
ASKED: list[object] = [{**ROW, "id": "q 1"}, ROW, {**ROW, "question": ""}, {**ROW, "id": "\ud800\n4", "answers": []}, 7]
PARAGRAPHS = [{"context": "x, it is.", "qas": ASKED[:2]}, {"context": "x, it is.", "qas": ASKED[2:]}]
LIST = [ROW, ROW, {**ROW, "question": ""}, {**ROW, "answers": []}, 7]
ROW_BY_ROW = [("row 2", "is the same as row 1"), ("row 3", "is empty"), ("row 4", "is empty")]


@pytest.mark.parametrize(
    ("name", "content", "said", "ids"),
    [
        ("q.json", json.dumps({"version": 1, "rows": LIST}, indent=1), [("row 5", ""), *ROW_BY_ROW], ["q:1"]),
        ("q.json", json.dumps(LIST), [("row 5", ""), *ROW_BY_ROW], ["q:1"]),
        (
            "q.json",
            json.dumps({"data": [{"title": "None", "paragraphs": []}, {"title": "One", "paragraphs": PARAGRAPHS}]}),
            [
                ("row 5", ""),
                ("row 2", "is the same as question q 1"),
                ("row 3", "is empty"),
                ("question \\ud800 4", "is empty"),
            ],
            ["q 1"],
        ),
        (
            "q.jsonl",
            "\n".join(map(json.dumps, LIST)),
            [("line 5", ""), ("line 2", "is the same as line 1"), ("line 3", "is empty"), ("line 4", "is empty")],
            ["q:1"],
        ),
    ],
)
def test_rows_that_have_no_line_are_called_otherwise(
    name: str, content: str, said: list[tuple[str, str]], ids: list[str], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = read_examples(tmp_path / name, name)
    number = "is a number, not an object with named fields."
    assert [(d.place, d.reason) for d in found.dropped] == [(place, why or number) for place, why in said]
    assert [p.where for p in found.problems] == [f"{name}, {said[0][0]}"]
    assert [d.example.id for d in found.drafts] == ids


def test_rows_of_parquet_are_rows_wherever_they_are_named(tmp_path: Path) -> None:
    table = pytest.importorskip("pyarrow").Table.from_pylist([{**ROW, "evidence": "nowhere"}, {**ROW, "question": ""}])
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "q.parquet")
    found = read_examples(tmp_path / "q.parquet", "q.parquet")
    assert [(d.place, d.reason) for d in found.dropped] == [("row 2", "is empty")]
    notes = link(found.drafts, [], from_contexts=False).notes()
    assert notes == ["q.parquet, row 1: its evidence does not stand in its source document."]


def test_csv_lines_delimiters_and_uneven_rows(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('text;label\n"one;\ntwo";a\nthree\nfour;b\n', encoding="utf-8")
    first, uneven, last = rows(path)
    assert first == Row(2, {"text": "one;\ntwo", "label": "a"})
    assert isinstance(uneven, Problem)
    assert uneven.where == "q.csv, line 4"
    assert last == Row(5, {"text": "four", "label": "b"})


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "sep=;;", "\ufeffsep=;"])
def test_the_line_that_names_excels_delimiter_is_no_header(first: str, tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text(f"{first}\ntext;label\na, b, c;d\nmore\n", encoding="utf-8")
    row, uneven = rows(path)
    assert row == Row(3, {"text": "a, b, c", "label": "d"})
    assert str(uneven) == (
        "q.csv, line 4: has 1 fields where the header has 2. Put fields that hold the delimiter in double quotes."
    )
    path.write_text("sep=\t\ntext,other\tlabel\na\tb\n", encoding="utf-8")
    assert rows(path) == [Row(3, {"text,other": "a", "label": "b"})]
    path.write_text("sep=x,label\na,b\n", encoding="utf-8")
    assert rows(path) == [Row(2, {"sep=x": "a", "label": "b"})], "a column may be called so"


@pytest.mark.parametrize(("title", "read_as"), [("Fragen;;", "Fragen"), ("Fragen, Stand Mai", "Fragen, Stand Mai")])
def test_a_title_above_the_header_is_said_once(title: str, read_as: str, tmp_path: Path) -> None:
    """And not of every row that it has too many fields."""
    path = tmp_path / "q.csv"
    path.write_text(f"{title}\nquestion;answers;source\n" + "Who?;He;p.md\n" * 20, encoding="utf-8")
    found = read_examples(path, "q.csv")
    assert list(map(str, found.problems)) == [
        f"q.csv: none of its 21 rows has as many fields as its header, which was read as: {read_as}. Columns such as "
        "question and answers are missing: let the file begin with the line that names them."
    ]
    path.write_text("question;answers;source\nA?;B\nC?;D;E;F\nWho?;He;p.md\n", encoding="utf-8")
    assert [p.where for p in read_examples(path, "q.csv").problems] == ["q.csv, line 2", "q.csv, line 3"]


def test_rows_of_separators_alone_are_counted(tmp_path: Path) -> None:
    """Excel writes them where something was deleted; an empty line is no row."""
    path = tmp_path / "q.csv"
    path.write_text("text;label\n;\na;b\n\n;;;\n \n", encoding="utf-8")
    found = read_examples(path, "q.csv")
    dropped = [(d.place, d.field, d.reason) for d in found.dropped]
    assert dropped == [("line 2", "text", "is empty"), ("line 5", "text", "is empty")]
    assert ([d.place for d in found.drafts], found.problems) == (["line 3"], [])


CUT = "text,label\none,a\n"


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ('"two,b\nthree,c\nfour,d\n', "has a quote that is never closed; lines 4 to 5 were not read."),
        ('"two,b\nthree,c\n', "has a quote that is never closed; line 4 was not read."),
        ('"two,b', "has a quote that is never closed."),
        ('two,"b\n', "has a quote that is never closed."),
        ('"two,b\nthree,c\nfour,"d"\n', "is not CSV: ',' expected after '\"'; lines 4 to 5 were not read."),
        ('"two" and more,b\n', "is not CSV: ',' expected after '\"'."),
    ],
)
def test_a_missing_quote_is_said_with_all_lines_that_it_takes_along(tail: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text(CUT + tail, encoding="utf-8")
    first, problem = rows(path)
    assert first == Row(2, {"text": "one", "label": "a"})
    assert isinstance(problem, Problem)
    assert (problem.where, problem.what) == ("q.csv, line 3", said)


def test_after_a_quote_in_the_wrong_place_the_next_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text(CUT + '"two,b\nthree,"c"\nfour,d\n', encoding="utf-8")
    _, problem, last = rows(path)
    assert isinstance(problem, Problem)
    assert last == Row(5, {"text": "four", "label": "d"})


def test_quotes_as_csv_writes_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text(CUT + '"say ""hi"", then\ngo",b\n5" pipe,""\n', encoding="utf-8")
    _, spoken, pipe = rows(path)
    assert spoken == Row(3, {"text": 'say "hi", then\ngo', "label": "b"})
    assert pipe == Row(5, {"text": '5" pipe', "label": ""})


def test_separators_of_unicode_do_not_cut_lines(tmp_path: Path) -> None:
    said = "one\u2028two\x0bthree\x85four"
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"text": said}, ensure_ascii=False), encoding="utf-8")
    assert rows(path) == [Row(1, {"text": said})]
    path = tmp_path / "q.csv"
    path.write_text(f"text,label\n{said},a\n", encoding="utf-8")
    assert rows(path) == [Row(2, {"text": said, "label": "a"})]


@pytest.mark.parametrize(
    ("data", "text", "said"),
    [
        ("Grüße".encode(), "Grüße", ""),
        (b"\xef\xbb\xbf" + "Grüße".encode(), "Grüße", ""),
        ("Grüße an alle".encode("utf-16"), "Grüße an alle", "UTF-16"),
        ("Grüße an alle".encode("utf-16-le"), "Grüße an alle", "UTF-16"),
        ("Grüße an alle".encode("utf-16-be"), "Grüße an alle", "UTF-16"),
        ("a\nGrüße – „so“".encode("cp1252"), "a\nGrüße – „so“", "Windows-1252"),
        ("Grüße, Übung, schön, größer ".encode() + b"\xff", "Grüße, Übung, schön, größer \ufffd", "1 places"),
    ],
)
def test_encodings(data: bytes, text: str, said: str) -> None:
    made, note = decode(data)
    assert made == text
    assert said in note
    assert bool(said) == bool(note)


def test_a_note_names_the_file_whose_encoding_was_guessed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Grüße".encode("cp1252"))
    found = read_documents(tmp_path)
    assert found.documents[0].text == "Grüße"
    assert found.notes == ["a.txt: is not UTF-8 (line 1); it was read as Windows-1252."]


def test_markdown_keeps_its_text_and_loses_its_front_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"\xef\xbb\xbf---\r\ntitle: 'The title'\r\n---\r\n\r\n# Head\r\n\r\n* **14** days\r\n")
    assert document(path) == Document("a.md", "# Head\n\n* **14** days\n", "The title")
    path.write_text("Text\n---\nmore\n## Sub\n", encoding="utf-8")
    assert document(path).title == "Sub"
    assert document(path).text == "Text\n---\nmore\n## Sub\n"
    path.write_text("---\ntitle: ''\n---\n# ''\nText", encoding="utf-8")
    assert document(path).title == "a"


PAGE = """<!doctype html><html><head><title>Shop</title><style>p {}</style></head><body>
<header><h1>The shop</h1></header><nav><a href=x>Home</a></nav>
<main><h1>Returns &amp; refunds</h1><p>You have <b>14&nbsp;days</b>
to <a href=y>send it back</a>.</p><aside>Buy more!</aside>
<ul><li>One<ul><li>Nested</li></ul></li><li>Two</li></ul>
<table><tr><th>Item</th><th>Fee</th></tr><tr><td>Bike</td><td>20</td></tr></table>
<pre>a
  b</pre><div hidden>secret</div><script>alert(1)</script>Tail<br>after break<!-- comment --></main>
<footer>Imprint</footer></body></html>"""


def test_html_keeps_what_a_reader_came_for(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(PAGE, encoding="utf-8")
    made = document(path)
    assert made.title == "Returns & refunds"
    assert made.text == (
        "# Returns & refunds\n\nYou have 14 days to send it back.\n\n- One\n  - Nested\n- Two\n\n"
        "Item | Fee\nBike | 20\n\na\n  b\n\nTail\nafter break"
    )


def test_html_of_any_depth_and_charset(tmp_path: Path) -> None:
    path = tmp_path / "deep.html"
    path.write_text("<div>" * 20_000 + "deep" + "</div>" * 20_000, encoding="utf-8")
    assert list(read_document(path, "deep.html"))  # a document or a problem, never an error
    path = tmp_path / "latin.html"
    path.write_bytes('<?xml version="1.0" encoding="iso-8859-1"?><meta charset="iso-8859-1"><p>Grüße'.encode("latin-1"))
    assert document(path).text == "Grüße"


def test_html_menus_are_left_out_and_lists_of_content_kept(tmp_path: Path) -> None:
    menu = "".join(f"<li><a href=#>Language {i}</a></li>" for i in range(9))
    path = tmp_path / "a.html"
    path.write_text(f"<body><ul>{menu}</ul><ul>{menu}<li>not a link</li></ul><p>Text.</p>", encoding="utf-8")
    assert document(path).text.count("Language 3") == 1


def test_docx_has_headings_lists_and_tables_in_order(tmp_path: Path) -> None:
    word = pytest.importorskip("docx").Document()
    word.add_heading("Returns", 1)
    word.add_paragraph("You have 14 days.")
    word.add_paragraph("First", style="List Bullet")
    word.add_paragraph("Second", style="List Bullet")
    table = word.add_table(rows=2, cols=2)
    for i, text in enumerate(("Item", "Fee", "Bike", "20")):
        table.cell(i // 2, i % 2).text = text
    word.add_paragraph("After.")
    path = tmp_path / "a.docx"
    word.save(str(path))
    made = document(path)
    assert made.text == "# Returns\n\nYou have 14 days.\n\n- First\n- Second\n\nItem | Fee\nBike | 20\n\nAfter."
    assert made.title == "Returns"


def test_a_cell_that_is_merged_with_nothing_loses_no_document(tmp_path: Path) -> None:
    word = pytest.importorskip("docx").Document()
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    word.add_paragraph("Before.")
    table = word.add_table(rows=1, cols=2)
    for i, text in enumerate(("Bike", "20")):
        table.cell(0, i).text = text
    table.cell(0, 0)._tc.get_or_add_tcPr().append(merged := OxmlElement("w:vMerge"))
    merged.set(qn("w:val"), "continue")
    word.save(str(tmp_path / "a.docx"))
    assert document(tmp_path / "a.docx").text == "Before.\n\nBike | 20"


@pytest.mark.parametrize("name", ["word/_rels/document.xml.rels", "word/media/image1.PNG", "word/document.XML"])
def test_what_unpacks_to_too_much_is_not_unpacked(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    from sharpen.data.readers import docx

    pytest.importorskip("docx")
    monkeypatch.setattr(docx, "LARGEST", 1000)
    monkeypatch.setattr(docx, "LARGEST_OF_ALL", 5000)
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"0" * 10_000)
    (problem,) = read_document(tmp_path / "a.docx", "a.docx")
    assert isinstance(problem, Problem)
    assert "unpacks to" in problem.what


def test_a_folder_is_read_in_order_and_bad_files_stop_nobody(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.md").write_text("# X", encoding="utf-8")
    (tmp_path / "a.txt").write_text("A", encoding="utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "broken.docx").write_bytes(b"PK nothing")
    (tmp_path / "empty.md").write_bytes(b"")
    (tmp_path / "noise.txt").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / ".hidden.md").write_text("hidden", encoding="utf-8")
    (tmp_path / "~$lock.docx").write_bytes(b"")
    told: list[float] = []
    found = read_documents(tmp_path, lambda stage, done, total: told.append(done))
    assert [d.source for d in found.documents] == ["a.txt", "b/x.md"]
    assert [p.where for p in found.problems] == ["broken.docx", "broken.pdf", "empty.md", "noise.txt"]
    assert len(found.notes) == 1
    assert "picture.png" in found.notes[0]
    assert told == sorted(told)


def test_missing_and_empty_folders_are_said(tmp_path: Path) -> None:
    assert "no such" in read_documents(tmp_path / "none").problems[0].what
    assert "no document" in read_documents(tmp_path).problems[0].what


def test_a_reader_without_its_package_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(9):
        (tmp_path / f"{i}.pdf").write_bytes(b"%PDF-1.4")
    monkeypatch.setattr("sharpen.parts.missing", lambda part: next(iter(part.needs.items()), None))
    (problem,) = read_documents(tmp_path).problems
    assert "pypdfium2" in problem.what
    assert problem.where == "0.pdf, 1.pdf, 2.pdf, 3.pdf, 4.pdf and 4 more"
    assert problem.do == "Install it with: pip install 'sharpen[documents]'"


def test_lists_of_pairs_are_texts_with_labels(tmp_path: Path) -> None:
    path = tmp_path / "intents.json"
    lists = {"train": [["where is my parcel", "post"], ["pay by card", "bill"], ["odd"]], "val": [["hello", "greet"]]}
    path.write_text(json.dumps({"version": 2, **lists, "empty": []}), encoding="utf-8")
    found = read_examples(path, path.name)
    assert [(d.example.question, d.example.labels, d.example.meta["split"]) for d in found.drafts] == [
        ("where is my parcel", ("post",), "train"),
        ("pay by card", ("bill",), "train"),
        ("hello", ("greet",), "val"),
    ]
    assert [str(p).partition(" not ")[0] for p in found.problems] == ["intents.json, train, row 3: is a list,"]
    (note,) = found.notes
    assert "text and label, and the list as split: train (3), val (1)" in note
    assert "name it: intents.json/train" in note


def test_lists_of_single_texts_are_still_refused(tmp_path: Path) -> None:
    path = tmp_path / "domains.json"
    path.write_text(json.dumps({"banking": ["a", "b"], "work": ["c"]}), encoding="utf-8")
    found = read_examples(path, path.name)
    assert not found.drafts
    assert "one list of objects is expected" in str(found.problems[0])

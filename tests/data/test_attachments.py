"""Attachments that a reader takes are documents of their own; nesting, size and number are bounded."""

from __future__ import annotations

import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from sharpen.data.documents import read_document
from sharpen.data.readers import _attached
from sharpen.errors import Problem
from sharpen.types import Document

pytest.importorskip("lxml")


def mail(subject: str, *files: tuple[str, bytes], within: EmailMessage | None = None) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@example.org", "b@example.org", subject
    made.set_content(f"See what is attached to {subject}.")
    for name, content in files:
        made.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    if within is not None:
        made.add_attachment(within)
    return made


def read(path: Path, made: EmailMessage) -> tuple[dict[str, str], list[str]]:
    path.write_bytes(made.as_bytes())
    found = list(read_document(path, path.name))
    said = [str(f) if isinstance(f, Problem) else f"{f.where}: {f.what}" for f in found if not isinstance(f, Document)]
    return {d.source: d.text for d in found if isinstance(d, Document)}, said


def test_attachments_are_documents(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("in/deep.md", "# Deep\n\nDown here.")
    inner = mail("the terms", ("terms.md", b"# Terms\n\nGoods go back in 30 days."))
    files = [("../../fees.txt", b"A fee is 5 EUR."), ("fees.txt", b"Another."), ("photo.raw", b"\x00"),
             ("x.zip", (tmp_path / "x.zip").read_bytes()), ("rows.csv", b"a,b\n1,2\n")]  # fmt: skip
    texts, said = read(tmp_path / "m.eml", mail("fees", *files, within=inner))
    assert set(texts) == {
        "m.eml", "m.eml/fees.txt", "m.eml/fees.txt (2)", "m.eml/x.zip/in/deep.md",
        "m.eml/the terms.eml", "m.eml/the terms.eml/terms.md",
    }  # fmt: skip
    assert texts["m.eml/fees.txt"] == "A fee is 5 EUR."
    assert "30 days" in texts["m.eml/the terms.eml/terms.md"]
    assert "Attachment: photo.raw" in texts["m.eml"]
    assert "Attachment: rows.csv" in texts["m.eml"]
    assert not said
    assert not list(tmp_path.parent.glob("fees.txt"))


def test_mails_within_mails_end_somewhere(tmp_path: Path) -> None:
    made = mail("0", ("last.txt", b"the end"))
    for depth in range(1, 8):
        made = mail(str(depth), within=made)
    texts, said = read(tmp_path / "m.eml", made)
    assert sorted(texts) == ["m.eml", "m.eml/6.eml", "m.eml/6.eml/5.eml", "m.eml/6.eml/5.eml/4.eml"]
    assert said == ["m.eml/6.eml/5.eml/4.eml/3.eml: left out: it lies 4 deep in mails and archives."]


@pytest.mark.parametrize(("limit", "value", "why"), [("MOST", 2, "2 files"), ("LARGEST", 9, "0 MB")])
def test_one_allowance_for_all_that_is_nested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, why: str
) -> None:
    monkeypatch.setattr(_attached, limit, value)
    files = [(f"{n}.txt", b"text") for n in range(5)]
    texts, said = read(tmp_path / "m.eml", mail("x", *files))
    assert sorted(texts) == ["m.eml", "m.eml/0.txt", "m.eml/1.txt"]
    assert said == [f"m.eml/2.txt: is left out: its mail has more than {why} attached. Save it beside the mail."]


def test_a_broken_attachment_does_not_stop_the_others(tmp_path: Path) -> None:
    texts, said = read(tmp_path / "m.eml", mail("x", ("a.docx", b"no zip"), ("b.txt", b"text")))
    assert sorted(texts) == ["m.eml", "m.eml/b.txt"]
    assert said[0].startswith("m.eml/a.docx: is not a Word")


def test_an_archive_within_an_archive_is_not_opened_through_a_mail(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.md", "A text.")
    content = mail("x", ("x.zip", (tmp_path / "x.zip").read_bytes()), ("b.txt", b"text")).as_bytes()
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("m.eml", content)
    found = list(read_document(tmp_path / "all.zip", "all.zip"))
    assert [d.source for d in found if isinstance(d, Document)] == ["all.zip/m.eml", "all.zip/m.eml/b.txt"]
    assert "archive within an archive" in str(found[-2])

"""``sharpen prompts`` as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.prompts import catalogue, read

Typed = Callable[..., tuple[int, str]]


def test_the_library_is_listed_and_shown(sharpen: Typed) -> None:
    status, said = sharpen("prompts", "list")
    assert status == 0
    assert len(said.splitlines()) == len(catalogue())
    status, said = sharpen("prompts", "show", "translate", "--slot", "target=German", "--slot", "text=Go </given> now")
    assert status == 0
    assert "Translate the text from English to German." in said
    assert "Go ‹/given> now\n</given>" in said
    assert "slot source (text, else English)" in said
    assert "{text}" in sharpen("prompts", "show", "translate")[1]


def test_a_file_of_ones_own_is_started_linted_and_compared(tmp_path: Path, sharpen: Typed) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(sharpen("prompts", "show", "summarize", "--yaml")[1])
    assert read(mine).name == "summarize"
    assert sharpen("prompts", "diff", "summarize", mine) == (0, "They are the same.\n")
    mine.write_text(mine.read_text().replace("tone: Plain and neutral.", "tone: Plain, brief and comprehensive."))
    status, said = sharpen("prompts", "diff", "summarize", mine)
    assert "tone\n  - Plain and neutral.\n  + Plain, brief and comprehensive.\n1 fields differ." in said
    status, said = sharpen("prompts", "lint", mine)
    assert status == 1
    assert "summarize: tone: error P030" in said
    assert "1 prompts: 1 errors, 0 warnings" in said
    assert sharpen("prompts", "lint") == (0, f"{len(catalogue())} prompts: 0 errors, 0 warnings, 0 pieces of advice.\n")


def test_a_text_is_linted(tmp_path: Path, sharpen: Typed) -> None:
    text = tmp_path / "ask.txt"
    text.write_text("List some rivers in Peru.")
    status, said = sharpen("prompts", "lint", text, "--level", "warning")
    assert status == 0, "a warning is no error"
    assert "ask.txt: warning P010: “some rivers”" in said
    assert "P002" not in said
    assert sharpen("prompts", "lint", text, "--context", 2)[0] == 1
    status, said = sharpen("prompts", "lint", "--rules")
    assert said.count("\nP") + 1 >= 24


def test_prompts_are_shared_in_one_file(tmp_path: Path, sharpen: Typed) -> None:
    file = tmp_path / "all.jsonl"
    assert sharpen("prompts", "export", "answer", "chat", "--out", file) == (0, f"2 prompts: {file}\n")
    assert sharpen("prompts", "export", "answer", "--out", file)[0] == 0, "what it wrote itself is replaced"
    status, said = sharpen("prompts", "import", file, "--to", tmp_path / "mine")
    assert (status, said) == (0, f"{tmp_path / 'mine' / 'answer.yaml'}\n")
    file.write_text(file.read_text().replace("librarian", "pirate"))
    assert sharpen("prompts", "import", file)[0] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "sumarize"), "Did you mean summarize"),
        (("show", "none.yaml"), "there is no such file"),
        (("show", "answer", "--slot", "x"), "there is no '='"),
        (("show", "rewrite", "--slot", "tone=rude"), "is none of: polite"),
        (("show", "answer", "--slot", "colour=red"), "has no slot colour"),
        (("lint", "--level", "all"), "Take of: error, warning, advice"),
        (("lint", "nothing"), "there is no prompt called 'nothing'"),
        (("diff", "answer", "nothing"), "there is no prompt called 'nothing'"),
        (("import", "none.jsonl"), "there is no such file"),
        (("stress", "runs/none"), "holds no report"),
    ],
)
def test_what_is_wrong_is_a_sentence(words: tuple[str, ...], says: str, sharpen: Typed) -> None:
    status, said = sharpen("prompts", *words)
    assert status == 2
    assert says in said


def test_an_export_spares_other_files(tmp_path: Path, sharpen: Typed) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    assert sharpen("prompts", "export", "answer", "--out", file)[0] == 2
    assert file.read_text() == "mine"

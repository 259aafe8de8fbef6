"""From documents to questions that a person stands behind, by the commands alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sharpen.cli.labelling import spread
from sharpen.cli.main import main
from sharpen.data import read_examples
from sharpen.data.labels.drafts import Draft
from sharpen.data.labels.queue import Queue
from sharpen.types import Span

DOCS = {
    "returns.md": "# Returns\n\n## Time\n\nGoods can be returned for 30 days after delivery to any shop of ours.\n",
    "fees.md": "# Fees\n\n## Basic plan\n\nThe basic plan costs nine euros a month and is paid in advance by card.\n",
}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in DOCS.items():
        (folder / name).write_text(text)
    return folder


def test_drafts_become_examples_when_people_accept_them(
    docs: Path, tmp_path: Path, sharpen: Callable[..., tuple[int, str]]
) -> None:
    queue, rows = tmp_path / "drafts.sqlite", tmp_path / "questions.jsonl"
    status, said = sharpen("data", "draft", docs, "--queue", queue)
    assert status == 0
    assert "no evidence until a person" in said
    assert sharpen("data", "draft", docs, "--queue", queue)[1].count(" 0 drafts added") == 1, "each once"

    status, said = sharpen("data", "label", queue, "--write", rows)
    assert status == 2
    assert "nobody stands behind" in said
    assert not rows.exists()

    held = Queue(queue)
    first, second, *_ = held.items()
    held.decide(first.id, "ines", "edit", "thirty days", "How long may goods be returned?")
    held.decide(second.id, "ines", "refuse")
    held.close()
    assert sharpen("data", "label", queue, "--write", rows)[0] == 0
    (row,) = map(json.loads, rows.read_text().splitlines())
    assert (row["question"], row["answers"], row["confirmed_by"]) == (
        "How long may goods be returned?",
        ["thirty days"],
        ["ines"],
    )
    (made,) = read_examples(rows, rows.name).drafts
    assert made.example.question == row["question"]
    assert made.example.source in DOCS
    assert made.example.meta["confirmed"] is True


def test_logs_are_mined_by_how_often_they_were_asked(
    docs: Path, tmp_path: Path, sharpen: Callable[..., tuple[int, str]]
) -> None:
    logs, queue = tmp_path / "logs.txt", tmp_path / "q.sqlite"
    logs.write_text(
        "how much euros costs the basic plan a month?\nhello\nHow much euros costs the basic plan a month\n"
    )
    assert sharpen("data", "draft", docs, "--queue", queue, "--logs", logs)[0] == 0
    items = Queue(queue).items()
    assert items[0].text == "how much euros costs the basic plan a month?"
    assert items[0].meta["span"][0] == "fees.md"
    assert {i.origin for i in items} == {"log"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("label", "missing.sqlite"), "there is no such queue"),
        (("draft", "missing"), "no such folder"),
        (("draft", "docs", "--logs", "none.txt"), "none.txt"),
    ],
)
def test_mistakes_are_sentences(
    docs: Path,
    words: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    sharpen: Callable[..., tuple[int, str]],
) -> None:
    monkeypatch.chdir(docs.parent)
    status, said = sharpen("data", *words)
    assert (status, says in said) == (2, True), said
    assert "Traceback" not in said


def test_every_document_has_its_turn() -> None:
    drafts = [Draft(f"{s} {i}?", "a", Span(s, i, i + 1), "p", "heading") for s in ("a", "b") for i in range(5)]
    assert [d.question for d in spread(drafts, 5)] == ["a 0?", "b 0?", "a 1?", "b 1?", "a 2?"]


def test_what_a_model_proposed_is_kept_when_somebody_stops_it(
    docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sharpen: Callable[..., tuple[int, str]]
) -> None:
    from sharpen.cli import labelling

    (docs / "repairs.md").write_text(
        "A repair takes two weeks or three, and parts last for at least a year after that."
    )
    asked: list[str] = []

    def asker(ref: str) -> Callable[[str], str]:
        def ask(prompt: str) -> str:
            asked.append(prompt)
            if len(asked) == 2:
                raise KeyboardInterrupt
            return json.dumps({"question": "By when?", "answer": "is"})

        return ask

    monkeypatch.setattr(labelling, "_asker", asker)
    queue = tmp_path / "q.sqlite"
    for _ in range(2):  # and the same command goes on
        monkeypatch.setattr(sys, "argv", ["sharpen", "data", "draft", str(docs), "--queue", str(queue), "--model", "m"])
        with pytest.raises(SystemExit):
            main()
        (item,) = Queue(queue).items()
        assert (item.text, item.origin) == ("By when?", "model m")
    assert len(asked) == 4


def test_origins_are_mixed_and_more_documents_than_drafts_are_stepped_through() -> None:
    def draft(source: int, i: int, origin: str) -> Draft:
        return Draft(f"{origin} {source}.{i}?", "a", Span(str(source), i, i + 1), "p", origin)

    made = [draft(s, i, "heading") for s in range(8) for i in range(3)] + [
        draft(s, i, "gap") for s in range(8) for i in range(2)
    ]
    few = spread(made, 4)
    assert [d.span.source for d in few if d.span] == ["0", "2", "4", "6"], "equal steps"
    assert [d.origin for d in spread(made, 8)] == ["heading", "gap"] * 4
    half = spread(made, 16)
    assert {d.span.source for d in half if d.span} == set(map(str, range(8)))
    assert [d.origin for d in half].count("gap") == 8
    assert sorted(d.question for d in spread(made, 99)) == sorted(d.question for d in made), "none is lost"
    assert spread(made, 0) == []


def test_drafts_that_nobody_confirmed_are_written_where_asked_for(
    docs: Path, tmp_path: Path, sharpen: Callable[..., tuple[int, str]]
) -> None:
    queue, rows = tmp_path / "drafts.sqlite", tmp_path / "questions.jsonl"
    sharpen("data", "draft", docs, "--queue", queue)
    assert "--unconfirmed" in sharpen("data", "label", queue, "--write", rows)[1]
    held = Queue(queue)
    n = len(held.items())
    first, second, *_ = held.items()
    held.decide(first.id, "ines", "accept")
    held.decide(second.id, "ines", "refuse")
    held.close()
    status, said = sharpen("data", "label", queue, "--write", rows, "--unconfirmed")
    assert (status, "1 questions that people stand behind" in said, f"{n - 2} drafts that nobody" in said) == (
        0,
        True,
        True,
    )
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [row["confirmed"] for row in found] == [True] + [False] * (n - 2)
    assert second.id not in {row["id"] for row in found}, "refused is refused"
    assert all(row["origin"] in ("heading", "gap") and row["source"] in DOCS for row in found)
    assert found[0]["confirmed_by"] == ["ines"]


def test_ctrl_c_ends_the_page_and_keeps_what_was_decided(docs: Path, tmp_path: Path) -> None:
    queue = tmp_path / "q.sqlite"
    command = [sys.executable, "-m", "sharpen", "data"]
    subprocess.run([*command, "draft", str(docs), "--queue", str(queue)], check=True, capture_output=True)
    nobody = subprocess.run([*command, "label", str(queue)], capture_output=True, text=True, check=False)
    assert nobody.returncode == 2
    assert "nobody is named" in nobody.stderr
    page = subprocess.Popen(
        [*command, "label", str(queue), "--who", "ines"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert page.stdout
    assert "ines: http://127.0.0.1:" in page.stdout.readline()
    assert "Ctrl-C ends" in page.stdout.readline()
    page.send_signal(signal.SIGINT)
    said, _ = page.communicate(timeout=30)
    assert page.returncode == 0
    assert "nothing decided" in said

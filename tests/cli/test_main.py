"""The front door: what it lists, and how each kind of failure ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sharpen.cli import main as cli
from sharpen.cli.main import app
from sharpen.cli.progress import Live, clock
from sharpen.errors import PluginError, Problem, UserError

COMMANDS = [
    "init",
    "check",
    "run",
    "report",
    "ask",
    "export",
    "demo",
    "schema",
    "parts",
    "models",
    "store",
    "robustness",
    "compare",
]


def test_help_names_every_command() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    for name in COMMANDS:
        assert re.search(rf"^\W*{name}\b", text, re.M), name


@pytest.mark.parametrize("command", [*COMMANDS, "models pull", "models list", "models show", "store gc"])
def test_every_command_has_help(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.stdout


FAILS = """
import sys
from sharpen.cli import main
from sharpen.cli.main import app
from sharpen.errors import PluginError, Problem, UserError

@app.command()
def fail() -> None:
    {statement}

sys.argv[1:] = ["fail"]
main()
"""


@pytest.mark.parametrize(
    ("statement", "status", "says"),
    [
        (
            "raise UserError('it is wrong.', 'a.yaml, line 3', 'Mend it.')",
            2,
            "sharpen: a.yaml, line 3: it is wrong. Mend it.",
        ),
        (
            "raise UserError([Problem('one.'), Problem('two.')])",
            2,
            "sharpen: one.\nsharpen: two.\nsharpen: 2 problems.",
        ),
        (
            "raise PluginError('metric x', 'acme', ValueError('oh'))",
            2,
            "metric x (from acme) failed with ValueError: oh",
        ),
        ("raise KeyboardInterrupt", 130, "the same command goes on from here"),
        ("raise OSError(28, 'No space left on device', '/d/x')", 2, "the disk is full (/d/x). Free some space"),
        ("raise OSError(28, 'No space left on device')", 2, "the disk is full (while writing)"),
        ("raise OSError(122, 'Disk quota exceeded', '/d/x')", 2, "the disk is full (/d/x)"),
        ("open('/nowhere/at/all')", 2, "/nowhere/at/all: No such file or directory. Check the path"),
        ("raise MemoryError", 2, "there is not enough memory"),
    ],
)
def test_failures_are_sentences(statement: str, status: int, says: str) -> None:
    code = FAILS.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_our_own_mistakes_are_not_hidden() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILS.format(statement="raise ZeroDivisionError")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_reader_that_stops_reading_is_no_failure() -> None:
    done = subprocess.run(
        f"{sys.executable} -m sharpen schema | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run"], "Missing argument"),
        (["nonsense"], "No such command"),
        (["run", "nowhere.yaml"], "there is no such file"),
        (["check", "nowhere.yaml"], "there is no such file"),
        (["report", "nowhere"], "nowhere"),
        (["ask", "nowhere", "why?"], "nowhere"),
    ],
)
def test_mistakes_end_with_status_two(words: list[str], says: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sharpen", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_main_prints_problems_in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise UserError([Problem("one."), Problem("two.", "here", "Do it.")])

    monkeypatch.setattr(sys.modules["sharpen.cli.main"], "app", fail)
    with pytest.raises(SystemExit) as stop:
        cli()
    assert stop.value.code == 2
    assert capsys.readouterr().err == "sharpen: one.\nsharpen: here: two. Do it.\nsharpen: 2 problems.\n"


def test_a_plug_ins_failure_names_it() -> None:
    assert "acme" in str(PluginError("metric x", "acme", ValueError("oh")))


# Progress.


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("sharpen.cli.progress.time.monotonic", made)
    return made


def test_where_nobody_looks_a_line_every_ten_seconds(watch: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    live = Live()
    for done in range(31):
        live("answer baseline", done, 30)
        watch.now += 1
    live.finish()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("answer baseline" in line and "\r" not in line and "\x1b" not in line for line in lines)
    assert "10/30 0:10, 0:20 left" in lines[0]
    assert "20/30 0:20, 0:10 left" in lines[1]
    assert "30/30 0:30" in lines[2]
    assert "left" not in lines[2]


def test_a_stage_that_says_nothing_is_seen_to_go_on(watch: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    live = Live()
    live("measure speed", 0, 3)
    for _ in range(25):
        watch.now += 1
        live.tick()
    live.finish()
    watch.now += 60
    live.tick()
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == ["0:10", "0:20"]


def test_on_a_terminal_one_line_is_drawn_over(
    watch: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    live = Live()
    for done in range(11):
        live("train", done, 10)
        watch.now += 1
    live.say("built lora")
    live("answer", 0, None)
    live.finish()
    text = capsys.readouterr().err
    assert text.count("\r\x1b[2K") == 13 + 1
    assert text.count("\n") == 1
    assert "built lora\n" in text
    assert "answer …" in text
    assert "████████████████████ 10/10" in text


def test_a_stage_that_goes_on_reckons_with_what_is_new(watch: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """900 of 1000 were there before; 10 more took 10 s, so 90 s are left, not 1 s."""
    live = Live()
    live("answer", 900, 1000)
    watch.now += 10
    live("answer", 910, 1000)
    assert "910/1000 0:10, 1:30 left" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75.9, "1:15"), (3600, "1:00:00"), (-1, "0:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_nothing_to_do_is_done(watch: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    live = Live()
    live("answer", 0, 0)
    watch.now += 11
    live("answer", 0, 0)
    assert "0/0" in capsys.readouterr().err


def test_help_is_read_without_a_terminal_or_colours() -> None:
    environment = {**os.environ, "TERM": "dumb", "LANG": "C"}
    done = subprocess.run([sys.executable, "-m", "sharpen", "--help"], capture_output=True, check=True, env=environment)
    assert b"\x1b" not in done.stdout

"""Kills, full disks, two at once: nothing is lost, nothing is corrupted, and what went wrong is a sentence."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_running import timeless

import sharpen
from sharpen.errors import UserError
from sharpen.study.folder import RunFolder

COMMAND = [sys.executable, "-m", "sharpen", "run"]


def events(out: Path) -> list[str]:
    path = out / "events.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["event"] for line in lines if line.endswith("}")]


def kill_when(towns: Path, out: Path, ready: Callable[[], bool]) -> bool:
    """Start the study, kill -9 it and its children as soon as ``ready``; whether it was still running then."""
    run = subprocess.Popen([*COMMAND, str(towns), "--out", str(out)], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and run.poll() is None and not ready():
        time.sleep(0.002)
    alive = run.poll() is None
    if alive:
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return alive


@pytest.mark.full
def test_after_kills_the_same_command_gives_the_same_report(towns: Path, tmp_path: Path) -> None:
    whole = sharpen.run(towns, tmp_path / "whole")
    store = Path(os.environ.get("SHARPEN_HOME") or towns.parent / ".sharpen")
    for path in store.iterdir():  # the second study starts from an empty cache, but the ledger of looks stays
        if not path.name.startswith("ledger"):
            subprocess.run(["rm", "-rf", str(path)], check=True)
    out = tmp_path / "killed"
    points: list[Callable[[], bool]] = [
        lambda: (store / "data").exists(),
        lambda: "started" in events(out),
        lambda: events(out).count("built") >= 3,
        lambda: (out / "latency.json").exists(),
        lambda: "test opened" in events(out),
    ]
    killed = [kill_when(towns, out, ready) for ready in points]
    assert sum(killed) >= 3, "the study was too fast to be killed"
    assert killed[-1], "with its test opened"
    assert not (out / "report.json").exists(), "and before its report"
    done = subprocess.run([*COMMAND, str(towns), "--out", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = sharpen.read_report(out)
    assert timeless(dict(again.data)) == timeless(dict(whole.data))
    assert again["looks_at_this_test"] == 2  # the whole run looked first; five kills added no look


def test_a_study_that_is_running_is_not_run_twice(towns: Path, tmp_path: Path) -> None:
    with RunFolder(tmp_path / "out").locked(), pytest.raises(UserError, match="another process"):
        sharpen.run(towns, tmp_path / "out")


@pytest.mark.parametrize("name", ["report.html", "events.jsonl", "notes.md", "docs"])
def test_files_that_are_no_runs_are_not_written_over(towns: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "mine"
    if name == "docs":
        (out / name).mkdir(parents=True)
    else:
        out.mkdir()
        (out / name).write_text("precious")
    before = sorted(out.rglob("*"))
    with pytest.raises(
        UserError, match=rf"holds files that are no run's \({name}\).* Choose a folder that is new"
    ) as e:
        sharpen.run(towns, out)
    assert str(out) in str(e.value)
    assert sorted(out.rglob("*")) == before
    assert name == "docs" or (out / name).read_text() == "precious"


@pytest.mark.full
def test_a_full_disk_is_a_sentence_and_corrupts_nothing(towns: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes fail with EFBIG, as they do with ENOSPC
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    run = [*COMMAND, str(towns), "--out", str(out)]
    full = subprocess.run(run, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert full.returncode == 2, full.stderr
    assert "Traceback" not in full.stderr
    assert not (out / "report.json").exists()
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole = sharpen.run(towns, tmp_path / "whole")
    assert timeless(dict(sharpen.read_report(out).data)) == timeless(dict(whole.data))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.full
@pytest.mark.parametrize("kilobytes", [200, 1200])
def test_a_disk_that_is_full_is_called_so(towns: Path, tmp_path: Path, kilobytes: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run([*mount, f"size={kilobytes}k", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        run = [*COMMAND, str(towns), "--out", str(disk / "out")]
        env = {**os.environ, "SHARPEN_HOME": str(disk / "store")}
        full = subprocess.run(run, capture_output=True, text=True, env=env, check=False)
        assert full.returncode == 2, full.stderr
        assert re.search("[Ff]ree (some|disk) space", full.stderr), full.stderr
        assert "Traceback" not in full.stderr
        subprocess.run(["mount", "-o", "remount,size=60m", disk], check=True)
        done = subprocess.run(run, capture_output=True, text=True, env=env, check=False)
        assert done.returncode == 0, done.stderr
        assert timeless(dict(sharpen.read_report(disk / "out").data)) == timeless(
            dict(sharpen.run(towns, tmp_path / "whole").data)
        )
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interruption_that_was_lost_in_a_callback_comes_again(name: str) -> None:
    """Python prints and forgets what is raised in a weak reference's callback, such as importing makes by the dozen."""
    script = f"""
import importlib, os, signal, time

main = importlib.import_module("sharpen.cli.main")

def app():
    try:
        os.kill(os.getpid(), signal.{name})
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(60)
    print("went on")

main.app, main.AGAIN = app, 0.2
main.main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode in (130, -signal.SIGINT)
    assert "goes on from here" in done.stderr
    assert "went on" not in done.stdout


def test_an_interruption_says_that_nothing_is_lost(towns: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = subprocess.Popen([*COMMAND, str(towns), "--out", str(out)], stderr=subprocess.PIPE, text=True)
    while not events(out) and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode in (130, -signal.SIGINT), said  # a shell says 130 of both
    assert "goes on from here" in said
    assert "Traceback" not in said

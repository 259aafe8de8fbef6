"""What is clocked beside other programs is said to be, and is not kept."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path

import pytest

from sharpen.study import crowd, speeds
from sharpen.study.crowd import Crowd, others_since

TICK = os.sysconf("SC_CLK_TCK")


def machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: float, idle: float, steal: float, own: float
) -> None:
    """Let the system count so many seconds on the two processors that this process may use."""
    half = [round(x / 2 * TICK) for x in (user, 0, 0, idle, 0, 0, 0, steal, 0, 0)]
    rows = [f"cpu{n} {' '.join(map(str, half))}" for n in (0, 1)]
    others = f"cpu2 {' '.join(['99999'] * 10)}"  # a processor of the machine that is not ours
    (tmp_path / "stat").write_text("\n".join(["cpu 1 2 3", *rows, others, "intr 5"]))
    monkeypatch.setattr(crowd, "STAT", tmp_path / "stat")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(os, "times", lambda: os.times_result((own, 0, 0, 0, 0)))


@pytest.mark.parametrize(
    ("user", "idle", "steal", "own", "share"),
    [
        (20, 0, 0, 20, 0.0),  # ours alone
        (20, 0, 0, 11, 0.45),  # 9 of 20 seconds are somebody else's
        (17, 3, 0, 9, 0.0),  # others work, and there was room for both
        (10, 0, 10, 10, 0.5),  # another machine on the same processors
        (19, 1, 0, 18, 0.0),  # a little is always going on
    ],
)
def test_others_are_what_the_system_spent_and_we_did_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: float, idle: float, steal: float, own: float, share: float
) -> None:
    machine(monkeypatch, tmp_path, 100, 50, 7, 30)
    start = Crowd.now()
    assert start is not None
    machine(monkeypatch, tmp_path, 100 + user, 50 + idle, 7 + steal, 30 + own)
    assert others_since(Crowd(start.at - 10, start.busy, start.idle, start.own)) == pytest.approx(share)
    assert others_since(start) == 0.0, "hundredths of a second are no measure"


def test_a_system_that_does_not_tell_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for text in ("", "cpu0 1 2 x", "cpu0"):
        (tmp_path / "stat").write_text(text)
        monkeypatch.setattr(crowd, "STAT", tmp_path / "stat")
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
        assert others_since(Crowd.now()) == 0.0
    monkeypatch.setattr(crowd, "STAT", tmp_path / "none")
    assert Crowd.now() is None


@pytest.mark.skipif(not crowd.STAT.exists(), reason="the system does not tell")
def test_the_real_counters_go_on() -> None:
    start = Crowd.now()
    end = time.perf_counter() + 0.1
    while time.perf_counter() < end:
        pass
    now = Crowd.now()
    assert start
    assert now
    assert now.own > start.own
    assert now.busy + now.idle > start.busy + start.idle


def test_what_was_measured_in_a_crowd_is_kept_for_minutes_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A training of 230 tokens a second, clocked beside tests at 27, had a week of studies estimated at six times."""
    calls = []

    def measure() -> dict[str, float]:
        calls.append(1)
        return {"passages": 5.0}

    def measured() -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            kept = speeds.Kept(tmp_path, lambda *a: None, 1)
            assert kept.of("embedding", ["model"], measure) == {"passages": 5.0}
            kept.warn()
        return [r.getMessage() for r in caplog.records]

    monkeypatch.setattr(speeds, "others_since", lambda start: 0.48)
    assert "48%" in measured()[0]
    assert "48%" in measured()[0], "whoever uses it is told"
    assert len(calls) == 1
    [path] = (tmp_path / "speeds").iterdir()
    assert json.loads(path.read_text()) == {"passages": 5.0, "others": 0.48}
    os.utime(path, (time.time() - 700,) * 2)
    monkeypatch.setattr(speeds, "others_since", lambda start: 0.0)
    assert measured() == []
    assert len(calls) == 2
    os.utime(path, (time.time() - 5 * 24 * 3600,) * 2)
    assert measured() == []
    assert len(calls) == 2, "what was measured alone is kept for a week"

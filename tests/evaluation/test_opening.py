"""The seal, the written plan and the ledger of openings, kills included."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sharpen.data import Seal
from sharpen.data.dataset import example_row
from sharpen.errors import UserError
from sharpen.evaluation import Ledger, open_test
from sharpen.types import Example, Message

PLAN = {
    "metric": "exact_match",
    "worth": 0.02,
    "alpha": 0.05,
    "cluster_by": "source",
    "arms": ["baseline", "lora"],
    "programs": {"baseline": "1", "lora": "2"},
    "code": "3",
}


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    rows = [example_row(Example(f"q{i}", (Message("user", f"Question {i}?"),))) for i in range(3)]
    text = "".join(json.dumps(r) + "\n" for r in rows)
    path = tmp_path / "sealed" / "test.jsonl"
    path.parent.mkdir()
    path.write_text(text)
    content = hashlib.sha256(text.encode()).hexdigest()
    return Seal(path, 3, (2, 1), content, "questions-hash", 0, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    run.mkdir()
    (run / "plan.json").write_text(json.dumps(PLAN))
    return run


def test_opens_for_a_written_plan(seal: Seal, folder: Path, tmp_path: Path) -> None:
    opened = open_test(seal, folder, Ledger(tmp_path / "ledger.sqlite"), "run 1")
    assert [e.id for e in opened.examples] == ["q0", "q1", "q2"]
    assert opened.look == 1
    assert opened.plan["metric"] == "exact_match"


def test_stays_sealed_without_a_whole_plan(seal: Seal, folder: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    (folder / "plan.json").unlink()
    with pytest.raises(UserError, match="stays sealed"):
        open_test(seal, folder, ledger, "run 1")
    (folder / "plan.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        open_test(seal, folder, ledger, "run 1")
    (folder / "plan.json").write_text(json.dumps({"metric": "exact_match", "worth": 0.02}))
    with pytest.raises(UserError) as caught:
        open_test(seal, folder, ledger, "run 1")
    assert len(caught.value.problems) == 5
    assert ledger.openings("questions-hash") == (), "nothing was looked at"


def test_counts_looks_over_runs_and_a_resumed_run_once(seal: Seal, folder: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "ledger.sqlite")
    looks = [open_test(seal, folder, ledger, run).look for run in ("one", "two", "one", "three", "two")]
    assert looks == [1, 2, 1, 3, 2]
    assert [o.run for o in ledger.openings("questions-hash")] == ["one", "two", "three"]
    assert ledger.record("other questions", "four", "").look == 1


def test_a_plan_changed_after_the_opening_is_refused(seal: Seal, folder: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    open_test(seal, folder, ledger, "run 1")
    (folder / "plan.json").write_text(json.dumps({**PLAN, "worth": 0.001}))
    with pytest.raises(UserError, match="changed after the test had been opened"):
        open_test(seal, folder, ledger, "run 1")
    assert open_test(seal, folder, ledger, "run 2").look == 2, "a new run may, and it counts"


def test_a_look_counts_even_if_the_rows_turn_out_changed(seal: Seal, folder: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    seal.path.write_text("{}\n")
    with pytest.raises(UserError, match="changed or is gone"):
        open_test(seal, folder, ledger, "run 1")
    assert len(ledger.openings("questions-hash")) == 1


def test_killed_at_the_moment_of_opening_it_has_looked(seal: Seal, folder: Path, tmp_path: Path) -> None:
    """The opening is on disk before the first row is loaded: a process that dies at that point is in the ledger."""
    program = f"""
        import os, signal
        from pathlib import Path
        from sharpen.data import Seal
        from sharpen.evaluation import Ledger, opening
        opening.load_sealed = lambda seal: os.kill(os.getpid(), signal.SIGKILL)
        seal = Seal(Path({str(seal.path)!r}), 3, (2, 1), {seal.content!r}, "questions-hash", 0, 0)
        opening.open_test(seal, Path({str(folder)!r}), Ledger({str(tmp_path / "ledger.sqlite")!r}), "killed")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=dict(os.environ), check=False)
    assert done.returncode == -signal.SIGKILL
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert [o.run for o in ledger.openings("questions-hash")] == ["killed"]
    assert open_test(seal, folder, ledger, "killed").look == 1
    assert open_test(seal, folder, ledger, "next").look == 2


def test_many_runs_at_once_each_get_a_look_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with ThreadPoolExecutor(8) as pool:
        looks = list(pool.map(lambda i: Ledger(path).record("q", f"run {i}", "").look, range(24)))
    assert sorted(looks) == list(range(1, 25))


def test_a_ledger_that_cannot_be_written_keeps_the_test_sealed(seal: Seal, folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "ledger.sqlite"
    broken.write_text("this is no database, and long enough to be seen as none" * 20)
    with pytest.raises(UserError, match=r"ledger of test openings cannot be used.*move it away: a new one is begun"):
        open_test(seal, folder, Ledger(broken), "run 1")
    assert broken.read_text().startswith("this is no database"), "nothing was written over"
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Free disk space or mend its permissions"):
        open_test(seal, folder, Ledger(tmp_path / "file" / "ledger.sqlite"), "run 1")


def test_a_question_that_another_test_held_too_was_looked_at(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    first = ledger.record("abc", "one", "", ["a", "b", "c"])
    assert (first.look, first.share) == (1, 0.0)
    second = ledger.record("bcd", "two", "", ["b", "c", "d"])
    assert (second.look, second.share) == (2, pytest.approx(2 / 3))
    third = ledger.record("cx", "three", "", ["c", "x"])
    assert (third.look, third.share) == (3, 0.5)
    assert ledger.record("abc", "one", "", ["a", "b", "c"]) == first, "going on with a run is no look more"
    again = ledger.record("abc", "four", "", ["a", "b", "c"])
    assert (again.look, again.share) == (4, 1.0)
    assert ledger.record("fresh", "five", "", ["y", "z"]).look == 1

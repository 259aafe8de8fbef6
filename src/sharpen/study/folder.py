"""A run's folder: its lock, its settings, its events. Whatever is written there is whole or not there at all."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sharpen.config import UseCase
from sharpen.errors import UserError
from sharpen.parts import expect
from sharpen.store import parse_yaml, read_cached, read_json, read_whole, write_text
from sharpen.types import System, digest, restore

T = TypeVar("T")
DECIDES = ("plan.json", "key.json", "engine.json", "budget.json")  # what is tested follows from them
BEFORE = ("budget.json",)  # may be put there before a run begins, to have the same counts again
ANEW = "Delete it; the same sharpen run makes it anew."
AGAIN = "use --out for a new run: it counts as another look at these questions."
OPENED = f"Its test was opened already, so {AGAIN}"


class RunFolder:
    """``config.yaml``, ``environment.json``, ``events.jsonl``, ``arms/<name>/``, ``report.json``, ``report.html``."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.part = ""  # of another run, where this is one

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; a second run of the same study is refused, not mixed in.

        So is a folder that holds files and no run: they would be written over.
        """
        try:
            if others := self._others():
                some = ", ".join(others[:3]) + (" and more" if len(others) > 3 else "")
                do = "Choose a folder that is new or empty: --out"
                raise UserError(f"holds files that are no run's ({some}).", str(self.path), do)
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as e:
            raise UserError(
                f"cannot be written: {e.strerror}.", str(self.path), "Choose another place: --out"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            os.close(handle)
            if isinstance(e, BlockingIOError):
                what, do = "another process is running this study.", "Wait for it, or use --out."
            else:
                what, do = f"cannot be locked: {e.strerror}.", "Choose a place on a local disk: --out"
            raise UserError(what, str(self.path), do) from None
        try:
            yield
        finally:
            os.close(handle)

    def _others(self) -> list[str]:
        """What lies in a folder in which no run was begun. Damaged settings may have been deleted from one that was."""
        if not self.path.is_dir() or any((self.path / name).exists() for name in ("config.yaml", ".lock")):
            return []
        return sorted(p.name for p in self.path.iterdir() if not p.name.startswith(".") and p.name not in BEFORE)

    def adopt(self, use_case: UseCase, base: Path, store: Path) -> None:
        """Write the settings; let the store know of this run. A folder that has others keeps them once there is a plan.

        Raises:
            UserError: it does, or what it holds is another study.
        """
        text = yaml.safe_dump(
            {"base": str(base), "use_case": use_case.model_dump(mode="json")}, sort_keys=False, allow_unicode=True
        )
        config = self.path / "config.yaml"
        before = self.settings()[0] if config.exists() else {}
        if before and config.read_text(encoding="utf-8") != text:
            changed = [k for k, v in use_case.model_dump(mode="json").items() if before.get(k) != v] or ["its place"]
            if self.planned or "name" in changed:
                raise UserError(
                    f"holds a study with other settings ({', '.join(changed)}).",
                    str(self.path),
                    "Use --out for another folder; answers that are the same are reused from the store.",
                )
        write_text(config, text)
        # A folder's name may be bytes that are no text.
        write_text(store / "runs" / digest([str(self.path)]), f"{self.path}\n", errors="surrogateescape")

    def settings(self) -> tuple[dict[str, Any], Path]:
        """The settings that the folder was made with, and the folder that their paths are relative to."""

        def made(text: str) -> tuple[dict[str, Any], Path]:
            kept = parse_yaml(text, "config.yaml")
            return {"name": kept["use_case"]["name"], **kept["use_case"]}, Path(kept["base"])

        return read_whole(self.path / "config.yaml", made, ANEW)

    def programs(self) -> dict[str, System]:
        """The program of each arm that was built; none where none was written down."""

        def made(data: Any) -> dict[str, System]:
            found = {name: restore(row) for name, row in data.items()}
            for name, program in found.items():
                expect(program, System, name)
            if not found:
                raise ValueError  # every study has a baseline
            return found

        return self.read_json("programs.json", made) or {}

    def finished(self) -> tuple[str, dict[str, str]]:
        """The name of the prepared data of a finished run, and what each of its models was, by reference.

        Raises:
            UserError: it was not finished, or its ``done.json`` is damaged.
        """

        def made(data: Any) -> tuple[str, dict[str, str]]:
            return str(data["data"]), {str(ref): str(what) for ref, what in data["weights"].items()}

        found = self.read_json("done.json", made)
        if found is None:
            raise UserError("has no done.json: the run is not finished.", str(self.path), "Run the study again.")
        return found

    def belong(self, key: str) -> None:
        """Bind the folder to what the study depends on: data, documents, given answers, the user's own parts.

        Until its test is opened a changed study may start over here; afterwards it is another look, in a new folder.

        Raises:
            UserError: the study was changed after its test had been opened.
        """
        known = self.read_json("key.json", lambda data: str(data["key"]))
        if known != key and self.planned:
            what = "its data, its models or its own parts were changed after its test had been opened."
            raise UserError(what, str(self.path), AGAIN.capitalize())
        if known not in (None, key):
            for name in ("budget.json", "engine.json", "engine_check.json", "latency.json", "programs.json"):
                (self.path / name).unlink(missing_ok=True)
        if known != key:
            self.write_json("key.json", {"key": key})

    def join(self, run: RunFolder) -> None:
        """Become a part of a run: its tests are opened by that run."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / "run_id", run.run_id())
        self.part = self.path.name

    def look_id(self) -> str:
        """Who opens a test, for the ledger: the run, or the part of it that has a test of its own."""
        return f"{self.run_id()}/{self.part}" if self.part else self.run_id()

    def run_id(self) -> str:
        """The identity of this run, made once: going on after a kill is the same run."""
        path = self.path / "run_id"
        if not path.exists():
            write_text(path, uuid.uuid4().hex)

        def made(text: str) -> str:
            if not re.fullmatch("[0-9a-f]{32}", text):
                raise ValueError
            return text

        do = "Delete it; the same sharpen run makes another, and its test then counts as looked at once more."
        return read_whole(path, made, do)

    def event(self, kind: str, **facts: Any) -> None:
        """Append an event; each is one line, written at once."""
        line = json.dumps({"time": round(time.time(), 3), "event": kind, **facts}, ensure_ascii=False, default=str)
        with (self.path / "events.jsonl").open("a+b") as f:
            whole = not f.tell() or (f.seek(-1, os.SEEK_END), f.read(1))[1] == b"\n"  # a kill may have cut the last
            f.write(f"{line}\n".encode() if whole else f"\n{line}\n".encode())

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """All events, or those of one kind; a line that is none (a kill cut it short) is left out."""
        path = self.path / "events.jsonl"
        found = []
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []:
            event = _event(line)
            if event and kind in (None, event["event"]):
                found.append(event)
        return found

    @contextmanager
    def spending(self, arm: str, on: str) -> Iterator[None]:
        """Write down how long something took for an arm, so that estimates can be held against it."""
        start = time.perf_counter()
        yield
        self.event("spent", arm=arm, on=on, seconds=round(time.perf_counter() - start, 3))

    def spent(self) -> dict[str, float]:
        """Seconds spent on each arm, all parts of an interrupted run together; what a kill cut off is not in it."""
        total: dict[str, float] = {}
        for event in self.events("spent"):
            total[event["arm"]] = total.get(event["arm"], 0.0) + event["seconds"]
        return total

    def hours(self) -> float:
        """How long the run has worked, all parts of an interrupted one together; what was between them not counted."""
        events = self.events()
        starts = [i for i, e in enumerate(events) if e["event"] == "started"] + [len(events)]
        parts = (events[a:b] for a, b in pairwise(starts))
        done = [part[-1]["time"] - part[0].get("began", part[0]["time"]) for part in parts]
        # The part under way lasts until now.
        last = events[starts[-2]] if done else {}
        return (sum(done[:-1]) + time.time() - last.get("began", last["time"])) / 3600 if done else 0.0

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file whole."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @property
    def planned(self) -> bool:
        """Whether the test may have been opened: its plan stands here."""
        return (self.path / "plan.json").exists()

    def read_json(self, name: str, make: Callable[[Any], T]) -> T | None:
        """What ``make`` makes of a JSON file of the folder; None if it is not there.

        Raises:
            UserError: it is damaged; or it is gone, and what is tested followed from it.
        """
        path, decided = self.path / name, name in DECIDES and self.planned
        if decided and not path.exists():
            raise UserError("is gone.", str(path), OPENED)
        return read_json(path, make, OPENED if decided else ANEW) if path.exists() else None

    def read_measured(self, name: str, make: Callable[[Any], T]) -> T | None:
        """The same for what is measured again where it is damaged."""
        return read_cached(self.path / name, make)


def _event(line: str) -> dict[str, Any] | None:
    """The event of a line, or None where it is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    needed = ("arm", "seconds") if event.get("event") == "spent" else ()
    kinds = {"event": str, "time": int | float, "began": int | float, "seconds": int | float, "arm": str}
    whole = event.keys() >= {"event", "time", *needed}
    return event if whole and all(isinstance(event[k], kind) for k, kind in kinds.items() if k in event) else None


def arm_folder(name: str) -> str:
    """A folder name for an arm: its own, or what file systems like of it and a hash."""
    plain = name.replace(" + ", "+")
    safe = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in plain)
    if safe == plain and len(safe.encode()) <= 80 and not safe.startswith("."):
        return safe
    return f"{safe.encode()[:60].decode(errors='ignore').lstrip('.')}-{digest(name)[:8]}"

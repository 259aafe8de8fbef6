"""A run's folder: its lock, its settings, its events. Whatever is written there is whole or not there at all."""

from __future__ import annotations

import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from sharpen.config import UseCase
from sharpen.errors import UserError
from sharpen.store import write_text
from sharpen.types import digest


class RunFolder:
    """``config.yaml``, ``environment.json``, ``events.jsonl``, ``arms/<name>/``, ``report.json``, ``report.html``."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; a second run of the same study is refused, not mixed in."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as e:
            raise UserError(
                f"cannot be written: {e.strerror}.", str(self.path), "Choose another place: --out"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise UserError(
                "another process is running this study.", str(self.path), "Wait for it, or use --out."
            ) from None
        try:
            yield
        finally:
            os.close(handle)

    def adopt(self, use_case: UseCase, base: Path, store: Path) -> None:
        """Write the settings, or see that a folder that has some has the same; let the store know of this run."""
        text = yaml.safe_dump(
            {"base": str(base), "use_case": use_case.model_dump(mode="json")}, sort_keys=False, allow_unicode=True
        )
        config = self.path / "config.yaml"
        if config.exists() and config.read_text(encoding="utf-8") != text:
            before = (yaml.safe_load(config.read_text(encoding="utf-8")) or {}).get("use_case", {})
            changed = [k for k, v in use_case.model_dump(mode="json").items() if before.get(k) != v] or ["its place"]
            raise UserError(
                f"holds a study with other settings ({', '.join(changed)}).",
                str(self.path),
                "Use --out for another folder; answers that are the same are reused from the store.",
            )
        write_text(config, text)
        write_text(store / "runs" / digest([str(self.path)]), f"{self.path}\n")

    def belong(self, key: str) -> None:
        """Bind the folder to what the study depends on: data, documents, given answers, the user's own parts.

        Until its test is opened a changed study may start over here; afterwards it is another look, in a new folder.

        Raises:
            UserError: the study was changed after its test had been opened.
        """
        known = (self.read_json("key.json") or {}).get("key")
        if known not in (None, key):
            if (self.path / "plan.json").exists():
                raise UserError(
                    "its data or its own parts were changed after its test had been opened.",
                    str(self.path),
                    "Use --out for a new run: it counts as another look at these questions.",
                )
            for name in ("budget.json", "engine_check.json", "latency.json", "programs.json"):
                (self.path / name).unlink(missing_ok=True)
        if known != key:
            self.write_json("key.json", {"key": key})

    def run_id(self) -> str:
        """The identity of this run, made once: going on after a kill is the same run."""
        path = self.path / "run_id"
        if not path.exists():
            write_text(path, uuid.uuid4().hex)
        return path.read_text(encoding="utf-8")

    def event(self, kind: str, **facts: Any) -> None:
        """Append an event; each is one line, written at once."""
        line = json.dumps({"time": round(time.time(), 3), "event": kind, **facts}, ensure_ascii=False, default=str)
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as f:
            f.write(line + "\n")

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """All events, or those of one kind; a line that a kill cut short is left out."""
        path = self.path / "events.jsonl"
        found = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if kind is None or event.get("event") == kind:
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

    def read_json(self, name: str) -> Any:
        """Read a JSON file of the folder; None if it is not there."""
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def arm_folder(name: str) -> str:
    """A folder name for an arm: its own, or what file systems like of it and a hash."""
    plain = name.replace(" + ", "+")
    safe = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in plain)
    return safe if safe == plain and len(safe) <= 80 else f"{safe[:60]}-{digest(name)[:8]}"

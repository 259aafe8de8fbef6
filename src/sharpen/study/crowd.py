"""How much of the processors other programs take: what is clocked beside them is not this machine's speed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")  # of Linux; elsewhere nobody knows
BRIEF = 1.0  # seconds; what takes less is counted in too few ticks
FULL = 0.1  # idle share below which programs wait for each other
MUCH = 0.15  # share of the processors


@dataclass(frozen=True)
class Crowd:
    """Processor seconds since the machine started: spent by anybody, idle, and spent by this process."""

    at: float
    busy: float
    idle: float
    own: float

    @classmethod
    def now(cls) -> Crowd | None:
        """What the system has counted so far, on the processors that this process may use; None where it does not tell.

        Seconds that a virtual machine was not given (steal) count as spent by others.
        """
        try:
            usable = {f"cpu{n}" for n in os.sched_getaffinity(0)}
            rows = [line.split() for line in STAT.read_text(encoding="ascii").splitlines() if line.startswith("cpu")]
            ticks = [[int(x) for x in row[1:9]] for row in rows if row[0] in usable]
            idle, tick = sum(row[3] + row[4] for row in ticks), os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError, AttributeError):
            return None
        used = os.times()
        own = used.user + used.system + used.children_user + used.children_system
        return cls(time.perf_counter(), (sum(map(sum, ticks)) - idle) / tick, idle / tick, own)


def others_since(start: Crowd | None) -> float:
    """Share of the processors that others took since ``start``, 0 to 1; 0 where there was room for everybody.

    0, too, where the system does not tell, or where it was too short to be counted.
    """
    now = Crowd.now()
    if start is None or now is None or now.at - start.at < BRIEF:
        return 0.0
    busy, idle = now.busy - start.busy, now.idle - start.idle
    whole = busy + idle
    others = (busy - (now.own - start.own)) / whole if whole > 0 else 0.0
    return min(1.0, others) if others > MUCH and idle < FULL * whole else 0.0

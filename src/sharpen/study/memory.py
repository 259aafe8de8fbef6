"""How much memory this process holds and could have, in gigabytes (1e9 bytes)."""

from __future__ import annotations

import os
from pathlib import Path


def available_gb() -> float | None:
    """Memory that a new program can have, in 1e9 bytes; None where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 / 1e9
    except (OSError, ValueError):
        return None
    return None


def resident_gb() -> float | None:
    """Resident memory of this process, in 1e9 bytes; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (OSError, ValueError):
        return None

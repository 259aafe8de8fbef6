"""How long one answer takes and how much memory the process then holds: one at a time, warm, never from a cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sharpen.runtime import Engines, batch, give_back
from sharpen.study.memory import resident_gb
from sharpen.types import Example, System

QUESTIONS = 30
WARM = 2  # asked before them, to warm the engine up


def measure(
    program: System, questions: Sequence[Example], engines: Engines, told: Callable[[int], None] = lambda n: None
) -> dict[str, Any]:
    """Ask up to 30 questions one after the other; training questions from all over, which no arm was asked before.

    ``told`` is told before each question how many were answered.

    Returns:
        ``p50_seconds``, ``p95_seconds``, ``mean_seconds`` (without the tenth at either end: another process on the
        machine makes some answers take ten times as long), ``tokens``: prompt and generated tokens an answer,
        ``prompt_tokens``, ``completion_tokens``, ``memory_gb``: resident memory now (1e9 bytes), ``n``, and ``failed``:
        how many of those asked gave no answer. Their times count nowhere: a refusal is quick and cheap.
    """
    engines.release(keep=(program.model, program.adapters))  # the memory of other arms' models is not this one's
    give_back()
    asked = [e.blind() for e in spread(questions, QUESTIONS + WARM)]  # the engine remembers what neighbours share
    times, prompt, generated, failed = list[float](), 0, 0, 0
    for i, example in enumerate(asked):
        told(i)
        start = time.perf_counter()
        _, answer = next(batch(program, [example], engines))
        if i < min(WARM, len(asked) - 1):
            continue
        if answer.error:
            failed += 1
        else:
            times.append(time.perf_counter() - start)
            prompt += sum(c.prompt_tokens for c in answer.completions)
            generated += sum(c.completion_tokens for c in answer.completions)
    times.sort()
    n = len(times)
    return {
        "n": n,
        "failed": failed,
        "mean_seconds": _usual(times),
        "p50_seconds": times[n // 2] if n else None,
        "p95_seconds": times[min(n - 1, int(0.95 * n))] if n else None,
        "prompt_tokens": prompt / n if n else None,
        "completion_tokens": generated / n if n else None,
        "memory_gb": resident_gb(),
    }


def spread(examples: Sequence[Example], n: int) -> list[Example]:
    """At most ``n`` from all over: neighbours are often about one thing."""
    n = min(n, len(examples))
    return [examples[i * len(examples) // n] for i in range(n)]


def _usual(times: Sequence[float]) -> float | None:
    """The mean of sorted times without the shortest and the longest tenth."""
    cut = len(times) // 10
    kept = times[cut : len(times) - cut]
    return sum(kept) / len(kept) if kept else None


def measured(data: Any) -> dict[str, dict[str, Any]]:
    """What was measured of each arm before, as it was written down."""
    for row in data.values():
        numbers = [row[k] for k in ("mean_seconds", "p50_seconds", "p95_seconds", "memory_gb", "n", "failed")]
        if not isinstance(row["fingerprint"], str) or not all(isinstance(x, int | float | None) for x in numbers):
            raise ValueError
    return dict(data)

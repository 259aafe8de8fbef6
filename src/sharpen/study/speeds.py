"""How fast this machine answers and trains with this model: measured once in some seconds, and kept."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sharpen.runtime import Engines, batch
from sharpen.store import write_text
from sharpen.study.environment import machine
from sharpen.study.latency import resident_gb
from sharpen.study.setting import Setting
from sharpen.techniques import Bench
from sharpen.types import Decoding, Generate, Message, Model, Rank, digest

WORDS = 180  # of the made prompts: about what a question with a passage has
PROMPTS = 12


@dataclass(frozen=True)
class Speeds:
    """Tokens a second when many questions are answered at once, and while training; memory in gigabytes (1e9 bytes).

    ``answer_tokens``: how long the untuned model's answers to the use case's own questions are, in tokens;
    ``label_tokens``: a second, of prompt and labels together, where answers are chosen among labels.
    """

    load_seconds: float
    prompt: float
    answer: float
    answer_tokens: float
    label_tokens: float
    embed: float
    train: float
    memory_answering: float
    memory_training: float


def measure_speeds(setting: Setting, bench: Bench, engines: Engines, trains: bool, retrieves: bool) -> Speeds:
    """Return the speeds of this machine with the study's model, measured now or before."""
    identity = engines.identity(setting.use_case.model)
    key = digest(
        [identity, machine(), setting.task.name, bench.max_new_tokens, len(bench.labels), trains, retrieves, 1]
    )
    path = setting.store.root / "speeds" / f"{key}.json"
    if path.exists():
        return Speeds(**json.loads(path.read_text(encoding="utf-8")))
    setting.progress("measure this machine's speed", 0, None)
    start = time.perf_counter()
    engines.release()
    model = engines.model(setting.use_case.model)
    load = time.perf_counter() - start
    prompt, answer = _generating(model)
    own = [a for _, a in batch(bench.first(setting.use_case.model), bench.train[:8], engines)]
    said = sum(c.completion_tokens for a in own for c in a.completions) / max(1, len(own))
    labels = _ranking(model, bench) if bench.labels and "score" in model.can else 0.0
    memory = resident_gb() or 0.0
    embed = _embedding(engines) if retrieves else 0.0
    train, memory_training = _training(setting, engines) if trains and "tune" in model.can else (0.0, 0.0)
    speeds = Speeds(load, prompt, answer, said, labels, embed, train, memory, memory_training)
    write_text(path, json.dumps(asdict(speeds)))
    return speeds


def text(n: int) -> str:
    """A made text of ``WORDS`` words that begins unlike any other, so that no cache knows it."""
    common = [
        "the",
        "of",
        "and",
        "to",
        "in",
        "is",
        "that",
        "for",
        "it",
        "as",
        "was",
        "with",
        "on",
        "by",
        "at",
        "be",
        "this",
        "are",
        "from",
        "or",
        "an",
        "have",
        "not",
        "they",
        "which",
        "one",
    ]
    return " ".join([f"number{n}", *(common[(n * 7 + i * i) % len(common)] for i in range(WORDS))])


def _generating(model: Model) -> tuple[float, float]:
    """Prompt tokens a second, and generated tokens a second, of ``PROMPTS`` prompts at once."""
    if "generate" not in model.can:
        return 0.0, 0.0

    def run(first: int, new: int) -> tuple[float, int, int]:
        messages = [(Message("user", text(first + i)),) for i in range(PROMPTS)]
        requests = [Generate(model.ref, (), m, Decoding(new)) for m in messages]
        start = time.perf_counter()
        done = [c for _, c in model.generate(requests)]
        return time.perf_counter() - start, sum(c.prompt_tokens for c in done), sum(c.completion_tokens for c in done)

    run(0, 1)  # the first call compiles and warms up
    short, prompt, one = run(1000, 1)
    long, _, many = run(2000, 24)
    return prompt / max(short, 1e-6), max(many - one, 1) / max(long - short, short * 0.02, 1e-6)


def _ranking(model: Model, bench: Bench) -> float:
    """Tokens of prompt and labels a second."""
    first = bench.first(model.ref)
    asked = [(Message("system", first.prompt.instruction), Message("user", e.question)) for e in bench.train[:6]]
    requests = [Rank(model.ref, (), m, bench.labels) for m in asked]
    start = time.perf_counter()
    done = [x for _, x in model.score(requests)]
    seconds = time.perf_counter() - start
    return sum(x.prompt_tokens + sum(x.tokens) for x in done) / max(seconds, 1e-6)


def _embedding(engines: Engines) -> float:
    """Passages embedded a second."""
    engines.embed([text(9000)])
    start = time.perf_counter()
    engines.embed([text(9001 + i) for i in range(16)])
    return 16 / max(time.perf_counter() - start, 1e-6)


def _training(setting: Setting, engines: Engines) -> tuple[float, float]:
    """Row tokens trained a second (validation left out), and the process's peak memory then."""
    ref = setting.use_case.model
    model: Any = engines.model(ref)
    if hasattr(model, "learn"):
        return 1e6, resident_gb() or 0.0
    from sharpen import tuning
    from sharpen.models import pull
    from sharpen.models.transformers import load_module

    reply = Message("assistant", "a short answer")
    rows = [model.render([Message("user", text(5000 + i)), reply]) for i in range(8)]
    engines.release()
    module, _ = load_module(pull(ref))
    options = tuning.TrainOptions(max_steps=2, per_device_train_batch_size=4, checkpoint_steps=0)
    with tempfile.TemporaryDirectory(prefix="sharpen-") as scratch:
        trained = tuning.train(module, rows, [], options, Path(scratch, "train"))
    speed = max(p.tokens_per_second for p in trained.curve)
    return speed, peak_gb()


def peak_gb() -> float:
    """The process's peak resident memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9

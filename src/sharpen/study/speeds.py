"""How fast this machine answers and trains with this model: measured once in some seconds, and kept."""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.models import cache, is_hosted
from sharpen.runtime import Engines, batch
from sharpen.store import read_cached, write_text
from sharpen.study.environment import machine
from sharpen.study.memory import resident_gb
from sharpen.study.setting import Setting
from sharpen.techniques import Bench
from sharpen.types import Decoding, Generate, Message, Model, Progress, Rank, Rendered, digest

WORDS = 180  # of the made prompts: about what a question with a passage has
FEW = 12  # words of a question alone
PROMPTS = 12
WEEK = 7 * 24 * 3600  # seconds
VERSION = 5  # of how it is measured
SOME = (0, 1005, 2010, 5000)  # made prompts, which differ in length by a few words


@dataclass(frozen=True)
class Speeds:
    """Tokens a second when many questions are answered at once, and while training; memory in gigabytes (1e9 bytes).

    ``answer_alone``: generated tokens a second where one question is asked at a time; ``tuned_load_seconds``: until a
    tuned model can be asked; a step of training costs ``train_step`` seconds beside its tokens, a training
    ``train_start`` seconds beside its steps;
    ``measuring_seconds``: what measuring all this took;
    ``answer_tokens``: how long the untuned model's answers to the use case's own questions are, in tokens;
    ``label_tokens``: a second, of prompt and labels together, where answers are chosen among labels.
    """

    load_seconds: float
    tuned_load_seconds: float
    prompt: float
    answer: float
    answer_alone: float
    answer_tokens: float
    label_tokens: float
    embed: float
    train: float
    train_step: float
    train_start: float
    memory_answering: float
    memory_training: float
    measuring_seconds: float


@dataclass(frozen=True)
class Tuning:
    """Computed tokens trained a second (validation left out), the seconds of a step and of a training beside them, the
    peak memory then, and the load of what was tuned."""

    tokens: float = 0.0
    step: float = 0.0
    start: float = 0.0
    memory: float = 0.0
    load: float = 0.0


def measure_speeds(setting: Setting, bench: Bench, engines: Engines, trains: bool, retrieves: bool) -> Speeds:
    """Return the speeds of this machine with the study's model, measured now or within the last week.

    Each part is kept by itself, that of a local model beside the models: another use case, or an arm more, measures
    only what nobody did before.
    """
    ref = setting.use_case.model
    identity, start = engines.identity(ref), time.perf_counter()
    kept = Kept(setting.store.root if is_hosted(ref) else cache(), setting.progress)
    answering = kept.of("answering", [identity], lambda: _answering(ref, engines))
    shape = [identity, setting.task.name, bench.max_new_tokens, bench.labels, [e.id for e in bench.train[:8]]]
    replies = kept.of("replies", shape, lambda: _replies(ref, bench, engines))
    embed = {"passages": 0.0}
    if retrieves:
        embed = kept.of("embedding", [setting.use_case.embeddings], lambda: {"passages": _embedding(engines)})
    tuned = Tuning()
    if trains and "tune" in engines.model(ref).can:
        tuned = Tuning(**kept.of("training", [identity], lambda: asdict(_training(setting, engines))))
    return Speeds(
        load_seconds=answering["load"],
        tuned_load_seconds=tuned.load,
        prompt=answering["prompt"],
        answer=answering["answer"],
        answer_alone=answering["alone"],
        answer_tokens=replies["said"],
        label_tokens=replies["labels"],
        embed=embed["passages"],
        train=tuned.tokens,
        train_step=tuned.step,
        train_start=tuned.start,
        memory_answering=answering["memory"],
        memory_training=max(answering["memory"], tuned.memory),
        measuring_seconds=time.perf_counter() - start,
    )


MEASURED = {
    "answering": ("load", "prompt", "answer", "alone", "memory"),
    "replies": ("said", "labels"),
    "embedding": ("passages",),
    "training": tuple(f.name for f in fields(Tuning)),
}


@dataclass
class Kept:
    """What was measured on this machine, a file each; a week later it is measured again, since machines change."""

    root: Path
    progress: Progress

    def of(self, what: str, key: list[Any], measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Return what was measured before, or measure it: ``what`` is a key of ``MEASURED``."""
        path = self.root / "speeds" / f"{what}-{digest([key, machine(), VERSION])}.json"
        if path.is_file() and time.time() - path.stat().st_mtime < WEEK:
            known = read_cached(path, lambda data: {k: float(data[k]) for k in MEASURED[what]})
            if known:
                return known
        self.progress(f"measure this machine's speed: {what}", 0, None)
        found = measure()
        write_text(path, json.dumps(found))
        return found


def _answering(ref: str, engines: Engines) -> dict[str, float]:
    start = time.perf_counter()
    engines.release()
    model = engines.model(ref)
    load = time.perf_counter() - start
    prompt, answer, alone = _generating(model)
    return {"load": load, "prompt": prompt, "answer": answer, "alone": alone, "memory": resident_gb() or 0.0}


def _replies(ref: str, bench: Bench, engines: Engines) -> dict[str, float]:
    """How long the untuned model's own answers are, and how fast it ranks this use case's labels."""
    model = engines.model(ref)
    own = [a for _, a in batch(bench.first(ref), bench.train[:8], engines)]
    said = sum(c.completion_tokens for a in own for c in a.completions) / max(1, len(own))
    return {"said": said, "labels": _ranking(model, bench) if bench.labels and "score" in model.can else 0.0}


def text(n: int, words: int = WORDS) -> str:
    """A made text that begins unlike any other, so that no cache knows it."""
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
    return " ".join([f"number{n}", *(common[(n * 7 + i * i) % len(common)] for i in range(words))])


def _generating(model: Model) -> tuple[float, float, float]:
    """Prompt and generated tokens a second of ``PROMPTS`` prompts at once, and generated tokens a second of one."""
    if "generate" not in model.can:
        return 0.0, 0.0, 0.0

    words = _words_that_fit(model)

    def run(first: int, new: int, n: int = PROMPTS) -> tuple[float, int, int]:
        messages = [(Message("user", text(first + i, words)),) for i in range(n)]
        requests = [Generate(model.ref, (), m, Decoding(new)) for m in messages]
        start = time.perf_counter()
        done = [c for _, c in model.generate(requests)]
        wrong = next((c.error for c in done if c.error), None)
        if wrong:  # nothing is kept: the next try measures again
            raise UserError(f"does not answer: {wrong}", model.ref, "Mend that, then run the same command again.")
        return time.perf_counter() - start, sum(c.prompt_tokens for c in done), sum(c.completion_tokens for c in done)

    run(0, 1)  # the first call compiles and warms up
    short, prompt, one = run(1000, 1)
    long, _, many = run(2000, 24)
    first, _, a = run(3000, 1, 1)
    rest, _, b = run(3001, 24, 1)
    alone = max(b - a, 1) / max(rest - first, first * 0.02, 1e-6)
    return prompt / max(short, 1e-6), max(many - one, 1) / max(long - short, short * 0.02, 1e-6), alone


def _words_that_fit(model: Model) -> int:
    """``WORDS``, or fewer where the model reads no more than some hundred tokens."""
    words = WORDS
    while words > 2 * FEW and max(len(model.render([Message("user", text(i, words))]).ids) for i in SOME) > (
        0.9 * model.context - 40
    ):
        words //= 2
    return words


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


def _training(setting: Setting, engines: Engines) -> Tuning:
    """Train some steps on questions alone and some on questions with passages: what a token and a step cost."""
    ref = setting.use_case.model
    if hasattr(engines.model(ref), "learn"):
        return Tuning(1e6, 0.0, 0.0, resident_gb() or 0.0, 0.0)
    from sharpen import tuning
    from sharpen.models import pull
    from sharpen.models.transformers import load_module, placed

    reply = Message("assistant", "a short answer")
    options = tuning.TrainOptions(num_train_epochs=1, per_device_train_batch_size=8, checkpoint_steps=0)
    size = options.rows_per_step

    def rows(steps: int, words: int) -> list[Rendered]:
        return [engines.model(ref).render([Message("user", text(5000 + i, words)), reply]) for i in range(steps * size)]

    few, many = rows(3, FEW), rows(2, _words_that_fit(engines.model(ref)))
    engines.release()
    start = time.perf_counter()
    module = placed(load_module(pull(ref))[0])
    log = logging.getLogger("sharpen.tuning")  # what it has to say is of made rows
    level = log.level
    log.setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="sharpen-") as scratch:
        try:
            short = tuning.train(module, few, [], options, Path(scratch, "short"))
            small, a = _step(short, few)
            before = max(0.0, time.perf_counter() - start - len(short.curve) * small)
            trained = tuning.train(module, many, [], options, Path(scratch, "long"))
        finally:
            log.setLevel(level)
        large, b = _step(trained, many)
        peak = trained.peak_memory / 1e9
        token = (large - small) / (b - a) if large > small else large / b
        del module
        start = time.perf_counter()
        tuned = setting.opener(ref, [trained.adapter])
        if "generate" in tuned.can:
            list(tuned.generate([Generate(ref, (), (Message("user", "?"),), Decoding(1))]))
        load = time.perf_counter() - start
    return Tuning(1 / token, max(0.0, small - a * token), before, peak, load)


def _step(trained: Any, rows: Sequence[Rendered]) -> tuple[float, float]:
    """Seconds and computed tokens of a step on rows of one length; the first step warms up and is left out."""
    speed = statistics.median(p.tokens_per_second for p in trained.curve[1:])
    n = len(trained.curve)
    return sum(len(r.ids) for r in rows) / n / speed, trained.computed_tokens / n

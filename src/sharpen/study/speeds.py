"""How fast this machine answers and trains with this model: measured once in some seconds, and kept."""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.models import cache, is_hosted
from sharpen.runtime import Engines, batch, give_back
from sharpen.store import read_cached, write_text
from sharpen.study.calls import writes
from sharpen.study.crowd import Crowd, others_since
from sharpen.study.environment import machine
from sharpen.study.latency import spread
from sharpen.study.memory import resident_gb
from sharpen.study.setting import Setting
from sharpen.techniques import Bench
from sharpen.types import Decoding, Demo, Example, Generate, Message, Model, Progress, Rank, Rendered, System, digest

log = logging.getLogger(__name__)

WORDS = 180  # of the made prompts: about what a question with a passage has
FEW = 12  # words of a question alone
FAR = 720  # words before it, as worked examples with passages have
PROMPTS = 12
MANY = 32  # short prompts whose answers are clocked: as many as keep the engine busy
TIMES = 3  # it is clocked, for the median: any one time may be another process's
OWN = 32  # of the use case's questions, from all over the training split
SHOWN = 3  # worked examples
WEEK = 7 * 24 * 3600  # seconds
CROWDED = 10 * 60  # seconds; what was measured beside other programs is no longer true once they are gone
VERSION = 10  # of how it is measured
SOME = (0, 1005, 2010, 5000)  # made prompts, which differ in length by a few words


@dataclass(frozen=True)
class Speeds:
    """Tokens a second when many questions are answered at once, and while training; memory in gigabytes (1e9 bytes).

    ``load_seconds``: until a model is open and has answered once; ``tuned_load_seconds``: until a tuned one has;
    ``answer_alone``: generated tokens a second where one question is asked at a time;
    ``answer_context``: seconds that a generated token takes longer for each token before it;
    ``train_step``: seconds of a training step beside its tokens; ``train_start``: of a training beside its steps;
    ``memory_training``: what training holds beside the tokens of its largest pass, ``memory_token``: for each of them;
    ``measuring_seconds``: what measuring all this took;
    ``answer_tokens``: how long the untuned model's answers to the use case's own questions are, in tokens, and
    ``shot_tokens`` with some worked examples;
    ``label_tokens``: a second, of prompt and labels together, where answers are chosen among labels.
    """

    load_seconds: float
    tuned_load_seconds: float
    prompt: float
    answer: float
    answer_alone: float
    answer_context: float
    answer_tokens: float
    shot_tokens: float
    label_tokens: float
    embed: float
    train: float
    train_step: float
    train_start: float
    memory_answering: float
    memory_training: float
    memory_token: float
    measuring_seconds: float


@dataclass(frozen=True)
class Tuning:
    """Computed tokens trained a second (validation left out), the seconds of a step and of a training beside them, the
    peak memory without the tokens of a pass and for each of them, and the load of what was tuned."""

    tokens: float = 0.0
    step: float = 0.0
    start: float = 0.0
    memory: float = 0.0
    memory_token: float = 0.0
    load: float = 0.0


def measure_speeds(setting: Setting, bench: Bench, engines: Engines, ref: str, steps: Container[str]) -> Speeds:
    """Return the speeds of this machine with a model of the study, measured now or within the last week.

    ``steps``: the techniques of the arms that ask it, which decide what has to be known.

    Each part is kept by itself, that of a local model beside the models: another use case, or an arm more, measures
    only what nobody did before.
    """
    trains, retrieves = "lora" in steps, "retrieve" in steps
    identity, start = engines.identity(ref), time.perf_counter()
    kept = Kept(setting.store.root if is_hosted(ref) else cache(), setting.progress, 2 + retrieves + trains)
    if bench.labels and "score" in engines.model(ref).can and not writes(steps):  # all are chosen, none is generated
        answering = {**NO_RATES, **kept.of("opening", [identity], lambda: _opening(ref, engines))}
    else:
        answering = kept.of("answering", [identity], lambda: _answering(ref, engines))
    own = spread(bench.train, PROMPTS if is_hosted(ref) else OWN)
    asked = [setting.task.name, setting.use_case.goal, *map(digest, own)]
    shape = [identity, asked, bench.max_new_tokens, bench.labels]
    replies = kept.of("replies", shape, lambda: _replies(ref, bench, own, engines))
    embed = {"passages": 0.0}
    if retrieves:
        embed = kept.of("embedding", [setting.use_case.embeddings], lambda: {"passages": _embedding(engines)})
    tuned = Tuning()
    if trains and "tune" in engines.model(ref).can:
        tuned = Tuning(**kept.of("training", [identity], lambda: asdict(_training(setting, ref, engines))))
    kept.warn()
    return Speeds(
        load_seconds=answering["load"],
        tuned_load_seconds=tuned.load,
        prompt=answering["prompt"],
        answer=answering["answer"],
        answer_alone=answering["alone"],
        answer_context=answering["context"],
        answer_tokens=replies["said"],
        shot_tokens=replies["shown"],
        label_tokens=replies["labels"],
        embed=embed["passages"],
        train=tuned.tokens,
        train_step=tuned.step,
        train_start=tuned.start,
        memory_answering=answering["memory"],
        memory_training=tuned.memory,
        memory_token=tuned.memory_token,
        measuring_seconds=time.perf_counter() - start,
    )


RATES = ("prompt", "answer", "alone", "context")
NO_RATES = dict.fromkeys(RATES, 0.0)
OTHERS = "others"  # share of the processors that other programs took meanwhile
MEASURED = {
    "opening": ("load", "memory"),
    "answering": ("load", "memory", *RATES),
    "replies": ("said", "shown", "labels"),
    "embedding": ("passages",),
    "training": tuple(f.name for f in fields(Tuning)),
}


@dataclass
class Kept:
    """What was measured on this machine, a file each; a week later it is measured again, since machines change.

    What was measured beside other programs is kept for minutes; ``others`` is the share that they took at most.
    """

    root: Path
    progress: Progress
    parts: int
    done: int = 0
    others: float = 0.0

    def of(self, what: str, key: list[Any], measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Return what was measured before, or measure it: ``what`` is a key of ``MEASURED``."""
        self.done += 1
        path = self.root / "speeds" / f"{what}-{digest([key, machine(), VERSION])}.json"
        known = read_cached(path, lambda data: {k: float(data[k]) for k in (*MEASURED[what], OTHERS)})
        if known is None or time.time() - path.stat().st_mtime > (CROWDED if known[OTHERS] else WEEK):
            self.progress("measure this machine's speed", self.done - 1, self.parts)
            start = Crowd.now()
            found = measure()
            known = {**found, OTHERS: others_since(start)}
            write_text(path, json.dumps(known))
        self.others = max(self.others, known.pop(OTHERS))
        return known

    def warn(self) -> None:
        """Say it where something was measured beside other programs."""
        if self.others:
            log.warning(
                f"Other programs took {self.others:.0%} of the processors while this machine's speed was measured: it "
                "is faster alone, estimates are too long, and a budget cuts more than it has to. Let those programs "
                "end, and begin a new run ten minutes later."
            )


def _opening(ref: str, engines: Engines) -> dict[str, float]:
    start = time.perf_counter()
    engines.release()
    model = engines.model(ref)
    if "generate" in model.can:
        _clock(model, 0, 1, 1, FEW)
    load = time.perf_counter() - start
    return {"load": load, "memory": resident_gb() or 0.0}


def _answering(ref: str, engines: Engines) -> dict[str, float]:
    opened, model = _opening(ref, engines), engines.model(ref)
    rates = _generating(model) if "generate" in model.can else NO_RATES
    return {**opened, **rates, "memory": resident_gb() or 0.0}


def _replies(ref: str, bench: Bench, own: Sequence[Example], engines: Engines) -> dict[str, float]:
    """How long the untuned model's own answers are, and how fast it ranks this use case's labels."""
    model, first = engines.model(ref), bench.first(ref)
    if bench.labels and "score" in model.can:
        return {"said": 0.0, "shown": 0.0, "labels": _ranking(model, bench)}
    demos = tuple(Demo(e.question, e.targets[0]) for e in bench.train if e.targets)[:SHOWN]

    def said(program: System) -> float:
        answers = [a for _, a in batch(program, [e.blind() for e in own], engines) if not a.error]
        return sum(c.completion_tokens for a in answers for c in a.completions) / max(1, len(answers))

    return {"said": said(first), "shown": said(replace(first, demos=demos)), "labels": 0.0}


COMMON = (
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
)


def text(n: int, words: int = WORDS) -> str:
    """A made text that begins unlike any other, so that no cache knows it."""
    return " ".join([f"number{n}", *(COMMON[(n * 7 + i * i) % len(COMMON)] for i in range(words))])


def _clock(model: Model, first: int, new: int, n: int, words: int, before: str = "") -> tuple[float, int, int]:
    """Seconds, prompt tokens and generated tokens of ``n`` made prompts that were not asked before."""
    messages = [(Message("user", before + text(first + i, words)),) for i in range(n)]
    requests = [Generate(model.ref, (), m, Decoding(new)) for m in messages]
    start = time.perf_counter()
    done = [c for _, c in model.generate(requests)]
    wrong = next((c.error for c in done if c.error), None)
    if wrong:  # nothing is kept: the next try measures again
        raise UserError(f"does not answer: {wrong}", model.ref, "Mend that, then run the same command again.")
    return time.perf_counter() - start, sum(c.prompt_tokens for c in done), sum(c.completion_tokens for c in done)


def _generating(model: Model) -> dict[str, float]:
    """Prompt and generated tokens a second of many prompts at once, generated tokens a second of one, and what context
    costs a generated token.

    What is generated costs the difference between a long answer and one of a token; with short prompts, where that is
    not the small difference of two long times.
    """
    hosted = is_hosted(model.ref)
    many, times = (PROMPTS, 1) if hosted else (MANY, TIMES)

    def rate(first: int, n: int, before: str = "") -> tuple[float, float]:
        """Generated tokens a second, and tokens of a prompt."""
        short, _, one = _clock(model, first, 1, n, FEW, before)
        long, prompt, all_of_it = _clock(model, first + 500, 24, n, FEW, before)
        return max(all_of_it - one, 1) / max(long - short, short * 0.02, 1e-6), prompt / n

    seconds, read, _ = _clock(model, 1000, 1, PROMPTS, _words_that_fit(model))
    rates = [rate(2000 + 1000 * i, many) for i in range(times)]
    answer, near = statistics.median(r for r, _ in rates), rates[0][1]
    alone = statistics.median(rate(6000 + 1000 * i, 1)[0] for i in range(times))
    context = 0.0
    if not hosted:
        before = text(9000, _words_that_fit(model, FAR)) + " "
        _clock(model, 9001, 1, 1, FEW, before)  # who remembers what was read has read it
        slower, far = rate(10000, many, before)
        context = max(0.0, 1 / slower - 1 / answer) / max(far - near, 1)
    return {"prompt": read / max(seconds, 1e-6), "answer": answer, "alone": alone, "context": context}


def _words_that_fit(model: Model, words: int = WORDS) -> int:
    """So many words, or fewer where the model reads no more than some hundred tokens."""
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


def _training(setting: Setting, ref: str, engines: Engines) -> Tuning:
    """Train some steps on questions alone and some on questions with passages: what a token and a step cost."""
    if hasattr(engines.model(ref), "learn"):
        return Tuning(tokens=1e6, memory=resident_gb() or 0.0)
    from sharpen import tuning
    from sharpen.models import pull
    from sharpen.models.transformers import load_module, placed

    reply = Message("assistant", "a short answer")
    options = tuning.TrainOptions(num_train_epochs=1, per_device_train_batch_size=8, checkpoint_steps=0)
    size = options.rows_per_step

    def rows(steps: int, words: int) -> list[Rendered]:
        return [engines.model(ref).render([Message("user", text(5000 + i, words)), reply]) for i in range(steps * size)]

    few, many = rows(4, FEW), rows(2, _words_that_fit(engines.model(ref)))
    engines.release()
    give_back()
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
        passed = [tuning.workload(part, [], options).largest_pass for part in (few, many)]
        memory, each = _memory([short.peak_memory / 1e9, trained.peak_memory / 1e9], passed)
        token = (large - small) / (b - a) if large > small else large / b
        del module
        start = time.perf_counter()
        tuned = setting.opener(ref, [trained.adapter])
        if "generate" in tuned.can:
            list(tuned.generate([Generate(ref, (), (Message("user", "?"),), Decoding(1))]))
        load = time.perf_counter() - start
    return Tuning(1 / token, max(0.0, small - a * token), before, memory, each, load)


def _memory(peaks: Sequence[float], tokens: Sequence[int]) -> tuple[float, float]:
    """Memory of a training without tokens, and for each token of a pass, from two trainings; gigabytes."""
    each = max(0.0, (peaks[1] - peaks[0]) / (tokens[1] - tokens[0])) if tokens[1] > tokens[0] else 0.0
    return peaks[1] - each * tokens[1], each


def _step(trained: Any, rows: Sequence[Rendered]) -> tuple[float, float]:
    """Seconds and computed tokens of a step on rows of one length; the first step warms up and is left out."""
    speed = statistics.median(p.tokens_per_second for p in trained.curve[1:])
    n = len(trained.curve)
    return sum(len(r.ids) for r in rows) / n / speed, trained.computed_tokens / n

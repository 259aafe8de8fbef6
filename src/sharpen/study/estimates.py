"""What each arm will take, from measured speeds and the use case's own numbers, and what a budget leaves of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sharpen.config import Arm, arm_name, parse_sum
from sharpen.retrieval import chunk
from sharpen.study.latency import QUESTIONS
from sharpen.study.setting import Setting
from sharpen.study.speeds import Speeds
from sharpen.techniques import Bench, Counts
from sharpen.types import Message


@dataclass
class Sizes:
    """Tokens and counts that estimates rest on."""

    question: float  # tokens of a question's own part of the prompt
    instruction: float  # tokens of the part that all prompts share
    target: float
    passage: float
    passages: int
    labels: float  # tokens of all labels together
    train: int
    dev: int
    test: int


@dataclass
class State:
    """A program as it grows along an arm: tokens of a prompt that are its own, that are shared, and of the answer."""

    own: float
    shared: float
    said: float
    k: int = 0
    trained: bool = False
    steps: tuple[str, ...] = ()


@dataclass
class Estimator:
    """Seconds of each arm; steps that two arms share are counted with the first."""

    speeds: Speeds
    sizes: Sizes
    counts: Counts
    seen: set[tuple[str, ...]] = field(default_factory=set)

    def ask(self, state: State, n: float) -> float:
        """Seconds to answer ``n`` questions at once."""
        s = self.speeds
        if self.sizes.labels:
            return n * (state.own + self.sizes.labels) / max(s.label_tokens, 1e-6)
        prompt = (n * state.own + state.shared) / max(s.prompt, 1e-6)
        return prompt + n * state.said / max(s.answer, 1e-6)

    def search(self, state: State, candidates: int) -> float:
        """Seconds of choosing among candidates on dev by halving."""
        n = self.sizes.dev if self.counts.dev is None else min(self.counts.dev, self.sizes.dev)
        c = min(candidates, self.counts.trials)
        if c <= 1:
            return 0.0
        if c == 2:
            return 2 * self.ask(state, n)
        first = max(n // 3, min(n, 24))
        return self.ask(state, first) * c + self.ask(state, n - first) * max(2, (c + 1) // 2)

    def build(self, step: str, options: dict[str, Any], state: State) -> tuple[float, State]:
        """Seconds of one step, and the program after it."""
        z, s = self.sizes, self.speeds
        if step == "retrieve":
            k = options.get("k", (1, 2, 3))
            ks = [k] if isinstance(k, int) else list(k)
            mean = sum(ks) / len(ks)
            after = replace(state, own=state.own + mean * z.passage, k=max(1, round(mean)))
            index = z.passages / max(s.embed, 1e-6) if ("index",) not in self.seen else 0.0
            self.seen.add(("index",))
            return index + self.search(after, len(ks)), after
        if step in ("few_shot", "nearest_shots"):
            n, shown = (3, z.question + z.target + 8 + state.k * z.passage)
            after = replace(state, said=min(state.said, 2 * z.target + 4))
            own = step == "nearest_shots"
            after = (
                replace(after, own=after.own + n * shown) if own else replace(after, shared=after.shared + n * shown)
            )
            return self.search(after, 2 if own else 6), after
        if step == "instruct":
            return self.search(state, 4), state
        if step == "lora":
            epochs = float(options.get("num_train_epochs", 2)) * self.counts.epochs
            # What all rows of a pass share is computed once for them; a pass holds about a thousand tokens.
            row = state.own + z.target + state.shared * min(1.0, (state.own + z.target) / 1024)
            tokens, check = z.train * row, z.dev * row / 3 * max(1.0, epochs)
            after = replace(state, said=z.target + 1, trained=True)
            return (tokens * epochs + check) / max(s.train, 1e-6) + 2 * s.load_seconds, after
        return 0.0, state

    def arm(self, arm: Arm) -> dict[str, Any]:
        """Seconds and memory of one arm."""
        s, z = self.speeds, self.sizes
        if arm.answers:
            return {"arm": arm_name(arm), "seconds": 0.0, "memory_gb": 0.0, "why": "answers are given"}
        state = State(z.question, z.instruction, s.answer_tokens)
        seconds, did = 0.0, []
        for step, options in parse_sum(arm.does):
            took, state = self.build(
                step, options, replace(state, steps=(*state.steps, f"{step}{sorted(options.items())}"))
            )
            if state.steps not in self.seen:
                self.seen.add(state.steps)
                seconds += took
                did.append(f"{step} {took:.0f} s")
        if state.trained:
            seconds += 2 * s.load_seconds
        asked = self.ask(state, z.dev + z.test)
        one = (state.own + state.shared / 4) / max(s.prompt, 1e-6) + state.said / max(s.answer / 6, 1e-6)
        latency = (min(QUESTIONS, z.train) + 2) * one
        did.append(f"dev and test {asked:.0f} s, latency {latency:.0f} s")
        memory = max(s.memory_answering, s.memory_training if state.trained else 0.0)
        return {"arm": arm_name(arm), "seconds": seconds + asked + latency, "memory_gb": memory, "why": ", ".join(did)}


def sizes_of(setting: Setting, bench: Bench, test: int) -> Sizes:
    """Measure the use case's texts with the model's own tokenizer."""
    model = bench.engines.model(setting.use_case.model)
    first = bench.first(setting.use_case.model)

    def tokens(text: str) -> int:
        rendered = model.render([Message("user", text)])
        return len(rendered.ids) or max(1, len(text) // 4)  # a hosted model does not tell its tokens

    empty = tokens("")
    sample = bench.train[:: max(1, len(bench.train) // 64)][:64]
    passages = chunk(bench.documents) if bench.documents else []
    some = passages[:: max(1, len(passages) // 64)][:64]
    return Sizes(
        question=_mean([tokens(e.question) - empty for e in sample]) + 8,
        instruction=tokens(first.prompt.instruction) + 8,
        target=_mean([tokens(e.targets[0]) - empty for e in sample if e.targets]),
        passage=_mean([tokens(p.text) - empty for p in some]),
        passages=len(passages),
        labels=float(sum(tokens(label) - empty for label in bench.labels)),
        train=len(bench.train),
        dev=len(bench.dev),
        test=test,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def estimate(speeds: Speeds, sizes: Sizes, arms: Sequence[Arm], counts: Counts) -> tuple[list[dict[str, Any]], float]:
    """Seconds and memory of every arm, and seconds of the whole study."""
    estimator = Estimator(speeds, sizes, counts)
    rows = [estimator.arm(a) for a in arms]
    return rows, sum(r["seconds"] for r in rows) + speeds.load_seconds


def fit(minutes: float | None, speeds: Speeds, sizes: Sizes, arms: Sequence[Arm]) -> tuple[Counts, str]:
    """Turn a budget into counts: fewer trials first, then fewer questions a trial, then fewer epochs.

    The test is never made smaller, and no arm is left out.
    """
    steps = [Counts()]
    steps += [Counts(trials=t) for t in (6, 4, 3)]
    steps += [Counts(trials=3, dev=d) for d in (96, 64, 48, 32)]
    steps += [Counts(trials=3, dev=32, epochs=e) for e in (0.75, 0.5)]
    if minutes is None:
        return Counts(), ""
    for counts in steps:
        _, seconds = estimate(speeds, sizes, arms, counts)
        if seconds <= minutes * 60:
            return counts, f"fits {minutes:g} minutes with {counts}: about {seconds / 60:.1f}"
    return steps[
        -1
    ], f"needs about {seconds / 60:.0f} minutes even with {steps[-1]}; the budget of {minutes:g} will be exceeded"

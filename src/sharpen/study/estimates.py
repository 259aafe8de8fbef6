"""What each arm will take, from measured speeds and the use case's own prompts, and what a budget leaves of it.

Prompts are not guessed at: each arm's program is drafted as its technique would make it, training questions are
rendered through it with the passages that their words find, and their tokens are counted as the engine and the
training loop would compute them, common beginnings once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from sharpen.config import Arm, arm_name, parse_sum
from sharpen.retrieval import Index, chunk
from sharpen.runtime import compose
from sharpen.study.augmenting import is_augmentation, times_as_many
from sharpen.study.calls import METHODS, ONE, Calls, tried
from sharpen.study.engine import ASKED
from sharpen.study.latency import QUESTIONS
from sharpen.study.speeds import Speeds
from sharpen.techniques import Bench, Counts
from sharpen.tuning import TrainOptions, Work, workload
from sharpen.tuning.trees import common
from sharpen.types import Demo, Example, Message, Model, Passage, Prompt, Rendered

SLOWER = 4  # times that fp32 takes of what the fast engine takes
UNKNOWN = "not known, so this is the least"  # of a technique of the user's own or of another package
EPOCHS = TrainOptions().num_train_epochs
MOST = 800  # training questions that are rendered; more say little more


@dataclass(frozen=True)
class Draft:
    """A program as an arm's techniques would leave it, as far as its prompts go."""

    prompt: Prompt
    said: float  # tokens of an answer
    k: int = 0
    demos: int = 0
    near: int = 0
    trained: bool = False
    pass_tokens: int = 0  # of the training's largest pass
    answered: bool = False  # all of dev, while it was chosen
    steps: tuple[str, ...] = ()
    calls: Calls = ONE
    more: float = 1.0  # times the training examples, with variants


@dataclass(frozen=True)
class Load:
    """Tokens of a draft's prompts for one question: of all of it, and of what is computed when many are asked."""

    whole: float
    computed: float


@dataclass
class Sketch:
    """Renders drafts over training questions, each once."""

    bench: Bench
    model: Model
    test: int
    passages: Sequence[Passage] = ()
    target: float = 0.0
    known: dict[Any, Any] = field(default_factory=dict)
    found: dict[str, tuple[Passage, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.passages = chunk(self.bench.documents) if self.bench.documents else []
        self.words = Index(self.passages)
        self.shown = [e for e in self.bench.train if e.targets][:MOST]
        self.spares = sorted(self.shown, key=lambda e: hash_of(e.id))
        ends = [len(self._ids(m)) - len(self._ids(m[:-1])) for m in self._messages_of_targets()]
        self.target = _mean(ends)
        labels = [Message("assistant", label) for label in self.bench.labels]
        ask = (Message("user", "?"),)
        self.labels = float(sum(len(self._ids([*ask, label])) - len(self._ids(ask)) for label in labels))

    def load(self, draft: Draft) -> Load:
        """Tokens a question."""
        key = ("load", draft.prompt, draft.k, draft.demos, draft.near)
        if key not in self.known:
            rows = sorted(self._ids(m) for m in self._asked(draft, self.shown))
            whole = sum(map(len, rows))
            again = sum(common(a, b) for a, b in pairwise(rows))
            n = len(rows) or 1
            self.known[key] = Load(whole / n, (whole - again) / n)
        found: Load = self.known[key]
        return found

    def work(self, draft: Draft, options: Mapping[str, Any], counts: Counts) -> Work:
        """What training through a draft would compute."""
        key = ("work", draft.prompt, draft.k, draft.demos, draft.near, repr(sorted(options.items())), counts.epochs)
        if key not in self.known:
            settings = TrainOptions(**options)
            settings = replace(settings, num_train_epochs=settings.num_train_epochs * counts.epochs)
            made = workload(self._rows(draft, self.shown), self._rows(draft, self.bench.dev[:MOST]), settings)
            more = len([e for e in self.bench.train if e.targets]) / (len(self.shown) or 1)
            dev = max(1.0, len(self.bench.dev) / MOST)
            self.known[key] = Work(
                round(made.steps * more),
                round(made.tokens * more),
                round(made.computed_tokens * more),
                round(made.dev_tokens * dev),
                round(made.supervised * more),
                made.largest_pass,
            )
        found: Work = self.known[key]
        return found

    def _rows(self, draft: Draft, examples: Sequence[Example]) -> list[Rendered]:
        usable = [e for e in examples if e.targets]
        asked = self._asked(draft, usable)
        return [self.model.render((*m, Message("assistant", e.targets[0]))) for m, e in zip(asked, usable, strict=True)]

    def _asked(self, draft: Draft, examples: Sequence[Example]) -> list[tuple[Message, ...]]:
        fixed = [self._demo(e, draft.k) for e in self.spares[: draft.demos]]
        made = []
        for i, e in enumerate(examples):
            n = min(draft.near, len(self.spares))
            near = [self._demo(self.spares[(i + j) % len(self.spares)], 0) for j in range(n)]
            made.append(compose(draft.prompt, e.messages, [*fixed, *near], self._passages(e, draft.k)))
        return made

    def _demo(self, example: Example, k: int) -> Demo:
        return Demo(example.question, example.targets[0], self._passages(example, k))

    def _passages(self, example: Example, k: int) -> tuple[Passage, ...]:
        """The passages that the words of the question find."""
        if not k or not self.passages:
            return ()
        found = self.found.get(example.id, ())
        if len(found) < min(k, len(self.passages)):
            everyone = {e.id: e for e in (*self.shown, *self.bench.dev[:MOST], example)}
            passages = self.words.search([e.question for e in everyone.values()], k, "bm25")
            self.found.update(zip(everyone, passages, strict=True))
            found = self.found[example.id]
        return found[:k]

    def _ids(self, messages: Sequence[Message]) -> tuple[Any, ...]:
        ids = self.model.render(messages).ids
        text = "" if ids else " ".join(m.content for m in messages)
        # A hosted model does not tell its tokens: four characters each.
        return ids or tuple(text[i : i + 4] for i in range(0, len(text), 4))

    def _messages_of_targets(self) -> list[list[Message]]:
        some = self.shown[:: max(1, len(self.shown) // 64)]
        return [[Message("user", "?"), Message("assistant", e.targets[0])] for e in some]


def hash_of(text: str) -> int:
    """A number that is the same in every process."""
    return sum(ord(c) * (i + 1) for i, c in enumerate(text))


@dataclass
class Estimator:
    """Seconds of each arm; steps that two arms share are counted with the first."""

    speeds: Speeds
    sketch: Sketch
    counts: Counts
    seen: set[tuple[str, ...]] = field(default_factory=set)
    seeds: int = 1
    openings: int = 1  # of the untuned model that are not counted yet
    oracles: float = 0.0  # seconds of those of the arm that was estimated last

    @property
    def ranks(self) -> bool:
        """Whether answers are chosen by likelihood; a model that tells none writes its choice."""
        return self.sketch.labels > 0 and self.speeds.label_tokens > 0

    def ask(self, draft: Draft, n: float) -> float:
        """Seconds to answer ``n`` questions at once."""
        load = self.sketch.load(draft)
        each = 1 / max(self.speeds.answer, 1e-6) + self.speeds.answer_context * load.whole
        return n * self._answer(draft, load.computed, each, 1)

    def _answer(self, draft: Draft, read: float, each: float, reads: int) -> float:
        """Seconds of an answer whose prompt has ``read`` tokens, with ``each`` second a token.

        ``reads``: how often the prompt of votes is read; that of thoughts is the same for all.
        """
        s, c = self.speeds, draft.calls
        prompt = 1 / max(s.prompt, 1e-6)
        seconds, noted = len(c.steps) * read * prompt + sum(c.steps) * each, float(sum(c.steps))
        if c.thoughts:
            seconds += (reads * (read + noted) * prompt) + c.votes * c.thoughts * each
            noted += c.thoughts
        if self.ranks and not c.written:
            votes = c.votes if c.thoughts else 1
            return seconds + votes * (read + noted + self.sketch.labels) / s.label_tokens
        again = c.votes * c.tries if c.thoughts else reads + c.votes * (c.tries - 1)
        said = (self.sketch.target if self.ranks else draft.said) + c.form
        return seconds + again * (read + noted) * prompt + c.votes * c.tries * said * each

    def method(self, step: str, options: Mapping[str, Any], draft: Draft) -> tuple[float, Draft, str]:
        """Seconds of a technique that changes how an answer comes about, and the draft after it."""
        tried_calls = tried(step, options, draft.calls, bool(draft.k))
        drafts = self.chosen([replace(draft, calls=c) for c in tried_calls])
        seconds = self.search(drafts)
        if step == "reason" and draft.demos:  # thoughts for the worked examples
            seconds += self.ask(replace(drafts[0], demos=0), int(options.get("tries", 24)))
            seconds += self.search([drafts[0]] * 2)
        after = drafts[0] if step != "own_language" else drafts[-1]
        return seconds, after, f"{after.calls.most} calls an answer" if after.calls.most > 1 else ""

    def search(self, drafts: Sequence[Draft]) -> float:
        """Seconds of choosing among candidates on dev by halving."""
        dev = len(self.sketch.bench.dev)
        n = dev if self.counts.dev is None else min(self.counts.dev, dev)
        drafts = drafts[: self.counts.trials]
        if len(drafts) <= 1:
            return 0.0
        each = sum(self.ask(d, 1) for d in drafts) / len(drafts)
        if len(drafts) == 2:
            return 2 * n * each
        first = max(n // 3, min(n, 24))
        return each * (first * len(drafts) + (n - first) * max(2, (len(drafts) + 1) // 2))

    def beside(self) -> float:
        """Seconds that belong to no arm: measuring the machine, and asking the engine itself (twice, and in fp32)."""
        s, first = self.speeds, Draft(self.sketch.bench.first(self.sketch.model.ref).prompt, self.speeds.answer_tokens)
        asked = 0.0 if self.ranks else self.ask(first, (2 + SLOWER) * ASKED)
        return s.measuring_seconds + asked + 3 * s.load_seconds

    def chosen(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Drafts as a search leaves them: its winner has answered all of dev, unless the budget gave it less."""
        dev = len(self.sketch.bench.dev)
        whole = len(drafts[: self.counts.trials]) > 1 and (self.counts.dev is None or self.counts.dev >= dev)
        return [replace(d, answered=whole) for d in drafts]

    def build(self, step: str, options: Mapping[str, Any], draft: Draft) -> tuple[float, Draft, str]:
        """Seconds of one step, the draft after it, and what there is to say of it."""
        s, sketch = self.speeds, self.sketch
        if step == "retrieve":
            bench, task = sketch.bench, sketch.bench.task
            prompt = draft.prompt
            if task.context_instructions and prompt.instruction == bench.fill(task.instructions[0]):
                prompt = replace(prompt, instruction=bench.fill(task.context_instructions[0]))
            drafts = [replace(draft, prompt=prompt, k=k) for k in sorted(_numbers(options.get("k", (1, 2, 3))))]
            drafts = self.chosen(drafts)
            index = len(sketch.passages) / max(s.embed, 1e-6) if ("index",) not in self.seen else 0.0
            self.seen.add(("index",))
            return index + self.search(drafts), drafts[0], ""
        if step in ("few_shot", "nearest_shots"):
            near = step == "nearest_shots"
            ks = _numbers(options.get("k", (3, 5) if near else (3, 1, 5)))
            said = draft.said if draft.trained else s.shot_tokens
            if near:
                drafts = self.chosen([replace(draft, said=said, near=k) for k in sorted(ks)])
                return self.search(drafts), drafts[0], ""
            drafts = self.chosen([replace(draft, said=said, demos=k) for k in ks])
            return self.search(drafts * int(options.get("draws", 2))), drafts[0], ""
        if is_augmentation(step):
            return 0.0, replace(draft, more=draft.more * times_as_many(step, options, sketch.bench)), ""
        if step == "search":
            calls = int(options.get("calls") or self.counts.trials * len(sketch.bench.dev))
            ks = [*_numbers(options.get("k", (3, 5))), 0]
            shown = "examples" in options.get("over", "examples")
            points = [replace(draft, demos=draft.demos + k) for k in ks] if shown else [draft]
            return sum(self.ask(d, calls / len(points)) for d in points), self.chosen(points * 2)[0], ""
        if step in METHODS:
            return self.method(step, options, draft)
        if step == "instruct":
            return self.search([draft] * 4), self.chosen([draft] * 4)[0], ""
        if step == "lora":
            settings = {k: v for k, v in options.items() if k not in ("gold_share", "choose")}
            work = _times(sketch.work(draft, settings, self.counts), draft.more)
            epochs = float(settings.get("num_train_epochs", EPOCHS)) * self.counts.epochs
            checks = 1 + max(1.0, epochs)
            train = (work.computed_tokens + checks * work.dev_tokens / 3) / max(s.train, 1e-6)
            train += s.train_start + work.steps * s.train_step
            after = replace(draft, said=sketch.target, trained=True, answered=False, pass_tokens=work.largest_pass)
            # The first and the last of several validations seldom name the same adapter, so both are asked.
            both = [after] * (2 if epochs > 1 and options.get("choose", "dev") == "dev" else 1)
            tried = self.search(both) + s.tuned_load_seconds * (len(both) - 1)
            each = work.computed_tokens // max(1, work.steps)
            what = f"{work.steps} steps of {each} tokens, {work.supervised} tokens learned"
            return train + tried, self.chosen(both)[0], what
        return 0.0, draft, UNKNOWN

    def arm(self, arm: Arm) -> dict[str, Any]:
        """Seconds and memory of one arm."""
        s, sketch = self.speeds, self.sketch
        if arm.answers:
            return {"arm": arm_name(arm), "seconds": 0.0, "memory_gb": 0.0, "why": "answers are given"}
        first = sketch.bench.first(sketch.model.ref)
        draft = Draft(first.prompt, s.answer_tokens, steps=(sketch.model.ref,))
        seconds, did = 0.0, []
        for step, options in parse_sum(arm.does):
            steps = (*draft.steps, f"{step}{sorted(options.items())}")
            took, after, said = self.build(step, options, draft)
            draft = replace(after, steps=steps)
            if steps not in self.seen:
                self.seen.add(steps)
                seconds += took
                did.append(step + (f" {_time(took)}" if took else "") + (f" ({said})" if said else ""))
        if draft.trained:
            seconds += s.tuned_load_seconds
            more = self.seeds - 1  # built again, and asked the test again
            seconds += more * (seconds + self.ask(draft, sketch.test))
            seconds += 2 * s.load_seconds  # opened again for dev, after the next training, and for the test
        else:
            seconds, self.openings = seconds + self.openings * s.load_seconds, 0
        bench = sketch.bench
        asked = self.ask(draft, (0 if draft.answered else len(bench.dev)) + sketch.test)
        if draft.k:
            gold, none = replace(draft, k=1), replace(draft, k=0)
            self.oracles = self.ask(gold, sketch.test) + self.ask(none, sketch.test)
            asked += self.ask(none, len(bench.dev) + sketch.test)  # for the diagnosis, at most: what it answers wrongly
        whole = sketch.load(draft).whole
        one = self._answer(draft, whole, 1 / max(s.answer_alone, 1e-6), draft.calls.votes)
        latency = (min(QUESTIONS, len(bench.train)) + 2) * one
        did.append(f"dev and test {_time(asked)}, latency {_time(latency)}")
        tuning = s.memory_training + s.memory_token * draft.pass_tokens if draft.trained else 0.0
        memory = max(s.memory_answering, tuning)
        return {"arm": arm_name(arm), "seconds": seconds + asked + latency, "memory_gb": memory, "why": ", ".join(did)}


@dataclass(frozen=True)
class Asked:
    """A model that the study asks: its speeds here, and the use case's texts as it reads them."""

    speeds: Speeds
    sketch: Sketch


def estimate(
    models: Mapping[str, Asked], arms: Sequence[Arm], counts: Counts, seeds: int = 1
) -> tuple[list[dict[str, Any]], float]:
    """Seconds and memory of every arm, and seconds of the whole study; trained arms are built ``seeds`` times.

    ``models``: by reference, the study's own first.
    """
    base, *others = models
    by, seen = dict[str, Estimator](), set[tuple[str, ...]]()
    for ref, known in models.items():
        # An untuned model is opened once, and where there are tuned ones again for dev and for the test, after them.
        tuned = any(step == "lora" for a in arms if (a.model or base) == ref for step, _ in parse_sum(a.does))
        by[ref] = Estimator(known.speeds, known.sketch, counts, seen, seeds=seeds, openings=3 if tuned else 1)
    rows, oracles = [], 0.0
    for arm in arms:
        one = by[arm.model or base]
        rows.append(one.arm(arm))
        oracles, one.oracles = one.oracles or oracles, 0.0  # those of the leader, which is taken to be the last one
    beside = by[base].beside() + sum(by[ref].speeds.measuring_seconds for ref in others)
    return rows, sum(r["seconds"] for r in rows) + oracles + beside


def fit(minutes: float | None, models: Mapping[str, Asked], arms: Sequence[Arm], seeds: int = 1) -> tuple[Counts, str]:
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
        seconds = estimate(models, arms, counts, seeds)[1]
        if seconds <= minutes * 60:
            return counts, f"fits {minutes:g} minutes with {_said(counts)}: about {seconds / 60:.1f}"
    least = f"needs about {seconds / 60:.0f} minutes even with {_said(counts)}"
    return counts, f"{least}; the budget of {minutes:g} will be exceeded"


def _said(counts: Counts) -> str:
    """Counts in words."""
    said = [
        f"at most {counts.trials} trials a step" if counts.trials != Counts().trials else "",
        f"{counts.dev} dev questions a trial" if counts.dev is not None else "",
        f"{counts.epochs:g} of the epochs" if counts.epochs != Counts().epochs else "",
    ]
    return ", ".join(s for s in said if s) or "nothing left out"


def _times(work: Work, more: float) -> Work:
    """The work of training on so many times the examples, which variants of them are."""
    tokens, computed, learned = (round(more * x) for x in (work.tokens, work.computed_tokens, work.supervised))
    return Work(round(more * work.steps), tokens, computed, work.dev_tokens, learned, work.largest_pass)


def _time(seconds: float) -> str:
    """Seconds in words; a model that takes hardly any time is not said to take none."""
    return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"


def _numbers(value: int | Sequence[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0

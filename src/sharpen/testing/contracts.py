"""What every part of a kind keeps to. A breach is an AssertionError whose sentence names the part and the rule."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sharpen import parts
from sharpen.errors import UserError
from sharpen.models import open_model, open_reranker
from sharpen.runtime import Engines
from sharpen.techniques import Bench, NotAvailable
from sharpen.testing.tiny import TASKS, tiny_bench, tiny_examples
from sharpen.types import (
    Answer,
    Completion,
    Decoding,
    Generate,
    Message,
    Metric,
    Model,
    Passage,
    Rank,
    Score,
    Span,
    System,
    plain,
)

Factory = Callable[[], Any]


def _must(ok: bool, name: str, rule: str) -> None:
    if not ok:
        raise AssertionError(f"{name}: {rule}")


def _made(kind: str, part: str | Factory, base: Path | None) -> tuple[str, Factory, Any]:
    """Return the part's name, its factory, and the module that defines it."""
    if isinstance(part, str):
        found = parts.find(kind, part, base)
        return found.name, parts.factory(kind, part, base), parts.module(found)
    name = getattr(part, "__name__", type(part).__name__)
    return name, part, sys.modules.get(getattr(part, "__module__", ""), None)


def check_technique(technique: str | Factory, tasks: Sequence[str] = TASKS, base: Path | None = None) -> None:
    """Check a technique (a name, a path, or a factory) on the tiny bench of each task.

    It returns a System, or raises NotAvailable and says why; the same bench and seed give the same program; what it was
    given is as it was; worked examples come from train; the program answers; one training example, or none with an
    answer, is no crash; and one that embeds has ``EMBEDS = True`` in its file.

    Raises:
        AssertionError: naming the technique and the rule that it breaks.
    """
    name, factory, module = _made("technique", technique, base)
    for task in tasks:
        for documents in (True, False):
            label = f"{name} on {task}{'' if documents else ' without documents'}"
            bench = tiny_bench(task, documents)
            engines = _listening(bench)
            bench = replace(bench, engines=engines)
            program = bench.first("fake:")
            reason = getattr(module, "applies", lambda *_: None)(program, bench.task, bench.model(program).can)
            _must(reason is None or (isinstance(reason, str) and bool(reason.strip())), label, "applies() says why not")
            if reason is None and _improves(label, factory, bench, program):
                _keeps_its_hands_off(label, factory, tiny_bench(task, documents))
                _bears_little_data(label, factory, tiny_bench(task, documents))
            said = getattr(module, "EMBEDS", False) is True
            _must(said or not engines.asked, label, "embeds, and has no EMBEDS = True")


def _improves(label: str, factory: Factory, bench: Bench, program: System) -> bool:
    """Whether the technique can be used with these data at all."""
    try:
        made = factory()(program, bench)
    except NotAvailable as e:
        _must(bool(str(e).strip()), label, "NotAvailable says why")
        return False
    _must(isinstance(made, System), label, f"returns a System, not {type(made).__name__}")
    again = factory()(program, tiny_bench(bench.task.name, bool(bench.documents)))
    _must(made.fingerprint == again.fingerprint, label, "the same data and seed give the same program")
    dev = {e.id for e in bench.dev}
    _must(not {d.example_id for d in made.demos} & dev, label, "worked examples come from train, never from dev")
    answers = bench.answer(made, bench.dev)
    _must(len(answers) == len(bench.dev), label, "every question has an answer")
    wrong = [a.error for a in answers if a.error]
    _must(not wrong, label, f"its program answers without errors ({wrong[:1]})")
    return True


def _keeps_its_hands_off(label: str, factory: Factory, bench: Bench) -> None:
    program = bench.first("fake:")
    before = plain(program), plain(bench.train), plain(bench.dev), plain(bench.documents)
    factory()(program, bench)
    after = plain(program), plain(bench.train), plain(bench.dev), plain(bench.documents)
    _must(before == after, label, "what it is given is not changed")
    _must(not hasattr(bench, "test"), label, "the test split is not within reach")


def _bears_little_data(label: str, factory: Factory, bench: Bench) -> None:
    bare, blank = (
        tuple(replace(e, targets=(), labels=(), gold=(), answerable=False) for e in part)
        for part in (bench.train, bench.dev)
    )
    for what, train, dev in (
        ("one training example", bench.train[:1], bench.dev),
        ("no answers in train", bare, bench.dev),
        ("no answers in dev", bench.train, blank),
        ("nothing to learn from", (), bench.dev),
        ("nothing to choose on", bench.train, ()),
    ):
        small = replace(bench, train=train, dev=dev)
        try:
            made = factory()(small.first("fake:"), small)
        except UserError:
            continue  # a sentence is an answer, too
        except Exception as e:
            raise AssertionError(f"{label}: with {what} it fails with {type(e).__name__}: {e}") from e
        _must(isinstance(made, System), label, f"with {what} it returns a System or says what is missing")


def check_floor(floor: str | Factory, tasks: Sequence[str] = TASKS, base: Path | None = None) -> None:
    """Check a floor on the tiny bench of each task.

    Fitted, it is None or a function from questions to as many answers; it never looks at a question's own answer; it
    bears one training example, and none; and one that embeds has ``EMBEDS = True`` in its file, so that the embedding
    model is there before anything is computed.

    Raises:
        AssertionError: naming the floor and the rule that it breaks.
    """
    name, factory, module = _made("floor", floor, base)
    for task in tasks:
        for documents in (True, False):
            label = f"{name} on {task}{'' if documents else ' without documents'}"
            bench = tiny_bench(task, documents)
            engines = _listening(bench)
            bench = replace(bench, engines=engines)
            for train in (bench.train, bench.train[:1], (), tuple(replace(e, targets=()) for e in bench.train)):
                predict = factory()(replace(bench, train=train))
                if predict is None:
                    continue
                answers = predict(bench.dev)
                _must(all(isinstance(a, Answer) for a in answers), label, "gives answers")
                _must(len(answers) == len(bench.dev), label, "every question has an answer")
                _must(predict([]) == [], label, "no questions have no answers")
                blind = predict([e.blind() for e in bench.dev])
                _must(blind == answers, label, "a question's own answer is not looked at")
                again = factory()(replace(bench, train=train))
                _must(again is not None and again(bench.dev) == answers, label, "the same data give the same answers")
            said = getattr(module, "EMBEDS", False) is True
            _must(said or not engines.asked, label, "embeds, and has no EMBEDS = True")


class _Embedding(Engines):
    """Engines that know whether they were asked to embed."""

    asked = False

    def embed(self, texts: Sequence[str], query: bool = False, told: Any = None) -> Any:
        self.asked = True
        return super().embed(texts, query, told)


def _listening(bench: Bench) -> _Embedding:
    return _Embedding(
        bench.store,
        lambda ref, adapters: open_model(ref, adapters=adapters),
        lambda: open_model("fake:"),
        rerankers=open_reranker,
    )


def check_metric(metric: str | Factory, base: Path | None = None) -> None:
    """Check a metric.

    One score an answer, in order; a failed answer is not judged, which is not 0; the aggregate does not depend on the
    order, and is a number wherever anything was judged.

    Raises:
        AssertionError: naming the metric and the rule that it breaks.
    """
    name, factory, _ = _made("metric", metric, base)
    judge: Metric = factory()
    place = Span("tiny", 0, 1)
    examples = [replace(e, labels=e.labels or e.targets[:1], gold=(place,)) for e in tiny_examples("classification")]
    said = [e.targets[0] if i % 2 else "something else" for i, e in enumerate(examples)]
    calls = [(Completion(t, prompt_tokens=3, seconds=0.1),) for t in said]
    answers = [
        Answer(t, f"{t} [1]", passages=(Passage(t, t, place),), completions=c, seconds=0.1)
        for t, c in zip(said, calls, strict=True)
    ]
    scores = judge.score(examples, answers)
    _must(isinstance(judge.name, str) and isinstance(judge.higher_is_better, bool), name, "has a name and a direction")
    _must(len(scores) == len(answers) and all(isinstance(s, Score) for s in scores), name, "one Score an answer")
    _must(judge.score([], []) == [], name, "no answers have no scores")
    total = judge.aggregate(scores)
    _must(math.isfinite(total), name, "the aggregate of judged answers is a number")
    turned = judge.aggregate(judge.score(examples[::-1], answers[::-1]))
    _must(math.isclose(total, turned, rel_tol=1e-9, abs_tol=1e-12), name, "the order of answers does not count")
    failed = judge.score(examples[:1], [Answer("", finish="error", error="the engine stopped.")])
    _must(failed[0].value is None and bool(failed[0].why), name, "a failed answer is not judged, and it says why")
    same = [judge.score([e], [a])[0] for e, a in zip(examples, answers, strict=True)]
    _must([s.value for s in same] == [s.value for s in scores], name, "an answer's score is its own")


def check_model(model: Model) -> None:
    """Check an opened model.

    What is generated and scored comes once a request; a prompt is a prefix of its training row, of which the reply and
    its end are learned; the same request has the same answer; a prompt that does not fit is an error, not a crash.

    Raises:
        AssertionError: naming the model and the rule that it breaks.
    """
    name = model.ref
    _must(model.can >= {"generate"} or model.can >= {"score"}, name, "can generate or score")
    asked = [(Message("system", "Be brief."), Message("user", f"What is {n} and {{n}}?")) for n in range(3)]
    if "generate" in model.can:
        _generates(name, model, asked)
    if "score" in model.can:
        ranked = dict(model.score([Rank(model.ref, (), m, ("yes", "no way", "yes")) for m in asked]))
        _must(sorted(ranked) == [0, 1, 2], name, "scores every request once")
        for likelihoods in ranked.values():
            first, _, last = likelihoods.logprobs
            _must(len(likelihoods.tokens) == 3, name, "every choice has its length")
            _must(math.isclose(first, last, abs_tol=1e-4), name, "the same choice has the same likelihood")
    if "tune" in model.can:
        prompt, row = model.render(asked[0]), model.render((*asked[0], Message("assistant", "Four.")))
        _must(row.ids[: len(prompt.ids)] == prompt.ids, name, "a prompt is a prefix of its training row")
        learned = row.supervised[len(prompt.ids) :]
        _must(len(row.ids) == len(row.supervised), name, "every token is learned or not")
        _must(
            bool(learned) and all(learned) and not any(row.supervised[: len(prompt.ids)]), name, "the reply is learned"
        )


def _generates(name: str, model: Model, asked: Sequence[tuple[Message, ...]]) -> None:
    requests = [Generate(model.ref, (), m, Decoding(max_new_tokens=4)) for m in asked]
    found = list(model.generate(requests))
    _must(sorted(i for i, _ in found) == [0, 1, 2], name, "answers every request once")
    again = dict(model.generate(requests))
    _must({i: c.text for i, c in found} == {i: c.text for i, c in again.items()}, name, "the same asked, the same said")
    _must(list(model.generate([])) == [], name, "nothing asked, nothing said")
    if model.context < 100_000:
        long = (Message("user", "word " * (model.context + 50)),)
        ((_, completion),) = model.generate([replace(requests[0], messages=long)])
        _must(completion.error is not None, name, "a prompt that does not fit is an error of that answer")

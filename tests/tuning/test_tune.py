"""The technique ``lora`` down to the loop, on a tiny llama: what is trained, what is kept, which is chosen."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import VOCABULARY, tiny

from sharpen.models import fake
from sharpen.runtime import Engines
from sharpen.techniques import Bench, Counts, NotAvailable, _train, open_technique
from sharpen.techniques._train import multiplies_bf16, tune
from sharpen.techniques.lora import conversations
from sharpen.testing import tiny_bench
from sharpen.types import Completion, Generate, Message, Rendered, System

torch = pytest.importorskip("torch")

# Answers to other questions cannot be learned from these, so the validation loss rises from the first epoch on.
OPTIONS = {"r": 4, "learning_rate": 5e-2, "num_train_epochs": 4, "lr_scheduler_type": "constant", "warmup_ratio": 0}


class Stub:
    """A model of the tiny llama's vocabulary. It answers rightly with the adapter ``good``, else not."""

    ref, identity, context = "tiny:", "tiny 1", 256
    can = frozenset({"generate", "tune"})

    def __init__(self, right: bool, known: dict[str, str]) -> None:
        self.right, self.known = right, known

    def render(self, messages: Sequence[Message], tools: Any = ()) -> Rendered:
        made = fake.FakeModel().render(messages)
        return replace(made, ids=tuple(3 + i % (VOCABULARY - 3) for i in made.ids))

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        for i, request in enumerate(requests):
            yield i, Completion(self.known[request.messages[-1].content] if self.right else "wrong")


@dataclass
class Job:
    """A bench on the tiny llama, and what happened on it."""

    bench: Bench
    good: str = ""  # the adapter with which answers are right
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    opened: list[weakref.ref[Stub]] = field(default_factory=list)
    held: list[int] = field(default_factory=list)  # models in memory when training began
    trained: list[Any] = field(default_factory=list)

    @property
    def program(self) -> System:
        return self.bench.first("tiny:")

    def tune(self, **options: Any) -> list[tuple[str, str]]:
        bench = self.bench
        rows, dev = (conversations(self.program, part, bench, 0.0)[0] for part in (bench.train, bench.dev))
        return tune(self.program, rows, dev, bench, {**OPTIONS, **options})

    def improve(self, **options: Any) -> System:
        return open_technique("lora", {**OPTIONS, **options})(self.program, self.bench)

    def said(self, kind: str) -> list[dict[str, Any]]:
        return [facts for k, facts in self.notes if k == kind]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    bench = tiny_bench(documents=False, folder=tmp_path / "store")
    known = {e.question: e.targets[0] for e in (*bench.train, *bench.dev)}
    made = Job(bench)

    def open_stub(ref: str, adapters: Sequence[Path]) -> Any:
        stub = Stub(bool(adapters) and made.good.endswith(adapters[-1].name), known)
        made.opened.append(weakref.ref(stub))
        return stub

    def load(local: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        gc.collect()
        made.held.append(sum(stub() is not None for stub in made.opened))
        return tiny(), type("Words", (), {"decode": staticmethod(lambda ids: " ".join(map(str, ids)))})

    def placed(module: Any) -> Any:
        made.trained.append(module)
        return module

    monkeypatch.setattr("sharpen.models.pull", lambda ref: ref)
    monkeypatch.setattr("sharpen.models.transformers.load_module", load)
    monkeypatch.setattr("sharpen.models.transformers.placed", placed)
    made.bench = replace(
        bench,
        engines=Engines(bench.store, open_stub),
        answers=None,
        work=tmp_path / "work",
        note=lambda kind, facts: made.notes.append((kind, facts)),
        progress=lambda stage, done, total: made.steps.append(done) if stage == "training" else None,
    )
    return made


def options_of(job: Job, ref: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((job.bench.store.path(ref) / "training.json").read_text(encoding="utf-8"))
    return made


def test_the_adapters_of_the_smallest_loss_and_of_the_last_step_are_kept(job: Job) -> None:
    from safetensors.torch import load_file

    (early, best), (late, last) = job.tune()
    (facts,) = job.said("trained")
    assert (early, late) == (f"step {facts['best_step']}", f"step {facts['steps']}")
    assert facts["best_step"] < facts["steps"] == len(job.steps)
    assert facts["dev_loss"] == min(p["dev_loss"] for p in facts["curve"] if p["dev_loss"] is not None)
    values = [load_file(job.bench.store.path(ref) / "adapter_model.safetensors") for ref in (best, last)]
    assert any(not torch.equal(values[0][k], values[1][k]) for k in values[0])
    for ref in (best, last):
        about = options_of(job, ref)
        assert about["options"]["r"] == 4
        assert about["supervised_tokens"] == facts["supervised_tokens"] == 20 * 2, "an answer of a word, and its end"
        names = {p.name for p in job.bench.store.path(ref).iterdir()}
        assert names == {"adapter_model.safetensors", "adapter_config.json", "training.json"}
    assert facts["options"] == options_of(job, best)["options"]


def test_one_adapter_where_the_last_step_is_the_one(job: Job) -> None:
    ((label, ref),) = job.tune(load_best_model_at_end=False, max_steps=2)
    assert label == "step 2"
    assert options_of(job, ref)["options"]["max_steps"] == 2
    job.bench = replace(job.bench, dev=(), work=None)
    ((label, _),) = job.tune(max_steps=3)
    assert label == "step 3"


def test_what_was_trained_outlives_a_kill_before_its_record(job: Job) -> None:
    """Whoever records the program removes the work folder; until then the same call trains nothing."""
    first = job.tune()
    assert job.steps
    job.steps.clear()
    assert job.tune() == first
    assert not job.steps
    assert job.said("trained")[0] == job.said("trained")[1]


@pytest.mark.full
def test_a_kill_while_training_goes_on_from_the_checkpoint(job: Job) -> None:
    whole = job.tune()
    bench = job.bench

    class Stop(Exception):
        pass

    def stop(stage: str, done: float, total: float | None) -> None:
        if done == 5:
            raise Stop

    job.bench = replace(bench, work=bench.store.root / "other", progress=stop)
    with pytest.raises(Stop):
        job.tune(checkpoint_steps=4)
    job.bench = replace(bench, work=bench.store.root / "other")
    job.steps.clear()
    again = job.tune(checkpoint_steps=4)
    assert job.steps[0] == 5
    for (_, one), (_, other) in zip(whole, again, strict=True):
        name = "adapter_model.safetensors"
        assert (bench.store.path(one) / name).read_bytes() == (bench.store.path(other) / name).read_bytes()


def test_a_technique_may_train_twice(job: Job) -> None:
    """With other options or on other rows: neither is what the other left, and both are found again."""
    first, second = job.tune(), job.tune(r=2)
    assert first != second
    job.steps.clear()
    assert (job.tune(), job.tune(r=2)) == (first, second)
    assert not job.steps


def test_without_a_work_folder_nothing_is_left_and_nothing_is_in_the_way(job: Job) -> None:
    job.bench = replace(job.bench, work=None)
    job.tune(max_steps=1)
    job.tune(max_steps=2)
    kinds = {p.name for p in job.bench.store.root.iterdir() if p.is_dir()}
    assert kinds == {"adapter"}


def test_no_other_model_is_in_memory_while_training(job: Job) -> None:
    job.improve(max_steps=1)
    assert job.opened
    assert job.held == [0]


def test_the_module_is_trained_where_models_are_placed(job: Job) -> None:
    job.tune(max_steps=1)
    assert len(job.trained) == 1


def test_the_budget_scales_epochs_and_the_bench_gives_the_seed(job: Job) -> None:
    job.bench = replace(job.bench, counts=Counts(epochs=0.5), seed=7)
    ((_, ref), *_) = job.tune(num_train_epochs=2)
    assert options_of(job, ref)["options"]["num_train_epochs"] == 1.0
    assert options_of(job, ref)["options"]["seed"] == 7
    job.bench = replace(job.bench, work=None)
    ((_, ref), *_) = job.tune(num_train_epochs=2, seed=3)
    assert options_of(job, ref)["options"]["seed"] == 3


@pytest.mark.parametrize("right", [0, 1])
def test_dev_chooses_the_adapter_that_answers_better(job: Job, right: int) -> None:
    made = [ref for _, ref in job.tune()]
    assert len(set(made)) == 2
    job.good = made[right]
    assert job.improve().adapters == (made[right],)
    assert [n["candidate"] for n in job.said("chose")][-1].startswith("step ")


def test_of_two_that_answer_alike_dev_takes_the_smaller_loss(job: Job) -> None:
    made = [ref for _, ref in job.tune()]
    assert job.improve().adapters == (made[0],)


@pytest.mark.parametrize(("choose", "which"), [("loss", 0), ("last", -1)])
def test_loss_and_last_ask_nobody(job: Job, choose: str, which: int) -> None:
    made = [ref for _, ref in job.tune()]
    job.good = made[-1 - which]
    assert job.improve(choose=choose).adapters == (made[which],)
    assert not job.said("tried")


# bf16 is for hardware that has it.


def test_bf16_is_refused_where_the_hardware_has_none(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_train, "multiplies_bf16", lambda: False)
    with pytest.raises(NotAvailable, match="no bf16 in hardware.*Leave bf16 out"):
        job.improve(bf16=True)
    assert not job.held, "before anything is loaded"
    monkeypatch.setattr(_train, "multiplies_bf16", lambda: True)
    assert job.improve(bf16=True, max_steps=1).adapters


@pytest.mark.parametrize(
    ("said", "has"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 amx_tile", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("flags\t\t: fpu avx512f avx512_vnni", False),
        ("", False),
        (None, False),
    ],
)
def test_processors_say_whether_they_have_bf16(
    said: str | None, has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{said}\n", encoding="utf-8")
    monkeypatch.setattr(_train, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert multiplies_bf16() is has


@pytest.mark.parametrize("has", [True, False])
def test_accelerators_are_asked_without_emulation(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def supported(including_emulation: bool = True) -> bool:
        return has or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert multiplies_bf16() is has


def test_rows_that_cannot_be_read_are_a_sentence(job: Job) -> None:
    """Of this arm alone: the study goes on without it."""
    with pytest.raises(NotAvailable, match="no token is supervised"):
        job.tune(max_length=2)

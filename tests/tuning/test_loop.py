"""The loop: options, reports before the first step, schedule, determinism, early stopping, faults."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import passages, tiny

from sharpen.errors import UserError
from sharpen.tuning import Trained, TrainOptions, Untrainable, train, workload
from sharpen.tuning.loop import schedule
from sharpen.tuning.rows import readable
from sharpen.types import Rendered

torch = pytest.importorskip("torch")

QUICK = TrainOptions(
    r=4, lora_alpha=8, learning_rate=1e-2, num_train_epochs=4, per_device_train_batch_size=4, tokens_per_forward=128
)


def weights(trained: Trained) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(str(trained.adapter / "adapter_model.safetensors"))
    return found


def test_it_learns_and_tells(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    told: list[tuple[str, float, float | None]] = []
    before = {n: p.clone() for n, p in module.named_parameters()}
    options = replace(QUICK, num_train_epochs=40, learning_rate=3e-2)
    trained = train(module, rows, rows[:4], options, tmp_path, lambda *a: told.append(a))
    assert trained.dev_loss is not None
    assert trained.dev_loss_before is not None
    assert trained.dev_loss < 0.5 * trained.dev_loss_before
    assert told[-1] == ("training", trained.steps, trained.steps)
    assert [p.step for p in trained.curve] == list(range(1, trained.steps + 1))
    assert trained.curve[-1].epoch == 40
    assert trained.supervised_tokens == sum(sum(r.supervised) for r in rows)
    assert trained.tokens == 40 * sum(len(r.ids) for r in rows)
    assert trained.computed_tokens < trained.tokens
    assert trained.seconds > 0
    assert trained.peak_memory > 10**7
    assert all(torch.equal(p, before[n]) for n, p in module.named_parameters())
    assert not list(tmp_path.glob("checkpoint-*"))


def test_the_last_adapter_is_kept_beside_the_best(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    # Learning half of the rows by heart makes the loss on the other half rise.
    options = replace(QUICK, num_train_epochs=40, learning_rate=3e-2)
    trained = train(module, rows[::2], rows[1::2], options, tmp_path / "both")
    plain = train(module, rows[::2], rows[1::2], replace(options, load_best_model_at_end=False), tmp_path / "last")
    assert trained.best_step < trained.steps
    assert trained.last is not None
    assert (trained.last / "adapter_config.json").is_file()
    kept = weights(replace(trained, adapter=trained.last))
    assert all(torch.equal(v, weights(plain)[k]) for k, v in kept.items())
    assert any(not torch.equal(v, weights(trained)[k]) for k, v in kept.items())
    assert plain.last is None
    again = train(module, rows[::2], rows[1::2], options, tmp_path / "both")
    assert again == trained


def test_the_adapter_loads_in_plain_peft(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    module.config._name_or_path = str(tmp_path)
    trained = train(module, rows, [], QUICK, tmp_path)
    config = json.loads((trained.adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == tmp_path.name
    ids = torch.tensor([rows[0].ids])
    plain = tiny()
    with torch.no_grad():
        untouched = plain(ids).logits
        loaded = peft.PeftModel.from_pretrained(plain, str(trained.adapter))(ids).logits
    found = weights(trained)
    assert all(k.startswith("base_model.model.model.layers.") for k in found)
    # The reference: the weights with the update added by hand.
    merged = tiny()
    with torch.no_grad():
        for name, linear in merged.named_modules():
            key = f"base_model.model.{name}.lora_A.weight"
            if key in found:
                linear.weight += 2 * found[key.replace("lora_A", "lora_B")] @ found[key]
        expected = merged(ids).logits
    assert float((expected - untouched).abs().max()) > 0.1
    assert torch.allclose(loaded, expected, atol=1e-4)


def test_it_learns_what_peft_and_torch_learn(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    """Three steps beside a loop of plain peft, torch's AdamW and transformers' own loss."""
    peft = pytest.importorskip("peft")
    from safetensors.torch import load_file

    options = replace(QUICK, max_steps=3, per_device_train_batch_size=100, num_train_epochs=9, weight_decay=0.1)
    start = train(tiny(), rows, [], replace(options, max_steps=0), tmp_path / "start")
    trained = train(module, rows, [], options, tmp_path / "ours")
    other = peft.PeftModel.from_pretrained(tiny(), str(start.adapter), is_trainable=True)
    optimizer = torch.optim.AdamW([p for p in other.parameters() if p.requires_grad], weight_decay=0.1)
    losses = []
    for step in range(3):
        optimizer.param_groups[0]["lr"] = options.learning_rate * schedule(step, 3, options)
        optimizer.zero_grad()
        learned = sum(sum(r.supervised) for r in rows)
        total = 0.0
        for row in rows:
            ids = torch.tensor([row.ids])
            labels = torch.where(torch.tensor([row.supervised]), ids, -100)
            loss = other(input_ids=ids, labels=labels).loss * sum(row.supervised) / learned
            loss.backward()
            total += loss.item()
        losses.append(total)
        torch.nn.utils.clip_grad_norm_(other.parameters(), options.max_grad_norm)
        optimizer.step()
    assert [p.loss for p in trained.curve] == pytest.approx(losses, rel=1e-4)
    other.save_pretrained(str(tmp_path / "theirs"))
    theirs = load_file(str(tmp_path / "theirs" / "adapter_model.safetensors"))
    ours = weights(trained)
    assert theirs.keys() == ours.keys()
    # AdamW divides by the root of tiny second moments, so single entries may differ by a part of a step.
    assert all(float((theirs[k] - ours[k]).abs().mean()) < 1e-5 for k in ours)


def test_the_example_shows_what_is_learned(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    trained = train(
        module, rows, [], replace(QUICK, max_steps=1), tmp_path, decode=lambda ids: "".join(chr(60 + i) for i in ids)
    )
    before, _, learned = trained.example.partition("⟦")
    assert learned.endswith("⟧")
    assert len(learned) - 1 == sum(rows[0].supervised)
    assert len(before) == len(rows[0].ids) - sum(rows[0].supervised)


def test_what_is_learned_is_told_before_the_first_step(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    told: list[str] = []

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    log, hand = logging.getLogger("sharpen.tuning"), Told()
    level = log.level
    log.addHandler(hand)
    log.setLevel(logging.INFO)
    try:
        options = replace(QUICK, max_steps=2)
        train(module, rows, [], options, tmp_path, lambda stage, done, total: told.append(f"step {done}"))
    finally:
        log.removeHandler(hand)
        log.setLevel(level)
    before = told[: told.index("step 1")]
    supervised = sum(sum(r.supervised) for r in rows)
    assert any(f"{supervised} supervised tokens" in said for said in before)
    assert any("⟦" in said.partition(":\n")[2] and said.endswith("⟧") for said in before)


def test_nothing_supervised_stops_before_the_first_step(module: Any, tmp_path: Path) -> None:
    rows = [Rendered("", (1, 2, 3), (False,) * 3)] * 5
    with pytest.raises(UserError, match="no token is supervised.*5 rows"):
        train(module, rows, [], QUICK, tmp_path)
    with pytest.raises(UserError, match="there are no training rows"):
        train(module, [], [], QUICK, tmp_path)


def test_long_rows_are_dropped_and_counted(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    blind = Rendered("", (1, 2, 3), (False,) * 3)
    limit = sorted(len(r.ids) for r in rows)[3]
    trained = train(module, [*rows, blind], [blind], replace(QUICK, max_length=limit, max_steps=1), tmp_path)
    assert trained.rows == sum(len(r.ids) <= limit for r in rows)
    assert trained.dropped == {
        "no token is supervised": 1,
        f"longer than max_length ({limit} tokens)": len(rows) - trained.rows,
        "validation: no token is supervised": 1,
    }


def test_a_mask_of_another_length_is_refused(module: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="training row 1"):
        train(module, [Rendered("", (1, 2, 3), (True,))], [], QUICK, tmp_path)


def test_wrong_options_are_all_named_at_once() -> None:
    with pytest.raises(UserError) as caught:
        TrainOptions(r=0, lr_scheduler_type="step", lora_dropout=1.5, method="dora")
    assert len(caught.value.problems) == 4
    with pytest.raises(UserError, match="learning_rate is nan"):
        TrainOptions(learning_rate=math.nan)


def test_unknown_target_modules_are_refused_with_the_known_ones(
    module: Any, rows: list[Rendered], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"query.*q_proj"):
        train(module, rows, [], replace(QUICK, target_modules=("query",)), tmp_path)
    trained = train(module, rows, [], replace(QUICK, target_modules=("q_proj", "v_proj"), max_steps=1), tmp_path / "a")
    assert {k.split(".")[-3] for k in weights(trained)} == {"q_proj", "v_proj"}
    for n, some in enumerate([("layers.0.self_attn.q_proj", "v_proj"), "layers.0.self_attn.q_proj"]):
        trained = train(module, rows, [], replace(QUICK, target_modules=some, max_steps=1), tmp_path / f"some{n}")
        config = json.loads((trained.adapter / "adapter_config.json").read_text())
        held = {k.removeprefix("base_model.model.").rpartition(".lora_")[0] for k in weights(trained)}
        assert set(config["target_modules"]) == held, "peft makes no layer of q_proj that was not trained"


@pytest.mark.parametrize(("kind", "last"), [("cosine", 0.0245), ("linear", 0.1), ("constant", 1.0)])
def test_schedule(kind: str, last: float) -> None:
    options = TrainOptions(lr_scheduler_type=kind, warmup_ratio=0.1)
    shares = [schedule(step, 11, options) for step in range(11)]
    assert shares[:2] == pytest.approx([1 / 3, 2 / 3])
    assert shares[2] == 1.0
    assert shares[-1] == pytest.approx(
        0.5 * (1 + math.cos(math.pi * 8 / 9)) if kind == "cosine" else 1 / 9 if kind == "linear" else 1.0
    )
    assert sorted(shares[2:], reverse=True) == shares[2:]


def test_a_seed_decides_everything(rows: list[Rendered], tmp_path: Path) -> None:
    options = replace(QUICK, lora_dropout=0.2, max_steps=4)
    one, again = (train(tiny(), rows, [], options, tmp_path / n) for n in "ab")
    torch.manual_seed(99)
    other = train(tiny(), rows, [], replace(options, seed=1), tmp_path / "c")
    first = weights(one)
    assert all(torch.equal(v, first[k]) for k, v in weights(again).items())
    assert any(not torch.equal(v, first[k]) for k, v in weights(other).items())


def test_the_callers_random_numbers_are_left_alone(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(module, rows, [], replace(QUICK, lora_dropout=0.2, max_steps=2), tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_early_stopping_returns_the_best(rows: list[Rendered], tmp_path: Path) -> None:
    dev = passages(seed=7)  # random answers cannot be learned from other random answers
    options = replace(
        QUICK,
        learning_rate=5e-2,
        num_train_epochs=50,
        eval_steps=2,
        early_stopping_patience=3,
        lr_scheduler_type="constant",
        warmup_ratio=0,
    )
    trained = train(tiny(), rows, dev, options, tmp_path / "a")
    losses = {p.step: p.dev_loss for p in trained.curve if p.dev_loss is not None}
    assert trained.stopped == "early"
    assert trained.best_step == min(losses, key=lambda s: losses[s])
    assert trained.steps == trained.best_step + 6
    # The adapter is that of the best step: the same training stopped there has the same validation loss.
    last = train(tiny(), rows, dev, replace(options, load_best_model_at_end=False), tmp_path / "b")
    assert last.best_step == last.steps == trained.steps
    assert any(not torch.equal(v, weights(last)[k]) for k, v in weights(trained).items())
    cut = train(tiny(), rows, dev, replace(options, max_steps=trained.best_step), tmp_path / "c")
    assert all(torch.equal(v, weights(cut)[k]) for k, v in weights(trained).items())


def test_a_fraction_of_an_epoch(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    trained = train(module, rows, [], replace(QUICK, num_train_epochs=0.5), tmp_path)
    assert 0.5 <= trained.curve[-1].epoch < 1


def test_the_workload_is_known_beforehand(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    options = replace(QUICK, num_train_epochs=1.5)
    planned = workload(rows, rows[:4], options)
    trained = train(module, rows, rows[:4], options, tmp_path)
    assert (planned.steps, planned.tokens, planned.computed_tokens) == (
        trained.steps,
        trained.tokens,
        trained.computed_tokens,
    )
    assert 0 < planned.dev_tokens < sum(len(r.ids) for r in rows[:4])
    assert workload([], [], options).steps == 0
    longest = max(len(r.ids[: r.learned[-1]]) for r in readable(rows, 512)[0])
    tight = replace(options, tokens_per_forward=1)
    assert workload(rows, [], tight).largest_pass == longest, "a longer row has a pass for itself"
    assert longest < planned.largest_pass <= options.tokens_per_forward


def test_many_epochs_are_not_counted_out(rows: list[Rendered], monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(**more: Any) -> tuple[int, int, int, int]:
        found = workload(rows, [], replace(QUICK, **more))
        return found.steps, found.tokens, found.computed_tokens, found.supervised

    four, thousand = asked(num_train_epochs=4), asked(num_train_epochs=1_000)
    assert thousand == pytest.approx([250 * n for n in four])
    assert asked(num_train_epochs=1_000, max_steps=10 * four[0]) == pytest.approx([10 * n for n in four])
    assert asked(num_train_epochs=1_000, max_steps=2)[0] == 2
    few = asked(num_train_epochs=6)
    monkeypatch.setattr("sharpen.tuning.plan.EPOCHS", 1_000)
    assert few == pytest.approx(asked(num_train_epochs=6), rel=0.02), "one epoch is like another"


def test_a_loss_that_is_no_number_is_a_sentence(module: Any, rows: list[Rendered], tmp_path: Path) -> None:
    with torch.no_grad():
        module.model.layers[0].mlp.up_proj.weight[0, 0] = math.nan
    with pytest.raises(UserError, match=r"no longer a number at step 1 .*Lower learning_rate"):
        train(module, rows, [], QUICK, tmp_path)
    assert not (tmp_path / "adapter").exists()


def test_bf16_trains_close_to_float32(rows: list[Rendered], tmp_path: Path) -> None:
    options = replace(QUICK, num_train_epochs=20)
    exact = train(tiny(), rows, rows, options, tmp_path / "a")
    rough = train(tiny(), rows, rows, replace(options, bf16=True), tmp_path / "b")
    assert rough.dev_loss == pytest.approx(exact.dev_loss, rel=0.1)
    assert {v.dtype for v in weights(rough).values()} == {torch.float32}


def test_a_validation_loss_that_is_no_number_is_said(
    rows: list[Rendered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharpen.tuning.loop._Run.dev_loss", lambda run: float("nan") if run.curve else 1.0)
    with pytest.raises(Untrainable, match=r"validation loss is no longer a number after step 2\."):
        train(tiny(), rows, rows[:2], replace(QUICK, eval_steps=2, max_steps=4), tmp_path)

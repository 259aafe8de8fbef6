"""Losses and gradients of trees against rows computed one by one with the untouched model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_llama import passages, tiny

from sharpen.tuning import TrainOptions, forward, loop, lora, train, trees
from sharpen.tuning.loop import _Run
from sharpen.tuning.rows import readable
from sharpen.tuning.trees import grow
from sharpen.types import Rendered

torch = pytest.importorskip("torch")


def read(rows: list[Rendered]) -> list[trees.Row]:
    return readable(rows, 1000)[0]


def row_by_row(module: Any, rows: list[Rendered]) -> Any:
    """The sum of losses by transformers' own labels, one row at a time."""
    total = torch.zeros(())
    for row in rows:
        ids = torch.tensor([row.ids])
        labels = torch.where(torch.tensor([row.supervised]), ids, -100)
        total = total + module(input_ids=ids, labels=labels).loss * sum(row.supervised)
    return total


def gradients(layers: dict[str, lora.LoraLinear]) -> Any:
    return torch.cat([p.grad.reshape(-1) for m in layers.values() for p in (m.a, m.b)])


def shaken(layers: dict[str, lora.LoraLinear]) -> None:
    """Adapters as they are after some training: B is no longer zero."""
    torch.manual_seed(1)
    for layer in layers.values():
        torch.nn.init.normal_(layer.b, std=0.1)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("cost", [0, 200, 10**9])
def test_trees_give_the_loss_and_gradients_of_single_rows(
    module: Any, rows: list[Rendered], share: bool, cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "SPLIT_COST", cost)
    tree = grow(read(rows), share)
    assert (len(tree.blocks) > 1) == (cost < 10**9)
    if share:
        assert len(tree.ids) < 0.7 * tree.tokens
    with lora.adapted(module, TrainOptions(r=4)) as layers:
        shaken(layers)
        expected = row_by_row(module, rows)
        expected.backward()
        reference = gradients(layers)
        module.zero_grad()
        with forward.tree_attention(module):
            loss = forward.tree_loss(module, tree)
        loss.backward()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
        assert float(reference.norm()) > 1
        assert torch.allclose(gradients(layers), reference, rtol=1e-4, atol=1e-5 * float(reference.abs().max()))


def test_the_lora_layer_has_autograds_gradients() -> None:
    torch.manual_seed(0)
    base = torch.nn.Linear(6, 5).double().requires_grad_(False)
    layer = lora.LoraLinear(base, TrainOptions(r=3), torch.Generator().manual_seed(0), torch.float64)
    x = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    a = layer.a.detach().double().requires_grad_()
    b = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)

    def product(x: Any, a: Any, b: Any) -> Any:
        return lora._Product.apply(x, x, base.weight, base.bias, a, b, 0.7)

    assert torch.allclose(product(x, a, b), base(x) + 0.7 * (x @ a.T @ b.T))
    assert torch.autograd.gradcheck(product, (x, a, b))

    def dropped(x: Any, a: Any, b: Any) -> Any:
        return lora._Product.apply(x, x * 0.5, base.weight, base.bias, a, b, 0.7)

    assert torch.autograd.gradcheck(dropped, (x, a, b))


def test_the_model_is_as_it_was_after_training(module: Any) -> None:
    before = [(n, type(m), m.training) for n, m in module.named_modules()]
    wanted = [p.requires_grad for p in module.parameters()]
    with lora.adapted(module, TrainOptions(r=2)), forward.tree_attention(module):
        pass
    assert [(n, type(m), m.training) for n, m in module.named_modules()] == before
    assert [p.requires_grad for p in module.parameters()] == wanted
    assert module.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("size", [40, 100, 10_000])
def test_accumulation_equals_the_big_batch(module: Any, rows: list[Rendered], size: int) -> None:
    from contextlib import ExitStack

    found = []
    with lora.adapted(module, TrainOptions(r=4)) as layers:
        shaken(layers)
        learned = sum(sum(r.supervised) for r in rows)
        expected = float(row_by_row(module, rows).detach()) / learned
    for budget in (10_000, size):
        with ExitStack() as stack:
            run = _Run(module, read(rows), [], TrainOptions(r=4, tokens_per_forward=budget), stack)
            shaken(run.layers)
            loss = run.loss(read(rows), backward=True)
            found.append((loss, run.flat.value.grad.clone()))
            assert loss == pytest.approx(expected, rel=1e-5)
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-4, atol=1e-6 * float(found[0][1].abs().max()) * 10)


@pytest.mark.parametrize(
    ("cut", "first", "forwards"), [((4, 1, 40), [5, 3], 10), ((2, 2, 40), [5, 3], 10), ((1, 4, 1), [2, 3, 3], 20)]
)
def test_steps_cut_into_small_forwards_train_what_the_big_batch_trains(
    module: Any, rows: list[Rendered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    cut: tuple[int, int, int], first: list[int], forwards: int,
) -> None:  # fmt: skip
    """The adapters after six steps of four rows; with a mean of the forwards' means they differ by 0.04."""
    from safetensors.torch import load_file

    learned: list[int] = []
    loss = loop.tree_loss

    def counted(module: Any, tree: trees.Tree) -> Any:
        learned.append(tree.learned)
        return loss(module, tree)

    monkeypatch.setattr(loop, "tree_loss", counted)

    def trained(batch: int, times: int, budget: int) -> tuple[dict[str, Any], list[int]]:
        options = TrainOptions(
            r=4,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=times,
            tokens_per_forward=budget,
            max_steps=6,
            learning_rate=1e-2,
        )
        learned.clear()
        made = train(module, rows, [], options, tmp_path / f"{budget}")
        assert made.steps == 6
        return load_file(str(made.adapter / "adapter_model.safetensors")), [*learned]

    whole, in_one = trained(4, 1, 10_000)
    parts, in_several = trained(*cut)
    assert (len(in_one), len(in_several)) == (6, forwards)
    assert in_several[: len(first)] == first, "tokens learned in the forwards of the first step: they weigh differently"
    assert (in_one[0], sum(in_one)) == (sum(first), sum(in_several))
    assert whole.keys() == parts.keys()
    for name, weight in whole.items():
        assert float(weight.abs().max()) > 0.01, name
        assert torch.allclose(parts[name], weight, rtol=0, atol=2e-4), name


def test_logits_are_computed_where_something_is_learned_and_nowhere_else(module: Any, rows: list[Rendered]) -> None:
    tree, seen = grow(read(rows)), []
    handle = module.lm_head.register_forward_hook(lambda _, __, out: seen.append(out.shape[-2]))
    try:
        with forward.tree_attention(module):
            forward.tree_loss(module, tree)
    finally:
        handle.remove()
    assert seen == [len({edge[0] for edge in tree.edges})]
    assert seen[0] < 0.5 * len(tree.ids)


def families_of_models() -> list[Any]:
    from transformers import (
        Gemma2Config,
        Gemma2ForCausalLM,
        GPT2Config,
        GPT2LMHeadModel,
        MistralConfig,
        MistralForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    sizes = {
        "vocab_size": 61,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "pad_token_id": 0,
        "initializer_range": 0.3,
    }
    return [
        pytest.param(lambda: Qwen2ForCausalLM(Qwen2Config(**sizes)), id="qwen2"),
        pytest.param(lambda: Qwen3ForCausalLM(Qwen3Config(**sizes)), id="qwen3"),
        pytest.param(lambda: MistralForCausalLM(MistralConfig(**sizes, sliding_window=6)), id="mistral-window"),
        pytest.param(lambda: Gemma2ForCausalLM(Gemma2Config(**sizes, sliding_window=6)), id="gemma2-softcap"),
        pytest.param(
            lambda: GPT2LMHeadModel(GPT2Config(vocab_size=61, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3)),
            id="gpt2-no-linear",
        ),
    ]


@pytest.mark.parametrize("make", families_of_models())
def test_other_models_are_right_on_trees_or_are_not_put_on_them(make: Any, rows: list[Rendered]) -> None:
    torch.manual_seed(0)
    module = make().eval()
    kept = read(rows)
    if type(module).__name__.startswith("Gemma2"):  # caps its attention logits, which trees do not
        assert not forward.agrees(module, kept)
        return
    assert forward.agrees(module, kept)
    with torch.no_grad():
        expected = float(row_by_row(module, rows))
        with forward.tree_attention(module):
            assert float(forward.tree_loss(module, grow(kept))) == pytest.approx(expected, rel=1e-4)


def test_a_model_without_the_attention_hook_is_trained_row_by_row(
    rows: list[Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import ExitStack

    module = tiny()
    monkeypatch.setattr(forward, "attention", lambda *a, **k: 1 / 0)
    monkeypatch.setattr(type(module), "set_attn_implementation", lambda self, name: None)
    with ExitStack() as stack:
        run = _Run(module, read(rows), [], TrainOptions(r=4), stack)
        assert not run.shares
        assert "one by one" in run.notes[0]
        learned = sum(sum(r.supervised) for r in rows)
        assert run.loss(read(rows)) == pytest.approx(row_by_row(module, rows).item() / learned, rel=1e-5)


def test_rows_of_the_conftest_branch_after_the_prompt() -> None:
    """The trees above hold what is hardest: one prompt with two answers, and one row twice."""
    tree = grow(read(passages()))
    sources = [i for i, _, _ in tree.edges]
    assert len(set(sources)) < len(sources)
    assert max(count for _, _, count in tree.edges) > 1

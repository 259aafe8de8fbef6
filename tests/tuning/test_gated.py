"""Feed-forward layers that keep less: the same values and gradients, and the model as it was afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from test_forward import gradients, row_by_row, shaken
from tiny_llama import tiny

from sharpen.tuning import TrainOptions, lora
from sharpen.tuning.gated import lean
from sharpen.types import Rendered

torch = pytest.importorskip("torch")


def learned(module: Any, rows: list[Rendered], changed: bool) -> tuple[float, Any, int]:
    """Loss, gradients of the adapters, and how many numbers autograd kept."""
    kept: dict[int, int] = {}

    def keep(t: Any) -> Any:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes() // t.element_size()
        return t

    with lora.adapted(module, TrainOptions(r=4)) as layers:
        shaken(layers)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            if changed:
                with lean(module) as found:
                    assert found == 2
                    loss = row_by_row(module, rows)
            else:
                loss = row_by_row(module, rows)
        loss.backward()
        return loss.item(), gradients(layers).clone(), sum(kept.values())


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradients_are_the_same_and_less_is_kept(rows: list[Rendered], bias: bool, dtype: Any) -> None:
    module = tiny(mlp_bias=bias).to(dtype)
    loss, wanted, before = learned(module, rows, False)
    again, found, after = learned(module, rows, True)
    assert again == pytest.approx(loss, rel=1e-5)
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    tokens = sum(len(row.ids) for row in rows)
    assert before - after > 0.9 * 2 * 2 * 48 * tokens, "of four inner tensors of 48 in two layers half are kept"


def test_afterwards_the_layers_are_as_they_were(module: Any) -> None:
    mlp = module.model.layers[0].mlp
    with lora.adapted(module, TrainOptions(r=2)), lean(module):
        assert "forward" in vars(mlp)
    assert "forward" not in vars(mlp)


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"hidden_act": "gelu"}, {}),  # another formula
        ({}, {"lora_dropout": 0.1}),
        ({}, {"target_modules": ("q_proj", "down_proj")}),
        ({}, {"bf16": True}),
    ],
)
def test_other_layers_are_left_alone(changes: dict[str, Any], options: dict[str, Any]) -> None:
    module = tiny(**changes)
    with lora.adapted(module, TrainOptions(r=2, **options)), lean(module) as found:
        assert found == 0

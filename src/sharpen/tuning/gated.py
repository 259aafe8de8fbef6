"""The feed-forward layers of llama and its kin, ``down(silu(gate(x)) * up(x))``, with half of what autograd would keep.

More than half of what a training step holds are these layers' inner tensors: gate, silu(gate), up, and the product.
Here gate and up are kept and the rest is computed again where the gradient needs it, which costs two passes over
memory and no matrix product. The sums are those of the layer itself; whether a model's layer does the same is tried,
not assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from sharpen.tuning.lora import LoraLinear, adapt, factors, times

PARTS = {"gate_proj", "up_proj", "down_proj", "act_fn"}


class _Down(torch.autograd.Function):
    """``p W' + bias + scale (p A') B'`` where ``p = silu(gate) * up``."""

    @staticmethod
    def forward(
        ctx: Any, gate: Tensor, up: Tensor, w: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        product = silu(gate).mul_(up)
        y = times(product, w, bias)
        low = adapt(y, product.view(-1, product.shape[-1]), a, b, scale)
        ctx.save_for_backward(gate, up, low, w, a, b)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        gate, up, low, w, a, b = ctx.saved_tensors
        g = grad.reshape(-1, grad.shape[-1]).contiguous()
        inner = times(g, b.t()).mul_(ctx.scale)
        dp = times(g, w.t()).addmm_(inner, a).view_as(gate)
        opened = silu(gate)
        dup = dp * opened
        product = opened.mul_(up).view(-1, gate.shape[-1])
        learned = factors(g, inner, product, low, ctx.scale)
        return torch.ops.aten.silu_backward(dp.mul_(up), gate), dup, None, None, *learned, None


def forward(layer: Any, x: Tensor) -> Tensor:
    """What ``layer`` computes of ``x``."""
    down = layer.down_proj
    a, b = down.a.to(down.dtype), down.b.to(down.dtype)
    y: Tensor = _Down.apply(layer.gate_proj(x), layer.up_proj(x), down.weight, down.bias, a, b, down.scale)
    return y


@contextmanager
def lean(module: nn.Module) -> Iterator[int]:
    """Let the adapted feed-forward layers of ``module`` keep less for the time of the block; yield how many do."""
    found = [layer for layer in module.modules() if _known(layer)]
    for layer in found:
        layer.forward = lambda x, layer=layer: forward(layer, x)
    try:
        yield len(found)
    finally:
        for layer in found:
            del layer.forward


def _known(layer: Any) -> bool:
    """Whether a layer has the parts, adapted in its own precision and without dropout, and computes the same."""
    if {name for name, _ in layer.named_children()} != PARTS:
        return False
    linear = [layer.gate_proj, layer.up_proj, layer.down_proj]
    if not all(isinstance(p, LoraLinear) and not p.dropout and p.dtype == p.base.weight.dtype for p in linear):
        return False
    made = torch.Generator().manual_seed(0)
    weight = layer.gate_proj.weight
    x = torch.randn(1, 3, weight.shape[1], generator=made).to(weight)
    with torch.no_grad():
        expected, found = layer(x), forward(layer, x)
    return bool(((found - expected).abs() <= 1e-5 + 1e-4 * expected.abs().max()).all())

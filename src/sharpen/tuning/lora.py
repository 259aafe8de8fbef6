"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): ``y = W x + (alpha / r) B A x`` with ``W`` frozen.

PEFT's layer is general; this one does the one thing, with one autograd node that saves ``x`` and ``A x`` and nothing
else. What is written is PEFT's format, so that plain ``peft`` and every server that reads it can load it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpen.errors import UserError
from sharpen.tuning.options import TrainOptions


def _amd() -> bool:
    """Whether the processor is one of AMD's, on which MKL, torch's usual library, takes slower ways than it could."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


@cache
def _onednn() -> Any:
    """oneDNN's product, which torch's own compiler calls; None where it is not the faster one or cannot take views."""
    if not _amd():
        return None
    product = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    x = torch.arange(6.0).view(2, 3).t()
    try:
        right = torch.equal(product(x, x, None, "none", [], ""), x @ x.t())  # type: ignore[misc]
    except (TypeError, RuntimeError):
        return None
    return product if right else None


def times(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x w' + bias``, where ``x`` and ``w`` may be views that are not contiguous.

    In float32 on AMD's processors by oneDNN: a quarter faster there than MKL, which torch takes otherwise and which is
    the faster one on an Intel Xeon, by a sixth.
    """
    product = _onednn() if x.dtype == torch.float32 and x.device.type == "cpu" else None
    y: Tensor = nn.functional.linear(x, w, bias) if product is None else product(x, w, bias, "none", [], "")
    return y


def adapt(y: Tensor, flat: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """Add ``scale (flat A') B'`` to ``y`` in its place; return ``flat A'``, which the gradients need."""
    low = times(flat, a)
    y.view(-1, y.shape[-1]).addmm_(low, b.t(), alpha=scale)
    return low


def factors(g: Tensor, inner: Tensor, flat: Tensor, low: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The gradients of A and B, of the result's ``g`` and ``inner``, which is ``scale g B``."""
    return times(inner.t(), flat.t()), times(low.t(), g.t()).t().mul_(scale)


class _Product(torch.autograd.Function):
    """``x W' + bias + scale (z A') B'`` where ``z`` is ``x`` after dropout; all matrices in the dtype of ``x``."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, z: Tensor, w: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        flat = z.reshape(-1, z.shape[-1]).contiguous()  # a slice would stay one, and its product be slow
        y = times(x, w, bias)
        low = adapt(y, flat, a, b, scale)
        ctx.save_for_backward(flat, low, w, a, b)
        ctx.scale, ctx.dropped = scale, z is not x
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        flat, low, w, a, b = ctx.saved_tensors
        g = grad.reshape(-1, grad.shape[-1]).contiguous()
        inner = times(g, b.t()).mul_(ctx.scale)
        dx = dz = None
        if ctx.needs_input_grad[0]:
            dx = times(g, w.t())
            if ctx.dropped:
                dz = (inner @ a).view(*grad.shape[:-1], -1)
            else:
                dx.addmm_(inner, a)
            dx = dx.view(*grad.shape[:-1], -1)
        return dx, dz, None, None, *factors(g, inner, flat, low, ctx.scale), None


class LoraLinear(nn.Module):
    """A frozen linear layer with a trained low-rank update. Multiplies in ``dtype``, returns the input's dtype."""

    def __init__(self, base: nn.Linear, options: TrainOptions, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.base = base
        self.dtype = dtype
        self.scale = options.lora_alpha / options.r
        self.dropout = options.lora_dropout
        self.weight = base.weight.detach().to(dtype)  # the same storage where the dtype is the same
        self.bias = None if base.bias is None else base.bias.detach().to(dtype)
        a = torch.empty(options.r, base.in_features)
        nn.init.kaiming_uniform_(a, a=math.sqrt(5), generator=generator)  # as PEFT does; B starts at zero
        self.a = nn.Parameter(a.to(base.weight.device))
        self.b = nn.Parameter(torch.zeros(base.out_features, options.r, device=base.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        read = x.to(self.dtype)
        z = nn.functional.dropout(read, self.dropout, self.training) if self.dropout else read
        a, b = self.a.to(self.dtype), self.b.to(self.dtype)
        y: Tensor = _Product.apply(read, z, self.weight, self.bias, a, b, self.scale)
        return y.to(x.dtype)


class Flat:
    """All trained matrices as one vector, their gradients as another: one optimizer call and one norm for all."""

    def __init__(self, layers: Mapping[str, LoraLinear]) -> None:
        parts = [p for layer in layers.values() for p in (layer.a, layer.b)]
        self.value = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parts]))
        self.value.grad = torch.zeros_like(self.value)
        at = 0
        for p in parts:
            piece = slice(at, at + p.numel())
            p.data = self.value.data[piece].view_as(p)
            p.grad = self.value.grad[piece].view_as(p)
            at += p.numel()


def targets(module: nn.Module, names: str | tuple[str, ...]) -> dict[str, nn.Linear]:
    """Return the linear layers that ``target_modules`` means, by full name.

    Raises:
        UserError: there is none.
    """
    find_head: Any = getattr(module, "get_output_embeddings", lambda: None)
    head = find_head()
    linear = {n: m for n, m in module.named_modules() if isinstance(m, nn.Linear) and m is not head}
    if names == "all-linear":
        found = linear
    else:
        wanted = (names,) if isinstance(names, str) else tuple(names)
        found = {n: m for n, m in linear.items() if any(n == w or n.endswith("." + w) for w in wanted)}
    if not found:
        known = sorted({n.rpartition(".")[2] for n in linear})
        raise UserError(
            f"no linear layer of this model is called {names!r}.",
            "target_modules",
            f"Use all-linear, or some of: {', '.join(known)}." if known else "This model has no torch linear layers.",
        )
    return found


@contextmanager
def adapted(module: nn.Module, options: TrainOptions) -> Iterator[dict[str, LoraLinear]]:
    """Put adapters into ``module`` for the time of the block; afterwards it is as it was."""
    generator = torch.Generator().manual_seed(options.seed)
    found = targets(module, options.target_modules)
    dtypes = {name: torch.bfloat16 if options.bf16 else base.weight.dtype for name, base in found.items()}
    layers = {name: LoraLinear(base, options, generator, dtypes[name]) for name, base in found.items()}
    wanted = [(p, p.requires_grad) for p in module.parameters()]
    for p, _ in wanted:
        p.requires_grad_(False)
    for name, layer in layers.items():
        _put(module, name, layer)
    try:
        yield layers
    finally:
        for name, layer in layers.items():
            _put(module, name, layer.base)
        for p, was in wanted:
            p.requires_grad_(was)


def _put(module: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, new)


def tensors(layers: Mapping[str, LoraLinear]) -> dict[str, Tensor]:
    """Return the adapter's tensors by PEFT's names."""
    named = {}
    for name, layer in layers.items():
        named[f"base_model.model.{name}.lora_A.weight"] = layer.a.detach()
        named[f"base_model.model.{name}.lora_B.weight"] = layer.b.detach()
    return named


def write_adapter(
    folder: Path, values: Mapping[str, Tensor], layers: Mapping[str, LoraLinear], options: TrainOptions, base: str
) -> None:
    """Write ``adapter_model.safetensors`` and ``adapter_config.json`` into an existing folder."""
    from safetensors.torch import save_file

    # A last name means every layer of it, so what was named by more than that is written in full.
    asked = options.target_modules
    some = any("." in name for name in ([asked] if isinstance(asked, str) else asked))
    named = sorted(layers) if some else sorted({name.rpartition(".")[2] for name in layers})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": options.r,
        "lora_alpha": options.lora_alpha,
        "lora_dropout": options.lora_dropout,
        "target_modules": named,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "modules_to_save": None,
        "use_rslora": False,
        "use_dora": False,
    }
    save_file({k: v.cpu().contiguous() for k, v in values.items()}, str(folder / "adapter_model.safetensors"))
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

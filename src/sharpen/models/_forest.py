"""Many prompts through a model in one packed pass, without padding, each beginning computed once.

A pass reads *blocks*: runs of new tokens that attend to one parent's keys and values and to each other under a mask.
Attention goes through the hook that transformers offers to attention kernels, so all models that use it work; that
this model does is not assumed but checked when it is opened (:func:`forest`), against its own plain forward pass.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

NAME = "sharpen_forest"
PROBE = 40  # tokens of the check
log = logging.getLogger("sharpen.models")
TOLERANCE = {torch.float32: 2e-3, torch.bfloat16: 0.5}  # largest difference of a logit in the check


@dataclass(eq=False)
class Segment:
    """Keys and values per layer, (1, heads, tokens, size). A shared one holds all from the prompt's beginning."""

    shared: bool
    length: int  # tokens from the beginning of the prompt to the end of this segment
    k: list[Tensor] = field(default_factory=list)
    v: list[Tensor] = field(default_factory=list)


@dataclass(eq=False)
class Block:
    """New tokens after one parent. ``seen`` (n, n) says who sees whom among them; None: each sees those before it.

    ``keep`` names what is kept: (segment, first token, end).
    """

    parent: Segment | None
    ids: list[int]
    positions: list[int]
    seen: Tensor | None = None
    keep: list[tuple[Segment, int, int]] = field(default_factory=list)


class Pass(Protocol):
    """How the attention of one forward pass is computed."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Map (1, heads, tokens, size) to (1, tokens, heads, size)."""
        ...


class Reading:
    """The pass that reads blocks; a parent may stand earlier in the same pass."""

    def __init__(self, blocks: Sequence[Block], device: torch.device) -> None:
        self.places: list[tuple[int, int, Block, Tensor | None]] = []
        at = 0
        for block in blocks:
            n = len(block.ids)
            before = block.parent.length if block.parent else 0
            mask = block.seen
            if mask is None and before:
                mask = torch.ones(n, n, dtype=torch.bool).tril()
            if mask is not None and before:
                mask = torch.cat((torch.ones(n, before, dtype=torch.bool), mask), 1)
            self.places.append((at, at + n, block, None if mask is None else mask.to(device)))
            at += n

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See :class:`Pass`."""
        parts = []
        for start, stop, block, mask in self.places:
            q, k, v = query[:, :, start:stop], key[:, :, start:stop], value[:, :, start:stop]
            own_k, own_v = k, v
            if block.parent:
                k, v = torch.cat((block.parent.k[layer], k), 2), torch.cat((block.parent.v[layer], v), 2)
            for segment, first, end in block.keep:
                if segment.shared:
                    before = block.parent.length if block.parent else 0
                    segment.k.append(k[:, :, : before + end].contiguous())
                    segment.v.append(v[:, :, : before + end].contiguous())
                else:
                    segment.k.append(own_k[:, :, first:end])
                    segment.v.append(own_v[:, :, first:end])
            out = scaled_dot_product_attention(
                q, k, v, attn_mask=mask, is_causal=mask is None, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
            )
            parts.append(out.transpose(1, 2))
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Any,
    scaling: float | None = None,
    forest_pass: Pass | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """The attention that transformers calls; refuses what it does not compute."""
    if forest_pass is None or any(
        more.get(n) is not None for n in ("softcap", "s_aux", "sliding_window", "position_bias")
    ):
        raise NotImplementedError("this model's attention is not plain")
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    layer: int = module.layer_idx  # type: ignore[assignment]
    return forest_pass.attend(layer, query, key, value, scale), None


class Forest:
    """A module whose passes are packed."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.device: torch.device = module.device
        self.kind = "cuda" if self.device.type == "cuda" else "cpu"
        config = module.config
        self.layers: int = config.num_hidden_layers
        self.vocabulary: int = config.vocab_size
        self.heads = self.size = 0  # of keys and values, as the check finds them

    @property
    def kv_bytes(self) -> int:
        """Memory of the keys and values of one token."""
        return 2 * self.layers * self.heads * self.size * int(self.module.dtype.itemsize)

    def read(self, blocks: Sequence[Block], wanted: Sequence[int]) -> Tensor:
        """Run blocks through the model; return fp32 logits (len(wanted), vocabulary) at these packed positions."""
        ids = [t for b in blocks for t in b.ids]
        positions = [p for b in blocks for p in b.positions]
        return self.run(ids, positions, Reading(blocks, self.device), torch.tensor(wanted, device=self.device))

    def run(self, ids: Sequence[int], positions: Sequence[int], how: Pass, wanted: Tensor | int) -> Tensor:
        """One forward pass over packed tokens."""
        with torch.inference_mode():
            out = self.module(
                input_ids=torch.tensor([ids], device=self.device),
                position_ids=torch.tensor([positions], device=self.device),
                use_cache=False,
                logits_to_keep=wanted,
                forest_pass=how,
            )
        logits: Tensor = out.logits[0].float()
        return logits


def forest(module: Any) -> Forest | None:
    """Return the module as a :class:`Forest`, or None when its attention is of another kind.

    On CPU its linear layers are laid out for oneDNN once; without that every call pays for it again.
    """
    from transformers import AttentionInterface

    if not _plain(module.config):
        log.warning("It answers in padded batches, which takes longer, since not all layers attend to all tokens.")
        return None
    AttentionInterface.register(NAME, attention)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, module.config.vocab_size, (PROBE,), generator=generator).tolist()
    with torch.inference_mode():
        expected = module(input_ids=torch.tensor([ids], device=module.device), use_cache=False).logits[0].float()
    before = module.config._attn_implementation
    pack(module)
    try:
        module.set_attn_implementation(NAME)
        made = Forest(module)
        root = Segment(True, 16)
        blocks = [
            Block(None, ids[:16], list(range(16)), keep=[(root, 0, 16)]),
            Block(root, ids[16:], list(range(16, PROBE))),
        ]
        error = float((made.read(blocks, list(range(PROBE))) - expected).abs().max())
        made.heads, made.size = root.k[0].shape[1], root.k[0].shape[3]
        # Some attend without asking the interface, in some or all layers; some have values of another size than keys.
        asked = len(root.k) == made.layers and all(k.shape == v.shape for k, v in zip(root.k, root.v, strict=True))
        if asked and error <= TOLERANCE.get(module.dtype, 0.1):
            return made
        why = f"its logits differ by {error:.2g}" if asked else "some layers do not ask for attention as others do"
    except (NotImplementedError, TypeError, ValueError, RuntimeError, AttributeError, LookupError) as e:
        why = f"{type(e).__name__}: {e}"
    log.warning("It answers in padded batches, which takes longer, since its attention is of another kind: %s.", why)
    module.set_attn_implementation(before)
    return None


def _plain(config: Any) -> bool:
    """Whether every layer attends to all tokens before it."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    sliding = getattr(config, "sliding_window", None) is not None and getattr(config, "use_sliding_window", True)
    return kinds == {"full_attention"} and not (sliding and not getattr(config, "layer_types", None))


class Packed(nn.Module):
    """A linear layer whose weights are laid out for oneDNN: 2.2 times the speed of nn.Linear at 16 rows."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.laid_out = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.laid_out, self.bias, "none", [], "")
        return out


def pack(module: Any) -> None:
    """Lay out the linear layers of a fp32 module on CPU for oneDNN; elsewhere nothing changes.

    One layer at a time, each compared with what it was, so that memory never holds the weights twice.
    """
    fits = module.device.type == "cpu" and module.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    if not fits or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        return
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for parent in list(module.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is not nn.Linear:
                    continue
                packed, x = Packed(child), torch.randn(3, child.in_features, generator=random)
                expected = child(x)
                if float((packed(x) - expected).abs().max()) <= 1e-4 * (1 + float(expected.abs().max())):
                    setattr(parent, name, packed)

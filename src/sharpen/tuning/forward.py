"""Rows through the model: a tree of tokens in one pass, logits at supervised positions only.

Attention goes through the hook that transformers offers to other attention kernels, so any of its models that uses
the hook can be trained on trees. Whether a model does it right is not assumed: :func:`agrees` compares the loss of
a few rows with that of the untouched model, and the loop trains row by row where they differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from sharpen.tuning.trees import Row, Tree, grow

NAME = "sharpen_tree"
UNKNOWN = ("softcap", "s_aux", "position_bias")  # what some models hand to their attention and trees do not follow


@dataclass(frozen=True)
class Layout:
    """A :class:`Tree` on the model's device.

    ``blocks``: per attention call the range of its tokens, the indices of its keys, and which of them each token sees.
    ``sizes``: the number of its tokens; ``before``: that of the earlier ones it attends to, and all of these in a row.
    """

    ids: Tensor
    positions: Tensor
    blocks: tuple[tuple[int, int, Tensor, Tensor], ...]
    sizes: list[int]
    before: tuple[list[int], Tensor]
    predicting: Tensor
    edges: Tensor
    wanted: Tensor
    counts: Tensor
    masks: dict[Any, Tensor] = field(default_factory=dict)

    def mask(self, number: int, groups: int, dtype: torch.dtype, window: int | None) -> Tensor:
        """What is added to a block's scores, one tensor for all layers: each of them keeps it for its gradients.

        Query heads of one key head (``groups``) stand below each other.
        """
        key = number, groups, dtype, window
        if key not in self.masks:
            start, stop, keys, seen = self.blocks[number]
            if window is not None:
                depth = self.positions[0]
                seen = seen & (depth[start:stop, None] - depth[None, keys] < window)
            added = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))
            self.masks[key] = added.repeat(groups, 1)[None, None]
        return self.masks[key]


def lay_out(tree: Tree, device: torch.device) -> Layout:
    """Turn a tree into tensors."""
    end = torch.tensor(tree.end, device=device)
    blocks = []
    for block in tree.blocks:
        own = torch.arange(block.start, block.stop, device=device)
        keys = torch.cat((torch.tensor(block.before, device=device, dtype=torch.long), own))
        seen = (keys[None] <= own[:, None]) & (own[:, None] < end[keys][None])
        blocks.append((block.start, block.stop, keys, seen))
    predicting = sorted({i for i, _, _ in tree.edges})
    place = {index: n for n, index in enumerate(predicting)}
    return Layout(
        torch.tensor(tree.ids, device=device)[None],
        torch.tensor(tree.positions, device=device)[None],
        tuple(blocks),
        [block.stop - block.start for block in tree.blocks],
        (
            [len(block.before) for block in tree.blocks],
            torch.tensor([i for block in tree.blocks for i in block.before], device=device, dtype=torch.long),
        ),
        torch.tensor(predicting, device=device),
        torch.tensor([place[i] for i, _, _ in tree.edges], device=device),
        torch.tensor([t for _, t, _ in tree.edges], device=device),
        torch.tensor([n for _, _, n in tree.edges], device=device, dtype=torch.float32),
    )


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Any,
    sharpen_tree: Layout | None = None,
    scaling: float | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """The attention of a tree; tensors are (1, heads, tokens, size), the result (1, tokens, heads, size)."""
    strange = [name for name in UNKNOWN if more.get(name) is not None]
    if strange:
        raise NotImplementedError(f"attention with {strange[0]}")
    if sharpen_tree is None:
        raise RuntimeError("this model does not hand its keyword arguments to its attention")
    heads, groups = query.shape[1], query.shape[1] // key.shape[1]
    layout = sharpen_tree
    # Split, not sliced: the gradient of a slice is as large as the whole and mostly zeros.
    queries, keys, values = (list(t.split(layout.sizes, 2)) for t in (query, key, value))
    lengths, before = layout.before
    if len(before):
        for own, whole in ((keys, key), (values, value)):
            earlier = whole.index_select(2, before).split(lengths, 2)
            own[:] = [torch.cat(pair, 2) if pair[0].shape[2] else pair[1] for pair in zip(earlier, own, strict=True)]
    parts = []
    for number, (q, k, v) in enumerate(zip(queries, keys, values, strict=True)):
        if groups > 1:  # query heads of one key head stand below each other, so keys are not copied for each
            q = q.reshape(1, heads // groups, -1, q.shape[-1])
        added = layout.mask(number, groups, q.dtype, more.get("sliding_window"))
        out = scaled_dot_product_attention(q, k, v, attn_mask=added, scale=scaling, dropout_p=more.get("dropout", 0.0))
        parts.append(out.reshape(1, heads, layout.sizes[number], -1).transpose(1, 2))
    return (parts[0] if len(parts) == 1 else torch.cat(parts, 1)), None


@contextmanager
def tree_attention(module: nn.Module) -> Iterator[None]:
    """Let the model attend along trees for the time of the block."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attention)
    model: Any = module
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def tree_loss(module: nn.Module, tree: Tree) -> Tensor:
    """Return the sum of the losses (nats) of all supervised tokens of the tree's rows."""
    layout = lay_out(tree, next(module.parameters()).device)
    logits = module(
        input_ids=layout.ids,
        position_ids=layout.positions,
        use_cache=False,
        logits_to_keep=layout.predicting,
        sharpen_tree=layout,
    ).logits[0]
    if len(layout.edges) != len(layout.predicting):
        logits = logits[layout.edges]  # rows that part here learn different tokens from one prediction
    losses = cross_entropy(logits.float(), layout.wanted, reduction="none")
    return losses @ layout.counts


def row_loss(module: nn.Module, tree: Tree) -> Tensor:
    """The same for a tree of one row, by the model's own attention and nothing else."""
    device = next(module.parameters()).device
    edges = torch.tensor(tree.edges, device=device)
    logits = module(input_ids=torch.tensor([tree.ids], device=device), use_cache=False).logits[0]
    return cross_entropy(logits[edges[:, 0]].float(), edges[:, 1], reduction="none") @ edges[:, 2].float()


def agrees(module: nn.Module, rows: Sequence[Row]) -> bool:
    """Whether trees give this model the loss that its own attention gives.

    Tried on the longest row, which shows a window of attention, and on the two shortest. A difference of 1e-3 nats a
    token is allowed in float32, 0.03 in shorter formats, whose own rounding is of that size.
    """
    sizes = sorted(rows, key=lambda row: len(row.ids))
    rows = [sizes[-1], *sizes[:2]]
    exact = next(module.parameters()).dtype == torch.float32
    was = module.training
    module.eval()
    try:
        with torch.no_grad():
            alone = sum(float(row_loss(module, grow([row]))) for row in rows)
            with tree_attention(module):
                together = float(tree_loss(module, grow(rows)))
    except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError):
        return False
    finally:
        module.train(was)
    return abs(alone - together) <= (1e-3 if exact else 0.03) * sum(len(row.learned) for row in rows)

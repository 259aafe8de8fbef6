"""Generation over a :class:`Forest`: continuous batches, shared beginnings read once and attended to once.

Rows enter as others finish. What several rows share stays in one place and is multiplied with all their queries at
once; what a row has for itself (the rest of its prompt, its answer) lies in its slot.
"""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sharpen.models._chat import Chat
from sharpen.models._forest import Block, Forest, Segment
from sharpen.models._prefix import Ids, Node, grow, leaves
from sharpen.models._stop import cut
from sharpen.types import Completion, Decoding

GROUP = 4  # rows that must share a beginning for it to stay in one place
STEP = 64  # tokens by which slots become longer
READ = {"cpu": 512, "cuda": 8192}  # prompt tokens in a pass
SLOTS = {"cpu": 32, "cuda": 256}  # rows at once
MEMORY = {"cpu": 2 << 30, "cuda": 8 << 30}  # bytes of slots


@dataclass(eq=False)
class Row:
    """One answer in the making."""

    index: int
    prompt: Ids
    decoding: Decoding
    limit: int
    skips: int = 0  # tokens of its beginning that stay in one place, which others share
    shared: Segment | None = None  # these, once they were read
    own: int = 0  # tokens in the slot
    cached: int = 0
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    started: float = 0.0
    first: float = 0.0
    done: Completion | None = None
    random: Any = None

    @property
    def need(self) -> int:
        """Places that its slot must have."""
        return len(self.prompt) - self.skips + self.limit


class Slots:
    """Keys and values of what each row has for itself, and the attention of one decoding step."""

    def __init__(self, forest: Forest) -> None:
        self.forest = forest
        self.rows: list[Row] = []
        self.most = SLOTS[forest.kind]
        self.store = self._empty(0, 0)

    def _empty(self, rows: int, length: int) -> Tensor:
        f = self.forest
        shape = (f.layers, 2, rows, f.heads, length, f.size)
        return torch.zeros(shape, dtype=f.module.dtype, device=f.device)

    def put(self, row: Row, leaf: Segment, start: int, parent: Segment | None) -> None:
        """Give a row a slot and copy into it what it does not share: the parent's part, then its own."""
        spare = next((i for i, r in enumerate(self.rows) if r.done), None)
        if spare is None:
            spare = len(self.rows)
            self.rows.append(row)
        self.rows[spare] = row
        self._room(len(self.rows), row.need)
        skip, between = row.skips, start - row.skips
        slot = self.store[:, :, spare]
        if between and parent is not None:
            for layer in range(self.forest.layers):
                slot[layer, 0, :, :between] = parent.k[layer][0, :, skip:start]
                slot[layer, 1, :, :between] = parent.v[layer][0, :, skip:start]
        for layer in range(self.forest.layers):
            slot[layer, 0, :, between : between + leaf.length - start] = leaf.k[layer][0]
            slot[layer, 1, :, between : between + leaf.length - start] = leaf.v[layer][0]
        row.own = leaf.length - skip

    def _room(self, rows: int, length: int) -> None:
        have_rows, have = self.store.shape[2], self.store.shape[4]
        if rows <= have_rows and length <= have:
            return
        bigger = self._empty(max(rows, min(2 * have_rows, self.most)), max(-(-length // STEP) * STEP, have))
        bigger[:, :, :have_rows, :, :have] = self.store
        self.store = bigger

    def compact(self) -> None:
        """Leave out finished rows when they are many."""
        alive = [i for i, r in enumerate(self.rows) if not r.done]
        if len(alive) <= 0.75 * len(self.rows):
            self.rows = [self.rows[i] for i in alive]
            self.store = self.store[:, :, alive]

    def begin(self) -> None:
        """Prepare the masks and groups of the next step."""
        n, device = len(self.rows), self.forest.device
        lengths = torch.tensor([r.own for r in self.rows], device=device)
        self.length = int(lengths.max()) + 1
        self.at = lengths
        self.each = torch.arange(n, device=device)
        seen = torch.arange(self.length, device=device)[None] <= lengths[:, None]
        self.bias = torch.zeros(seen.shape, device=device).masked_fill_(~seen, float("-inf"))[:, None, None]
        groups: dict[int, tuple[Segment, list[int]]] = {}
        for i, row in enumerate(self.rows):
            if row.shared and not row.done:
                groups.setdefault(id(row.shared), (row.shared, []))[1].append(i)
        self.groups = [
            (segment, slice(None) if len(members) == n else torch.tensor(members, device=device))
            for segment, members in groups.values()
        ]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """One new token a row; see :class:`sharpen.models._forest.Pass`."""
        n, heads, size = len(self.rows), self.forest.heads, self.forest.size
        k, v = self.store[layer, 0], self.store[layer, 1]
        k[self.each, :, self.at] = key[0].transpose(0, 1)
        v[self.each, :, self.at] = value[0].transpose(0, 1)
        k, v = k[:n, :, : self.length], v[:n, :, : self.length]
        q = query[0].transpose(0, 1).reshape(n, heads, -1, size)
        if not self.groups:
            out = scaled_dot_product_attention(q, k, v, attn_mask=self.bias.to(q.dtype), scale=scale)
        else:
            out = self._with_groups(layer, q * scale, k, v)
        return out.reshape(1, n, -1, size)

    def _with_groups(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Softmax over the shared part and the row's own, each multiplied where it lies."""
        _, heads, per, size = q.shape
        own = torch.matmul(q, k.transpose(-1, -2)).float() + self.bias
        top = own.amax(-1, keepdim=True)
        parts = []
        for segment, members in self.groups:
            ours = q[members].transpose(0, 1).reshape(heads, -1, size)
            scores = torch.matmul(ours, segment.k[layer][0].transpose(-1, -2)).float()
            scores = scores.view(heads, -1, per, scores.shape[-1])
            top[members] = torch.maximum(top[members], scores.amax(-1, keepdim=True).transpose(0, 1))
            parts.append((segment, members, scores))
        own = (own - top).exp_()
        total = own.sum(-1, keepdim=True)
        out = torch.matmul(own.to(v.dtype), v).float()
        for segment, members, scores in parts:
            scores = (scores - top[members].transpose(0, 1)).exp_()
            total[members] += scores.sum(-1, keepdim=True).transpose(0, 1)
            mixed = torch.matmul(scores.to(v.dtype).view(heads, -1, scores.shape[-1]), segment.v[layer][0])
            out[members] += mixed.view(heads, -1, per, size).transpose(0, 1).float()
        return (out / total).to(v.dtype)


def decode(
    forest: Forest, chat: Chat, prompts: Sequence[Ids], decodings: Sequence[Decoding], context: int
) -> Iterator[tuple[int, Completion]]:
    """Yield ``(position, completion)`` as rows finish."""
    queue = deque((node, _row(node, prompts, decodings, context)) for node in leaves(grow(prompts)))
    slots = Slots(forest)
    while queue or slots.rows:
        free = slots.most - sum(not r.done for r in slots.rows)
        if queue and (free >= slots.most // 4 or free == slots.most):
            batch = _admitted(queue, slots)
            if batch:
                rows = [row for _, row in batch]
                _read(forest, chat, slots, [node for node, _ in batch], rows)
                yield from ((r.index, r.done) for r in rows if r.done)
                if not queue:
                    slots.compact()
                continue
        if not queue:
            slots.compact()
        if not slots.rows:
            break
        slots.begin()
        rows = slots.rows
        tokens = [r.tokens[-1] for r in rows]
        positions = [len(r.prompt) + len(r.tokens) - 1 for r in rows]
        logits = forest.run(tokens, positions, slots, 0)
        alive = [r for r in rows if not r.done]
        for row in alive:
            row.own += 1
        _choose(chat, rows, logits)
        yield from ((r.index, r.done) for r in alive if r.done)


def _admitted(queue: deque[tuple[Node, Row]], slots: Slots) -> list[tuple[Node, Row]]:
    """Take the next prompts: as many as there is memory for slots of this width, and tokens to read in one pass."""
    forest, batch = slots.forest, list[tuple[Node, Row]]()
    counted: set[Node] = set()
    living = [r for r in slots.rows if not r.done]
    widest, size = max((r.need for r in living), default=0), 0
    while queue and size < READ[forest.kind]:
        node, row = queue[0]
        widest = max(widest, row.need)
        slot = -(-widest // STEP) * STEP * forest.kv_bytes
        most = max(4, min(SLOTS[forest.kind], MEMORY[forest.kind] // slot))
        if len(living) + len(batch) >= most:
            break
        slots.most = most
        batch.append(queue.popleft())
        row.started = time.perf_counter()
        row.random = randomness(row.prompt, row.decoding)
        size += len(node.ids)
        up = node.parent
        while up is not None and up.segment is None and up not in counted:
            counted.add(up)
            size += len(up.ids)
            up = up.parent
    return batch


def _row(node: Node, prompts: Sequence[Ids], decodings: Sequence[Decoding], context: int) -> Row:
    assert node.row is not None  # leaves have a row
    prompt, decoding = prompts[node.row], decodings[node.row]
    kept = _kept(node)
    limit = max(1, min(decoding.max_new_tokens, context - len(prompt)))
    return Row(node.row, prompt, decoding, limit, kept.stop if kept else 0)


def randomness(prompt: Ids, decoding: Decoding) -> Any:
    """A row's own random numbers (None: greedy), so that what is drawn does not depend on its neighbours."""
    if decoding.temperature <= 0:
        return None
    return torch.Generator().manual_seed(zlib.crc32(repr((decoding.seed, prompt)).encode()))


def _read(forest: Forest, chat: Chat, slots: Slots, batch: list[Node], rows: list[Row]) -> None:
    """Read prompts in one pass: shared beginnings that are not there yet, then what each row has for itself."""
    blocks: list[Block] = []
    at: dict[int, tuple[Block, int]] = {}
    own: list[Segment] = []
    for node, row in zip(batch, rows, strict=True):
        row.cached = grow_down(node.parent, blocks)
        parent = node.parent.segment if node.parent else None
        segment = Segment(False, node.stop)
        positions = list(range(node.start, node.stop))
        blocks.append(Block(parent, list(node.ids), positions, keep=[(segment, 0, len(node.ids))]))
        own.append(segment)
        at[row.index] = (blocks[-1], len(node.ids) - 1)
    blocks = _side_by_side(blocks, at)
    offsets, total = {}, 0
    for block in blocks:
        offsets[id(block)] = total
        total += len(block.ids)
    wanted = [offsets[id(at[r.index][0])] + at[r.index][1] for r in rows]
    logits = forest.read(blocks, wanted)
    for node, row, segment in zip(batch, rows, own, strict=True):
        kept = _kept(node)
        row.shared = kept.segment if kept else None
        slots.put(row, segment, node.start, node.parent.segment if node.parent else None)
    _choose(chat, rows, logits)
    for node in batch:
        let_go(node)


def grow_down(node: Node | None, blocks: list[Block]) -> int:
    """Add blocks for the beginnings that are not read yet; return how many tokens were there already."""
    if node is None:
        return 0
    if node.segment is not None:
        return node.stop
    there = grow_down(node.parent, blocks)
    node.segment = Segment(True, node.stop)
    parent = node.parent.segment if node.parent else None
    positions = list(range(node.start, node.stop))
    blocks.append(Block(parent, list(node.ids), positions, keep=[(node.segment, 0, len(node.ids))]))
    return there


def _side_by_side(blocks: list[Block], at: dict[int, tuple[Block, int]], most: int = 256) -> list[Block]:
    """Join short blocks of one parent, so that attention is called once for them."""
    joined: list[Block] = []
    moved: dict[int, tuple[Block, int]] = {}
    for block in blocks:
        last = joined[-1] if joined else None
        fits = last is not None and last.parent is block.parent and len(last.ids) + len(block.ids) <= most
        shared = any(s.shared for s, _, _ in block.keep) or (last and any(s.shared for s, _, _ in last.keep))
        if last is None or not fits or shared:
            joined.append(block)
            continue
        shift = len(last.ids)
        n = shift + len(block.ids)
        old = last.seen if last.seen is not None else torch.ones(shift, shift, dtype=torch.bool).tril()
        seen = torch.zeros(n, n, dtype=torch.bool)
        seen[:shift, :shift] = old
        seen[shift:, shift:] = torch.ones(n - shift, n - shift, dtype=torch.bool).tril()
        last.ids += block.ids
        last.positions += block.positions
        last.seen = seen
        last.keep += [(s, a + shift, b + shift) for s, a, b in block.keep]
        moved[id(block)] = (last, shift)
    for row, (block, place) in at.items():
        if id(block) in moved:
            to, shift = moved[id(block)]
            at[row] = (to, place + shift)
    return joined


def _kept(node: Node) -> Node | None:
    """The longest beginning that enough rows share for it to stay in one place."""
    up = node.parent
    while up is not None and up.leaves < GROUP:
        up = up.parent
    return up


def let_go(node: Node) -> None:
    """Forget a beginning when the last prompt below it has been read; rows that attend to it still hold it."""
    up = node.parent
    while up is not None:
        up.left -= 1
        if up.left == 0:
            up.segment = None
        up = up.parent


def _choose(chat: Chat, rows: Sequence[Row], logits: Tensor) -> None:
    """Append each living row's next token and finish those that end."""
    picked = logits.argmax(-1)
    for i, row in enumerate(rows):
        if row.random is not None and not row.done:
            picked[i] = sample(logits[i], row.decoding, row.random)
    chances = (logits.gather(1, picked[:, None])[:, 0] - logits.logsumexp(-1)).tolist()
    now = time.perf_counter()
    for row, token, chance in zip(rows, picked.tolist(), chances, strict=True):
        if row.done:
            continue
        row.first = row.first or now
        row.logprobs.append(chance)
        row.tokens.append(token)
        row.done = ended(chat, row.tokens, row.decoding, row.limit, row)


def sample(logits: Tensor, decoding: Decoding, random: Any) -> int:
    """Draw a token at ``temperature`` from the smallest set of tokens that holds ``top_p`` of the probability."""
    exact = logits.double().cpu()
    chances = ((exact - exact.max()) / decoding.temperature).softmax(-1)  # however small the temperature is
    if decoding.top_p < 1:
        sizes, order = chances.sort(descending=True)
        sizes[1:][(sizes.cumsum(-1) - sizes)[1:] >= decoding.top_p] = 0  # the likeliest one always stays
        return int(order[torch.multinomial(sizes, 1, generator=random)])
    return int(torch.multinomial(chances, 1, generator=random))


def ended(chat: Chat, tokens: list[int], decoding: Decoding, limit: int, row: Row) -> Completion | None:
    """Return the completion when the answer is over: end of turn, a stop string, or its limit."""
    finish, text = "", None
    if tokens[-1] in chat.ends:
        finish, kept = "stop", tokens[:-1]
    else:
        kept = tokens
        if decoding.stop:
            text, finish = cut(chat.decode(tokens), decoding.stop)
        if not finish and len(tokens) >= limit:
            finish = "length"
    if not finish:
        return None
    now = time.perf_counter()
    if text is None:
        text = cut(chat.decode(kept), decoding.stop)[0]
    return Completion(
        text,
        tuple(kept),
        tuple(row.logprobs[: len(kept)]),
        len(row.prompt),
        row.cached,
        len(tokens),
        row.first - row.started,
        now - row.started,
        finish,
    )

"""Log-likelihoods of given replies over a :class:`Forest`: the prompt once, all choices as a trie beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from sharpen.models._decode import grow_down, let_go
from sharpen.models._forest import Block, Forest, Segment
from sharpen.models._prefix import Ids, Node, Trie, bundles, grow, leaves, trie
from sharpen.types import Likelihoods

READ = {"cpu": 768, "cuda": 8192}  # tokens in a pass
WIDE = 512  # tokens of choices in one block; more are read in several
LOGITS = {"cpu": 1 << 28, "cuda": 1 << 31}  # bytes of logits in a pass
SUMMED = {"cpu": 4, "cuda": 1 << 20}  # rows of logits summed at once: on CPU what fits a cache, eight times as fast


@dataclass(eq=False)
class Ask:
    """One question with some of its choices: a block, and where its predictions are read off."""

    row: int
    members: Sequence[int]
    trie: Trie
    block: Block
    lead: int  # place of the prompt's last token in the block


def rank(
    forest: Forest, prompts: Sequence[Ids], choices: Sequence[tuple[Ids, ...]]
) -> Iterator[tuple[int, Likelihoods]]:
    """Yield ``(position, likelihoods)``: sums of log-probabilities in nats."""
    started = time.perf_counter()
    batch: list[Node] = []
    size = logits = 0
    for node in leaves(grow(prompts)):
        assert node.row is not None  # leaves have a row
        batch.append(node)
        more = min(sum(map(len, choices[node.row])), WIDE)
        size, logits = size + len(node.ids) + more, logits + more + 1
        if size >= READ[forest.kind] or logits >= _most_logits(forest):
            yield from _answered(forest, batch, prompts, choices, started)
            batch, size, logits, started = [], 0, 0, time.perf_counter()
    if batch:
        yield from _answered(forest, batch, prompts, choices, started)


def _answered(
    forest: Forest, batch: list[Node], prompts: Sequence[Ids], choices: Sequence[tuple[Ids, ...]], started: float
) -> Iterator[tuple[int, Likelihoods]]:
    blocks: list[Block] = []
    asks: list[Ask] = []
    for node in batch:
        grow_down(node.parent, blocks)
        asks += _asked(node, choices, blocks)
    found: dict[int, dict[int, float]] = {}
    for group, part in _passes(blocks, asks, forest):
        _one_pass(forest, group, part, found)
    for node in batch:
        let_go(node)
    seconds = (time.perf_counter() - started) / len(batch)
    for node in batch:
        row = node.row
        assert row is not None
        sums = found.get(row, {})
        n = len(choices[row])
        lengths = tuple(len(c) for c in choices[row])
        yield row, Likelihoods(tuple(sums.get(i, 0.0) for i in range(n)), lengths, len(prompts[row]), seconds)


def _asked(node: Node, choices: Sequence[tuple[Ids, ...]], blocks: list[Block]) -> list[Ask]:
    """Blocks of one question: its own tokens and the trie; with very many choices its tokens are kept for several."""
    assert node.row is not None
    row = node.row
    parent: Segment | None = node.parent.segment if node.parent else None
    positions = list(range(node.start, node.stop))
    groups = bundles(choices[row], WIDE)
    own = list(node.ids)
    if len(groups) > 1 and len(own) > 1:
        kept = Segment(True, node.stop - 1)
        blocks.append(Block(parent, own[:-1], positions[:-1], keep=[(kept, 0, len(own) - 1)]))
        parent, own, positions = kept, own[-1:], positions[-1:]
    asks = []
    for members in groups:
        tree = trie(tuple(choices[row][i] for i in members))
        places = [node.stop + d for d in tree.depths]
        block = Block(parent, [*own, *tree.ids], [*positions, *places], _seen(len(own), tree))
        blocks.append(block)
        asks.append(Ask(row, members, tree, block, len(own) - 1))
    return asks


def _most_logits(forest: Forest) -> int:
    """Predictions in a pass."""
    return max(64, LOGITS[forest.kind] // (4 * forest.vocabulary))


def _seen(lead: int, tree: Trie) -> Tensor | None:
    """Who sees whom: the question's tokens those before them, a choice's token the question and its ancestors."""
    if not tree.ids:
        return None
    n = lead + len(tree.ids)
    seen = torch.zeros(n, n, dtype=torch.bool)
    seen[:lead, :lead] = torch.ones(lead, lead, dtype=torch.bool).tril()
    seen[lead:, :lead] = True
    seen[lead:, lead:] = _ancestors(tree.parents)
    return seen


@lru_cache(maxsize=64)
def _ancestors(parents: tuple[int, ...]) -> Tensor:
    """Which of a trie's tokens each of them sees: those on its way from the root, and itself."""
    seen = torch.eye(len(parents), dtype=torch.bool)
    for i, parent in enumerate(parents):
        if parent >= 0:
            seen[i] |= seen[parent]
    return seen


def _passes(blocks: list[Block], asks: list[Ask], forest: Forest) -> Iterator[tuple[list[Block], list[Ask]]]:
    """Blocks in order, cut where a pass has enough tokens or predictions."""
    budget, most = max(1024, 2 * READ[forest.kind]), _most_logits(forest)
    by_block = {id(a.block): a for a in asks}
    group: list[Block] = []
    size = logits = 0
    for block in blocks:
        wanted = 1 + len(by_block[id(block)].trie.ids) if id(block) in by_block else 0
        if group and (size + len(block.ids) > budget or logits + wanted > most):
            yield group, [by_block[id(b)] for b in group if id(b) in by_block]
            group, size, logits = [], 0, 0
        group.append(block)
        size, logits = size + len(block.ids), logits + wanted
    yield group, [by_block[id(b)] for b in group if id(b) in by_block]


def _one_pass(forest: Forest, blocks: list[Block], asks: list[Ask], found: dict[int, dict[int, float]]) -> None:
    starts, at = {}, 0
    for block in blocks:
        starts[id(block)] = at
        at += len(block.ids)
    wanted: list[int] = []
    rows: list[int] = []
    tokens: list[int] = []
    for ask in asks:
        first = len(wanted)
        begin = starts[id(ask.block)] + ask.lead
        wanted += range(begin, begin + 1 + len(ask.trie.ids))  # the prompt's last token, then the trie
        rows += [first + 1 + node for node, _ in ask.trie.edges]
        tokens += [token for _, token in ask.trie.edges]
    logits = forest.read(blocks, wanted)
    device = logits.device
    r, t = torch.tensor(rows, device=device, dtype=torch.long), torch.tensor(tokens, device=device, dtype=torch.long)
    totals = torch.cat([part.logsumexp(-1) for part in logits.split(SUMMED[forest.kind])])
    chances = (logits[r, t] - totals[r]).double().tolist()
    at = 0
    for ask in asks:
        edges = chances[at : at + len(ask.trie.edges)]
        at += len(edges)
        sums = found.setdefault(ask.row, {})
        for member, path in zip(ask.members, ask.trie.paths, strict=True):
            sums[member] = float(sum(edges[e] for e in path))

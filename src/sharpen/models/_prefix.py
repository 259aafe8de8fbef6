"""Prompts that begin alike as a tree, and choices as a trie: what is shared is computed once. Plain Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Ids = tuple[int, ...]


@dataclass(eq=False)
class Node:
    """Tokens ``start`` to ``start + len(ids)`` of all prompts below; a leaf holds the rest of prompt ``row``."""

    start: int
    ids: Ids
    parent: Node | None = None
    row: int | None = None
    children: list[Node] = field(default_factory=list)
    leaves: int = 1  # prompts below
    left: int = 1  # of these, prompts not yet read
    longest: int = 0  # tokens of the longest prompt below
    segment: Any = None  # keys and values, once computed

    @property
    def stop(self) -> int:
        """Tokens from the beginning of the prompt to the end of this node."""
        return self.start + len(self.ids)


def grow(prompts: Sequence[Ids], least: int = 16) -> list[Node]:
    """Return the trees of prompts that share at least ``least`` tokens; every prompt keeps a last token of its own.

    Longest first, so that memory is known to suffice early and short prompts fill the end of a run.
    """
    order = sorted(range(len(prompts)), key=prompts.__getitem__)
    common = [0] * (len(order) + 1)
    for j in range(1, len(order)):
        one, other = prompts[order[j - 1]], prompts[order[j]]
        common[j] = min(common_prefix(one, other), len(one) - 1, len(other) - 1)

    def split(low: int, high: int, start: int, parent: Node | None) -> list[Node]:
        nodes = []
        while low < high:
            end = low + 1
            while end < high and common[end] - start >= least:
                end += 1
            ids = prompts[order[low]]
            if end == low + 1:
                node = Node(start, ids[start:], parent, order[low], longest=len(ids))
            else:
                stop = min(common[low + 1 : end])
                node = Node(start, ids[start:stop], parent, leaves=end - low, left=end - low)
                node.children = split(low, end, stop, node)
                node.longest = max(c.longest for c in node.children)
            nodes.append(node)
            low = end
        return sorted(nodes, key=lambda n: -n.longest)

    return split(0, len(order), 0, None)


def leaves(nodes: Sequence[Node]) -> Iterator[Node]:
    """Walk the leaves, branch by branch."""
    for node in nodes:
        if node.row is None:
            yield from leaves(node.children)
        else:
            yield node


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common beginning."""
    low, high = 0, min(len(a), len(b))
    while low < high:  # tuples compare in C: bisection beats a loop over tokens
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(frozen=True)
class Trie:
    """Choices that begin alike share their tokens; a choice's last token is predicted and never read.

    ``ids[i]`` is read after ``parents[i]`` (-1: after the prompt) at ``depths[i]`` tokens beyond the prompt's end.
    ``edges`` are the distinct predictions ``(node or -1, token)``; ``paths[c]`` the edges of choice ``c``.
    """

    ids: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]
    paths: tuple[tuple[int, ...], ...]


@lru_cache(maxsize=64)
def trie(choices: tuple[Ids, ...]) -> Trie:
    """Build the trie of some choices' tokens."""
    nodes: dict[tuple[int, int], int] = {}
    ids: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    edges: dict[tuple[int, int], int] = {}
    paths = []
    for choice in choices:
        at, path = -1, list[int]()
        for depth, token in enumerate(choice):
            path.append(edges.setdefault((at, token), len(edges)))
            if depth == len(choice) - 1:
                break
            if (at, token) not in nodes:
                nodes[at, token] = len(ids)
                ids.append(token)
                parents.append(at)
                depths.append(depth)
            at = nodes[at, token]
        paths.append(tuple(path))
    return Trie(tuple(ids), tuple(parents), tuple(depths), tuple(edges), tuple(paths))


def bundles(choices: Sequence[Ids], most: int) -> list[list[int]]:
    """Split many choices into groups of at most about ``most`` tokens, neighbours in the alphabet together."""
    groups: list[list[int]] = [[]]
    size = 0
    for i in sorted(range(len(choices)), key=lambda i: choices[i]):
        if groups[-1] and size + len(choices[i]) > most:
            groups.append([])
            size = 0
        groups[-1].append(i)
        size += len(choices[i])
    return groups

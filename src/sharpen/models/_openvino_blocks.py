"""Which blocks of keys and values are whose, and which hold the beginning of a prompt that comes. Plain Python.

What has been read stays until its room is needed, as a tree: a node is one block of tokens after those of its parent.
A prompt takes over all whole blocks that are there, and copies the one of which it shares a part.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from sharpen.models._openvino_pages import BLOCK
from sharpen.models._prefix import Ids, common_prefix


@dataclass(eq=False)
class Node:
    """Tokens that lie in a block, at most :data:`BLOCK`, after those of the parent."""

    ids: Ids
    block: int
    parent: Node | None = None
    depth: int = 0
    users: int = 0  # leases of it
    used: int = 0  # when it was last found or made
    children: dict[Ids, Node] = field(default_factory=dict)
    order: list[Ids] = field(default_factory=list)  # of the children, sorted: neighbours begin alike


@dataclass(eq=False)
class Lease:
    """A row's blocks, in the order of its tokens, of which the first ``past`` are there.

    ``copy``: the block from which the first of the row's own has to be copied before anything is read.
    """

    blocks: list[int]
    past: int
    copy: tuple[int, int] | None = None
    nodes: list[Node] = field(default_factory=list)  # the first blocks', which others may use too


class Blocks:
    """The blocks of one model."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = list(range(count - 1, -1, -1))
        self._root = Node((), -1)
        self._nodes: set[Node] = set()
        self._clock = 0

    def begin(self, ids: Ids, length: int) -> Lease | None:
        """Give a row blocks for ``length`` tokens that begin with ``ids``; None: there is no room now.

        The last of ``ids`` is never taken over, since its successor has to be computed.
        """
        self._clock += 1
        path, past, like = self._found(ids)
        for node in [*path, like] if like else path:
            node.users += 1
            node.used = self._clock
        need = -(-length // BLOCK) - len(path)
        own = self._taken(need)
        if like:
            like.users -= 1
        if own is None and like:  # it may be in the way
            past, like = len(path) * BLOCK, None
            own = self._taken(need)
        if own is None:
            for node in path:
                node.users -= 1
            return None
        return Lease([n.block for n in path] + own, past, (like.block, own[0]) if like else None, path)

    def read(self, lease: Lease, ids: Sequence[int]) -> None:
        """Make the blocks findable whose tokens ``ids`` have been read."""
        at = lease.nodes[-1] if lease.nodes else self._root
        self._clock += 1
        for node in lease.nodes:  # no later than what is read after them, or they would be let go before it
            node.used = self._clock
        for n in range(len(lease.nodes), -(-len(ids) // BLOCK)):
            part = tuple(ids[n * BLOCK : (n + 1) * BLOCK])
            if part in at.children:  # another row has read the same meanwhile
                break
            node = Node(part, lease.blocks[n], at, n, 1, self._clock)
            at.children[part] = node
            insort(at.order, part)
            self._nodes.add(node)
            lease.nodes.append(node)
            at = node

    def end(self, lease: Lease) -> None:
        """Take a row's blocks back; what is findable stays until its room is needed."""
        for node in lease.nodes:
            node.users -= 1
        self._free += reversed(lease.blocks[len(lease.nodes) :])

    def _found(self, ids: Ids) -> tuple[list[Node], int, Node | None]:
        """Whole blocks that are there, how many tokens are, and the block of which a part is to be copied."""
        at, path, past = self._root, list[Node](), 0
        while len(ids) - past > BLOCK and (child := at.children.get(ids[past : past + BLOCK])):
            path.append(child)
            at, past = child, past + BLOCK
        rest = ids[past : min(past + BLOCK, len(ids) - 1)]
        place = bisect_left(at.order, rest)
        best, most = None, 0
        for near in at.order[max(place - 1, 0) : place + 1]:
            if (same := common_prefix(near, rest)) > most:
                best, most = at.children[near], same
        return path, past + most, best

    def _taken(self, n: int) -> list[int] | None:
        """Take ``n`` blocks, letting go of what was not used for longest."""
        if len(self._free) < n:
            spare = [node for node in self._nodes if not node.users]
            if len(self._free) + len(spare) < n:
                return None
            spare.sort(key=lambda node: (node.used, -node.depth))  # a child is never used later than its parent
            for node in spare[: n - len(self._free) + self.count // 16]:  # some more, so that this is rare
                self._let_go(node)
        return [self._free.pop() for _ in range(n)]

    def _let_go(self, node: Node) -> None:
        assert node.parent is not None  # only the root has none, and it is not among the nodes
        del node.parent.children[node.ids]
        node.parent.order.pop(bisect_left(node.parent.order, node.ids))
        self._nodes.remove(node)
        self._free.append(node.block)

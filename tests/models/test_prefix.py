"""Trees of prompts and tries of choices, against their definitions."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sharpen.models._prefix import Node, bundles, grow, leaves, trie

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple)


def whole(node: Node) -> tuple[int, ...]:
    return (whole(node.parent) if node.parent else ()) + node.ids


@given(st.lists(TOKENS, max_size=25), st.integers(1, 4))
def test_a_tree_holds_every_prompt_once(prompts: list[tuple[int, ...]], least: int) -> None:
    found = list(leaves(grow(prompts, least)))
    assert sorted(n.row for n in found if n.row is not None) == list(range(len(prompts)))
    for node in found:
        assert node.row is not None
        assert whole(node) == prompts[node.row]
        assert len(node.ids) >= 1
        assert node.stop == len(prompts[node.row])


@given(st.lists(TOKENS, max_size=25), st.integers(1, 4))
def test_inner_nodes_are_shared_and_long_enough(prompts: list[tuple[int, ...]], least: int) -> None:
    def check(node: Node) -> int:
        if node.row is not None:
            return 1
        assert len(node.ids) >= least
        assert node.leaves == sum(map(check, node.children)) >= 2
        return node.leaves

    assert sum(map(check, grow(prompts, least))) == len(prompts)


def test_what_all_share_is_read_once() -> None:
    shared = tuple(range(100))
    prompts = [(*shared, 7, i, i) for i in range(5)] + [(9, 9)]
    tree = grow(prompts, 16)
    assert len(tree) == 2
    assert tree[0].ids == (*shared, 7)
    assert sum(len(n.ids) for n in leaves(tree)) == 5 * 2 + 2


@given(st.lists(st.lists(st.integers(0, 2), max_size=5).map(tuple), max_size=12))
def test_a_trie_spells_its_choices(choices: list[tuple[int, ...]]) -> None:
    made = trie(tuple(choices))
    for choice, path in zip(choices, made.paths, strict=True):
        assert tuple(made.edges[e][1] for e in path) == choice
        for before, after in itertools.pairwise(path):
            node = made.edges[after][0]
            assert (made.parents[node], made.ids[node]) == made.edges[before]
    inner = {c[:k] for c in choices for k in range(1, len(c))}
    assert len(made.ids) == len(inner)  # a choice's last token is never read
    assert len(made.edges) == len({c[:k] for c in choices for k in range(1, len(c) + 1)})


@given(st.lists(st.lists(st.integers(0, 2), max_size=5).map(tuple), max_size=20), st.integers(1, 9))
def test_bundles_hold_every_choice_once(choices: list[tuple[int, ...]], most: int) -> None:
    groups = bundles(choices, most)
    assert sorted(i for g in groups for i in g) == list(range(len(choices)))
    assert all(len(g) == 1 or sum(len(choices[i]) for i in g) <= most + 5 for g in groups)

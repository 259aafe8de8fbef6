"""Trees of rows: every token sees exactly its own row, every supervised token is learned once per row."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpen.tuning import trees
from sharpen.tuning.trees import Row, common, epoch, families, grow, passes

few = st.integers(0, 2)


@st.composite
def some_rows(draw: st.DrawFn) -> list[Row]:
    made = []
    for ids in draw(st.lists(st.lists(few, min_size=2, max_size=9), min_size=1, max_size=8)):
        learned = draw(st.sets(st.integers(1, len(ids) - 1), min_size=1))
        made.append(Row(tuple(ids), tuple(sorted(learned))))
    return made


def seen(tree: trees.Tree, token: int) -> list[int]:
    """What a token attends to, by the tree's blocks and ends."""
    block = next(b for b in tree.blocks if b.start <= token < b.stop)
    keys = [*block.before, *range(block.start, block.stop)]
    return [k for k in keys if k <= token < tree.end[k]]


@given(some_rows(), st.booleans(), st.sampled_from([0, 3, 16_000]))
def test_each_token_sees_its_own_row_and_nothing_else(rows: list[Row], share: bool, cost: int) -> None:
    before = trees.SPLIT_COST
    trees.SPLIT_COST = cost
    try:
        tree = grow(rows, share)
    finally:
        trees.SPLIT_COST = before
    assert sorted(i for b in tree.blocks for i in range(b.start, b.stop)) == list(range(len(tree.ids)))
    # What is predicted, from which context, how often: the same from the tree as from the rows.
    wanted = Counter((row.ids[:t], row.ids[t]) for row in rows for t in row.learned)
    got: Counter[tuple[tuple[int, ...], int]] = Counter()
    for index, target, count in tree.edges:
        context = seen(tree, index)
        assert [tree.positions[i] for i in context] == list(range(len(context)))
        got[tuple(tree.ids[i] for i in context), target] += count
    assert got == wanted
    assert tree.learned == sum(len(r.learned) for r in rows)
    assert tree.tokens == sum(len(r.ids) for r in rows)


@given(some_rows())
def test_a_shared_beginning_is_laid_out_once(rows: list[Row]) -> None:
    read = {row.ids[: row.learned[-1]] for row in rows}
    beginnings = {ids[:n] for ids in read for n in range(1, len(ids) + 1)}
    assert len(grow(rows).ids) == len(beginnings)
    assert len(grow(rows, share=False).ids) == sum(row.learned[-1] for row in rows)


@given(st.lists(few), st.lists(few))
def test_common(a: list[int], b: list[int]) -> None:
    n = common(a, b)
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


@given(some_rows(), st.integers(1, 30), st.booleans())
def test_passes_keep_every_row_and_the_budget(rows: list[Row], budget: int, share: bool) -> None:
    made = passes(rows, budget, share)
    assert Counter(r for group in made for r in group) == Counter(rows)
    for group in made:
        assert len(group) == 1 or len(grow(group, share).ids) <= budget


@given(some_rows(), st.integers(1, 5))
def test_families_hold_every_row_once(rows: list[Row], most: int) -> None:
    groups = families(rows, most)
    assert sorted(i for g in groups for i in g) == list(range(len(rows)))
    assert all(len(g) <= most for g in groups)


def test_families_see_through_what_all_rows_share() -> None:
    shots = tuple(range(100, 150))
    rows = [Row((*shots, *[p] * 20, q, 1), (71,)) for p in range(6) for q in (7, 8, 9)]
    assert sorted(map(sorted, families(rows, 4))) == [[3 * p, 3 * p + 1, 3 * p + 2] for p in range(6)]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(1, 12), st.integers(0, 3))
def test_an_epoch_sees_every_row_once_and_tears_no_group(sizes: list[int], size: int, seed: int) -> None:
    groups, at = [], 0
    for n in sizes:
        groups.append(list(range(at, at + n)))
        at += n
    steps = epoch(groups, size, str(seed))
    assert sorted(i for s in steps for i in s) == list(range(at))
    where = {i: n for n, s in enumerate(steps) for i in s}
    assert all(len({where[i] for i in g}) == 1 for g in groups)
    assert steps == epoch(groups, size, str(seed))
    if max(sizes) == 1:
        assert all(len(s) == size for s in steps[:-1]) or len(steps) == 1 or at % size


def test_steps_are_about_as_large_as_asked_for() -> None:
    steps = epoch([list(range(5 * i, 5 * i + 5)) for i in range(40)], 16, "0")
    assert {len(s) for s in steps[:-1]} == {15}
    assert len(steps[-1]) == 20  # 200 = 12 * 15 + 20: the remnant of 5 joins the last step


def test_seeds_give_other_orders() -> None:
    groups = [[i] for i in range(20)]
    assert epoch(groups, 4, "0") != epoch(groups, 4, "1")


@pytest.mark.parametrize("share", [True, False])
def test_an_attention_call_is_split_where_rows_part_early(share: bool) -> None:
    rows = [Row((*[p] * 300, 1, 2), (301,)) for p in range(4)]
    assert len(grow(rows, share).blocks) == 4

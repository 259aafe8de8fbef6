"""Which blocks are whose: no token of another prompt is ever taken for one's own, none is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.models._openvino_blocks import Blocks, Lease
from sharpen.models._openvino_pages import BLOCK

# long runs of equal tokens, so that prompts share whole blocks, parts of blocks, and nothing
RUNS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), min_size=1, max_size=5)
STEPS = st.lists(st.tuples(RUNS, st.integers(1, 40), st.integers(0, 3)), max_size=40)


def spelt(runs: list[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(token for token, n in runs for _ in range(n))


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(4, 24))
def test_what_a_row_finds_is_its_own_beginning(steps: list[tuple[list[tuple[int, int]], int, int]], count: int) -> None:
    """Every block's tokens are kept beside it, written by the rows as a model would write them."""
    blocks = Blocks(count)
    held: dict[int, list[int | None]] = {b: [None] * BLOCK for b in range(count)}
    running: list[tuple[Lease, tuple[int, ...], int]] = []

    def end(n: int) -> None:
        lease, ids, more = running.pop(n)
        for at in range(len(ids), len(ids) + more):  # the answer
            held[lease.blocks[at // BLOCK]][at % BLOCK] = -1
        for at, token in enumerate(ids):  # nobody wrote over its prompt meanwhile
            assert held[lease.blocks[at // BLOCK]][at % BLOCK] == token
        blocks.end(lease)

    for runs, more, ends in steps:
        ids = spelt(runs)
        lease = blocks.begin(ids, len(ids) + more)
        if lease is None:
            free = count - len({b for other, _, _ in running for b in other.blocks})
            assert -(-(len(ids) + more) // BLOCK) > free  # only where there is no room, whatever is shared
        else:
            assert len(lease.blocks) == len(set(lease.blocks)) == -(-(len(ids) + more) // BLOCK)
            assert lease.past < len(ids)
            own = set(lease.blocks[lease.past // BLOCK :])
            assert not own & {b for other, _, _ in running for b in other.blocks}
            if lease.copy:
                source, target = lease.copy
                assert target == lease.blocks[lease.past // BLOCK]
                held[target] = list(held[source])
            for at in range(lease.past):
                assert held[lease.blocks[at // BLOCK]][at % BLOCK] == ids[at]
            for at in range(lease.past, len(ids)):
                held[lease.blocks[at // BLOCK]][at % BLOCK] = ids[at]
            blocks.read(lease, ids)
            running.append((lease, ids, more))
        for _ in range(min(ends, len(running))):
            end(0)
    while running:
        end(-1)
    everything = blocks.begin((9,), count * BLOCK)  # nothing was lost
    assert everything is not None
    assert sorted(everything.blocks) == list(range(count))


def test_as_much_as_possible_is_found() -> None:
    blocks = Blocks(64)
    first = tuple(range(100))
    lease = blocks.begin(first, 120)
    assert lease is not None
    assert (lease.past, lease.copy, len(lease.blocks)) == (0, None, 4)
    early = blocks.begin(first, 120)
    assert early is not None
    assert early.past == 0  # not yet read
    blocks.read(lease, first)
    for ids, past, whole in (
        (first, 99, 3),  # all but the last, whose successor has to be computed
        (first[:96], 95, 2),
        ((*first[:97], 7, 7), 97, 3),  # a part of the last block, which is not full
        ((*first[:40], 7), 40, 1),
        ((*first[:64], 7), 64, 2),
        ((*first[:5], 7), 5, 0),
        ((7,), 0, 0),
    ):
        found = blocks.begin(ids, len(ids) + 1)
        assert found is not None
        assert found.past == past
        assert found.blocks[:whole] == lease.blocks[:whole]
        assert (found.copy is not None) == (past % BLOCK > 0)
        blocks.end(found)


def test_what_was_used_last_stays_longest() -> None:
    blocks = Blocks(4)
    for token in (1, 2, 1, 3, 4):  # 1 is found again before 3 and 4 come, and 4 needs room
        lease = blocks.begin((token,) * 33, 33)
        assert lease is not None
        blocks.read(lease, (token,) * 33)
        blocks.end(lease)
    past = {}
    for token in (4, 3, 1, 2):
        lease = blocks.begin((token,) * 33, 33)
        assert lease is not None
        past[token] = lease.past
        blocks.end(lease)
    assert past == {4: 32, 3: 32, 1: 0, 2: 0}


def test_what_follows_is_let_go_before_what_it_follows() -> None:
    blocks, shared = Blocks(4), (0,) * 32
    for token in (1, 2):
        lease = blocks.begin((*shared, token), 33)
        assert lease is not None
        blocks.read(lease, (*shared, token))
        blocks.end(lease)
    large = blocks.begin((9,) * 96, 96)
    assert large is not None
    blocks.end(large)
    again = blocks.begin((*shared, 3), 33)
    assert again is not None
    assert again.past == 32

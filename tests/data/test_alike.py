"""Exact and near duplicates of many texts: hand-made cases, brute force on small sets, planted ones in larger."""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data.alike import EXACT, KEPT, NEAR, Duplicates, Rule, duplicates
from sharpen.data.alike import duplicates as door
from sharpen.data.alike.hashing import BLOCK, shingles, word_hashes
from sharpen.data.alike.signatures import bands_and_rows, estimate, signatures
from sharpen.data.leaks import shingles as true_shingles
from sharpen.data.wording import words
from sharpen.errors import UserError

VOCABULARY = [f"w{i}" for i in range(2_000)]
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=9).map(" ".join)


def jaccard(a: str, b: str) -> float:
    one, two = true_shingles(words(a)), true_shingles(words(b))
    return len(one & two) / len(one | two) if one | two else float(a.strip() == b.strip())


def clusters_by_force(texts: list[str], threshold: float) -> list[int]:
    """The first member of each text's cluster, by comparing everything with everything."""
    first = list(range(len(texts)))
    for i, j in combinations(range(len(texts)), 2):
        if (words(texts[i]) or texts[i].strip()) == (words(texts[j]) or texts[j].strip()) or (
            jaccard(texts[i], texts[j]) >= threshold - 1e-9 and words(texts[i])
        ):
            low, high = sorted((first[i], first[j]))
            first = [low if f == high else f for f in first]
    return first


def prose(draw: random.Random, size: int = 120) -> str:
    return " ".join(draw.choices(VOCABULARY, k=size))


def changed(draw: random.Random, text: str, places: int) -> str:
    """The text with so many words replaced by words that stand nowhere else."""
    tokens = text.split()
    for at in draw.sample(range(len(tokens)), places):
        tokens[at] = f"x{draw.randrange(10**9)}"
    return " ".join(tokens)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xDFF), max_size=30)))
@settings(max_examples=150, deadline=None)
def test_words_are_those_of_the_house(texts: list[str]) -> None:
    """The same number of words in each text, and equal hashes exactly where words are equal."""
    ours = word_hashes(texts)
    theirs = [words(t) for t in texts]
    assert ours.counts.tolist() == [len(t) for t in theirs]
    flat = [w for t in theirs for w in t]
    assert len(dict(zip(flat, ours.hashes.tolist(), strict=True))) == len(set(ours.hashes.tolist())) == len(set(flat))


@pytest.mark.parametrize(
    "text", ["Der Fuß ist Größe 42.", "日本語のテキスト", "ＡＢＣ abc", "naïve café…", "ภาษาไทย", "हिन्दी भाषा"]
)
def test_words_of_several_scripts(text: str) -> None:
    alone, among = word_hashes([text]), word_hashes(["é ascii", text, "plain"])
    assert alone.counts.tolist() == [len(words(text))]
    assert alone.hashes.tolist() == among.hashes[among.offsets[1] : among.offsets[2]].tolist()


def test_a_hash_depends_neither_on_the_batch_nor_on_its_width() -> None:
    plain = word_hashes(["one two three"]).hashes
    assert plain.tolist() == word_hashes(["é", "ONE, two\0three!"]).hashes[1:].tolist()
    assert plain[0] == np.uint64(word_hashes(["x" * 50 + " one"]).hashes[1])


def test_a_text_longer_than_a_block_is_one_text() -> None:
    long = "word " * (BLOCK // 4)
    made = word_hashes(["a", long, "b"])
    assert made.counts.tolist() == [1, len(long.split()), 1]
    assert len(set(made.hashes.tolist())) == 3


@given(st.lists(TEXTS, max_size=8), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_shingles_are_the_n_grams(texts: list[str], n: int) -> None:
    made = shingles(word_hashes(texts), n)
    seen: dict[tuple[str, ...], int] = {}
    for i, text in enumerate(texts):
        tokens = tuple(text.split())
        grams = [tokens[k : k + n] for k in range(max(len(tokens) - n + 1, 1))] if tokens else []
        held = made.hashes[made.offsets[i] : made.offsets[i + 1]].tolist()
        assert len(held) == len(grams)
        for gram, value in zip(grams, held, strict=True):
            assert seen.setdefault(gram, value) == value
    assert len(set(seen.values())) == len(seen)


@pytest.mark.parametrize("permutations", [64, 128])
def test_the_estimate_agrees_with_the_truth(permutations: int) -> None:
    """The mean error is near 0, and its spread that of the theory: sqrt(s(1 - s) / P)."""
    draw = random.Random(1)
    texts = [prose(draw) for _ in range(300)]
    others = [changed(draw, t, 1 + i % 20) for i, t in enumerate(texts)]
    truth = np.asarray([jaccard(a, b) for a, b in zip(texts, others, strict=True)])
    made = [signatures(shingles(word_hashes(t), 3), permutations) for t in (texts, others)]
    errors = estimate(*made) - truth
    expected = np.sqrt(truth * (1 - truth) / permutations)
    assert abs(errors.mean()) < 4 * np.sqrt(np.mean(expected**2) / len(texts))
    assert 0.8 < np.sqrt(np.mean((errors / expected) ** 2)) < 1.2


def test_a_signature_does_not_depend_on_the_batch() -> None:
    draw = random.Random(2)
    texts = [prose(draw, size) for size in (1, 5, 9000, 2, 120, 4096, 3)] + ["", prose(draw)]
    whole = signatures(shingles(word_hashes(texts), 3))
    for i, text in enumerate(texts):
        assert np.array_equal(whole[:, i], signatures(shingles(word_hashes([text]), 3))[:, 0])


def test_bands_and_rows() -> None:
    assert bands_and_rows(0.8, 64) == (16, 4)  # 1 - (1 - .8**4)**16 = .9998; 12 bands of 5 rows find .9915
    assert bands_and_rows(0.5, 128) == (42, 3) or bands_and_rows(0.5, 128)[1] < 4
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        bands, rows = bands_and_rows(threshold, 128)
        assert bands * rows <= 128
        assert 1 - (1 - threshold**rows) ** bands >= 0.999


def test_three_kinds_by_hand() -> None:
    base = "the quick brown fox jumps over the lazy dog and runs far away into the dark wood"
    texts = [base, "nothing of that", base.upper() + "!", base + " again", "  ", "\n", "?!", "?!", base]
    found = duplicates(texts, 0.8)
    assert found.twin.tolist() == [0, 1, 0, 0, 4, 4, 6, 6, 0]
    assert found.how.tolist() == [KEPT, KEPT, EXACT, NEAR, KEPT, EXACT, KEPT, EXACT, EXACT]
    assert found.similarity[3] == pytest.approx(15 / 16)
    assert found.counts == {"rows": 9, "kept": 4, "exact": 4, "near": 1}
    assert duplicates(texts, 1.0).counts == {"rows": 9, "kept": 5, "exact": 4, "near": 0}


@given(st.lists(TEXTS, max_size=14), st.sampled_from([0.5, 0.7, 0.8, 1.0]))
@settings(max_examples=60, deadline=None)
def test_the_same_as_brute_force(texts: list[str], threshold: float) -> None:
    """128 maps, so that no pair at the threshold is missed in these few; nothing is ever joined falsely."""
    found = duplicates(texts, threshold, permutations=128)
    truth = clusters_by_force(texts, threshold)
    finer = set(zip(found.twin.tolist(), truth, strict=True))
    assert len(finer) == len(set(found.twin.tolist())), "two clusters of the truth were joined"
    missed = sum(a != b for a, b in zip(found.twin.tolist(), truth, strict=True))
    assert missed == 0


def test_planted_ones_are_found_and_nothing_else() -> None:
    draw = random.Random(3)
    texts = [prose(draw) for _ in range(3_000)]
    planted = [(i, changed(draw, texts[i], 1 + i % 8)) for i in range(0, 900)]
    rows = texts + [t for _, t in planted]
    order = draw.sample(range(len(rows)), len(rows))
    found = duplicates(rows[i] for i in order)
    place = {row: at for at, row in enumerate(order)}
    near = [(n, i, jaccard(texts[i], t)) for n, (i, t) in enumerate(planted, len(texts))]
    joined = {n for n, i, _ in near if found.twin[place[n]] == found.twin[place[i]]}
    assert joined == {n for n, _, s in near if s >= 0.8 - 1e-9}
    assert found.counts["near"] == len(joined)
    assert 300 < len(joined) < 900


def test_a_similarity_is_the_true_one_and_chains_are_followed() -> None:
    draw = random.Random(4)
    a = prose(draw)
    b = changed(draw, a, 3)
    c = changed(draw, b, 3)
    d = changed(draw, c, 3)
    found = duplicates([a, b, c, d])
    assert found.twin.tolist() == [0, 0, 0, 0]
    assert found.similarity.tolist() == pytest.approx([1.0, jaccard(a, b), jaccard(a, c), jaccard(a, d)])
    assert found.similarity[3] < 0.8


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_clusters_do_not_depend_on_the_order(draw: random.Random) -> None:
    texts = [prose(draw, 30) for _ in range(40)]
    texts += [changed(draw, draw.choice(texts), 1) for _ in range(60)]
    texts += draw.choices(texts, k=20)

    def groups(order: list[int]) -> set[frozenset[int]]:
        twin = duplicates([texts[i] for i in order]).twin.tolist()
        return {frozenset(order[k] for k, t in enumerate(twin) if t == root) for root in twin}

    order = list(range(len(texts)))
    first = groups(order)
    draw.shuffle(order)
    assert groups(order) == first


def test_a_large_group_of_alike_texts_is_compared_in_a_few_steps() -> None:
    draw = random.Random(5)
    base = prose(draw)
    found = duplicates([changed(draw, base, 2) for _ in range(2_000)])
    assert found.counts["near"] == 1_999
    assert found.compared < 40_000
    assert found.uncompared == 0


def test_an_answer_does_not_depend_on_batches_and_is_taken_up_again(tmp_path: Path) -> None:
    draw = random.Random(6)
    texts = [prose(draw, 40) for _ in range(60)]
    texts += [changed(draw, t, 1) for t in texts[:30]] + ["", "word"]
    whole = duplicates(texts)
    search = Duplicates(tmp_path / "a")
    for at in range(0, 50, 7):
        search.add(texts[at : at + 7])
    # Killed while it wrote: some files are longer than what was said to be whole.
    with (tmp_path / "a" / "shingles").open("ab") as f:
        f.write(b"12345")
    with (tmp_path / "a" / "band3").open("ab") as f:
        f.write(b"12345678")
    again = Duplicates(tmp_path / "a")
    assert again.rows == 56
    again.add(texts[again.rows :])
    found = again.find()
    assert found.twin.tolist() == whole.twin.tolist()
    assert found.how.tolist() == whole.how.tolist()


def test_what_cannot_be_taken_up_is_said(tmp_path: Path) -> None:
    Duplicates(tmp_path / "a").add(["one two three"])
    with pytest.raises(UserError, match="another rule"):
        Duplicates(tmp_path / "a", Rule(0.7))
    (tmp_path / "a" / "first").write_bytes(b"")
    with pytest.raises(UserError, match="is shorter than it was"):
        Duplicates(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        Duplicates(tmp_path / "b")
    with pytest.raises(UserError, match="cannot be asked for"):
        Duplicates(tmp_path / "c", Rule(0.0))


def test_nothing_and_one(tmp_path: Path) -> None:
    assert door([]).counts == {"rows": 0, "kept": 0, "exact": 0, "near": 0}
    assert door(["x"], folder=tmp_path / "one").counts == {"rows": 1, "kept": 1, "exact": 0, "near": 0}

"""Exact and near duplicates among any number of texts, with what has to be remembered on disk.

Two texts are exact duplicates when their words are the same in the same order, and near-duplicates when their sets of
word n-grams have a Jaccard similarity of at least the threshold. Candidates come from MinHash bands and every one is
compared in truth, so nothing is joined falsely; a pair at the threshold is missed about once in 5,000 (see
:func:`~sharpen.data.alike.signatures.bands_and_rows`), a closer one less often. Clusters are chains: a text is dropped
if a chain of near-duplicates leads to an earlier one. It does not see paraphrases.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.data.alike.hashing import Places, Words, shingles, whole_hashes, word_hashes
from sharpen.data.alike.joining import Clusters, Joining, Sets
from sharpen.data.alike.signatures import band_keys, bands_and_rows, counts32, signatures
from sharpen.errors import UserError

KEPT, EXACT, NEAR = 0, 1, 2


@dataclass(frozen=True)
class Rule:
    """What counts as alike: ``n`` words a shingle, ``permutations`` a signature, texts of ``shortest`` words."""

    threshold: float = 0.8
    n: int = 3
    permutations: int = 64
    shortest: int = 1

    @property
    def bands(self) -> tuple[int, int]:
        return bands_and_rows(self.threshold, self.permutations)


@dataclass(frozen=True)
class Found:
    """What was found of each text.

    ``twin[i]`` is the first text of its cluster (i itself where it is kept), ``how[i]`` is KEPT, EXACT or NEAR, and
    ``similarity[i]`` is that to the twin, which can be below the threshold where a chain leads there. ``compared``
    pairs were compared in truth; ``uncompared`` pairs of very large groups were not.
    """

    twin: Places
    how: NDArray[np.uint8]
    similarity: NDArray[np.float32]
    compared: int = 0
    uncompared: int = 0

    @property
    def kept(self) -> NDArray[np.bool_]:
        made: NDArray[np.bool_] = self.how == KEPT
        return made

    @property
    def counts(self) -> dict[str, int]:
        exact, near = (int(np.sum(self.how == k)) for k in (EXACT, NEAR))
        return {"rows": len(self.how), "kept": len(self.how) - exact - near, "exact": exact, "near": near}


class Duplicates:
    """Takes texts batch by batch and keeps on disk what is needed to compare them; memory grows by 80 bytes a text.

    A folder that holds a begun search is taken up again: ``rows`` says how many texts are in, and the next ones follow.
    A text takes ``8 * bands + 16`` bytes on disk and 4 more a word.
    """

    def __init__(self, folder: Path, rule: Rule | None = None) -> None:
        """Begin in an empty folder, or go on in one.

        Raises:
            UserError: the folder holds a search by another rule, or something else.
        """
        self.folder = folder
        self.rule = rule or Rule()
        if not 0 < self.rule.threshold <= 1:
            raise UserError(f"a similarity of {self.rule.threshold} cannot be asked for.", do="Use one in (0, 1].")
        self.rows = self.members = 0
        folder.mkdir(parents=True, exist_ok=True)
        state = folder / "state.json"
        if state.exists():
            self._take_up(json.loads(state.read_text(encoding="utf-8")))
        elif any(folder.iterdir()) and not (folder / "first").exists():
            raise UserError("holds other files.", str(folder), "Name an empty folder.")
        self._cut()

    def _take_up(self, held: dict[str, Any]) -> None:
        if held.get("rule") != asdict(self.rule):
            raise UserError("holds a search by another rule.", str(self.folder), "Name another folder.")
        self.rows, self.members = held["rows"], held["members"]

    def _files(self) -> dict[str, int]:
        """The files and the bytes that are known to be whole."""
        bands, _ = self.rule.bands
        sizes = {"first": 8 * self.rows, "second": 8 * self.rows, "counts": 4 * self.rows, "shingles": 4 * self.members}
        return sizes | {f"band{b}": 8 * self.rows for b in range(bands)}

    def _cut(self) -> None:
        """Take away what a killed program had begun to write."""
        for name, size in self._files().items():
            path = self.folder / name
            path.touch()
            if path.stat().st_size < size:
                raise UserError("is shorter than it was.", str(path), "Begin again in an empty folder.")
            os.truncate(path, size)

    def add(self, texts: Sequence[str]) -> None:
        """Take in a batch."""
        self.add_words(word_hashes(texts), texts)

    def add_words(self, words: Words, texts: Sequence[str]) -> None:
        """Take in a batch whose words are hashed already."""
        first, second = whole_hashes(words)
        for i in np.flatnonzero(words.counts == 0).tolist():  # no words: the text itself
            drawn = hashlib.blake2b(texts[i].strip().encode("utf-8", "surrogatepass"), digest_size=16).digest()
            first[i], second[i] = np.frombuffer(drawn, np.uint64)
        grams = shingles(words, self.rule.n)
        counts = grams.counts * (words.counts >= self.rule.shortest)
        short = np.repeat(counts == 0, grams.counts)
        grams = Words(grams.hashes[~short], np.concatenate([[0], np.cumsum(counts)])) if short.any() else grams
        made = {"first": first, "second": second, "counts": counts32(grams.counts)}
        made["shingles"] = (grams.hashes >> np.uint64(32)).astype(np.uint32)
        if self.rule.threshold < 1:
            keys = band_keys(signatures(grams, self.rule.permutations), *self.rule.bands)
        else:
            keys = np.zeros((self.rule.bands[0], len(texts)), dtype=np.uint64)
        made |= {f"band{b}": row for b, row in enumerate(keys)}
        for name, values in made.items():
            with (self.folder / name).open("ab") as f:
                f.write(np.ascontiguousarray(values).tobytes())
        self.rows += len(texts)
        self.members += len(grams.hashes)
        self._say()

    def _say(self) -> None:
        """Write how far it came, in one step."""
        fresh = self.folder / "state.json.new"
        said = {"rule": asdict(self.rule), "rows": self.rows, "members": self.members}
        fresh.write_text(json.dumps(said), encoding="utf-8")
        fresh.replace(self.folder / "state.json")

    def _load(self, name: str, kind: type[np.generic]) -> NDArray[Any]:
        return np.fromfile(self.folder / name, dtype=kind)

    def find(self) -> Found:
        """Return what is alike among all texts so far."""
        first = self._exact()
        how = np.where(first == np.arange(self.rows), KEPT, EXACT).astype(np.uint8)
        similarity = np.ones(self.rows, dtype=np.float32)
        if self.rule.threshold >= 1 or not self.rows:
            return Found(first, how, similarity)
        counts = self._load("counts", np.uint32)
        sets, clusters = Sets(self.folder / "shingles", counts), Clusters(self.rows)
        joining = Joining(sets, clusters, self.rule.threshold)
        rows = np.flatnonzero((how == KEPT) & (counts > 0))
        for band in range(self.rule.bands[0]):
            joining.band(self._load(f"band{band}", np.uint64)[rows], rows)
        twin = clusters.roots(first)
        near = np.flatnonzero(clusters.roots(first) != first)
        how[near] = np.where(how[near] == EXACT, EXACT, NEAR)
        similarity[near] = sets.similarity(first[near], twin[near])
        return Found(twin, how, similarity, joining.compared, joining.uncompared)

    def _exact(self) -> Places:
        """For each text the first of the same words."""
        fresh = np.ones(self.rows, dtype=bool)
        order = np.argsort(self._load("first", np.uint64), kind="stable")
        for n, name in enumerate(("first", "second")):  # one after the other, since each is 8 bytes a text
            values = self._load(name, np.uint64)[order]
            apart = values[1:] != values[:-1]
            fresh[1:] = apart if n == 0 else fresh[1:] | apart
        begins = np.flatnonzero(fresh)
        first = np.empty(self.rows, dtype=np.int64)
        first[order] = np.repeat(order[begins], np.diff(np.concatenate([begins, [self.rows]])))
        return first


def duplicates(texts: Iterable[str], threshold: float = 0.8, folder: Path | None = None, **rule: int) -> Found:
    """Return the exact and near duplicates among texts, read once; ``folder`` is for what is remembered.

    Args:
        texts: any number of them.
        threshold: Jaccard similarity from which texts are near-duplicates; 1.0 finds those of the same words only.
        folder: an empty one; without it one is made for the time being.
        rule: further fields of :class:`Rule`.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="alike-") as made:
            return duplicates(texts, threshold, Path(made), **rule)
    search = Duplicates(folder, Rule(threshold, **rule))
    rest = iter(texts)
    while batch := list(islice(rest, 4096)):
        search.add(batch)
    return search.find()

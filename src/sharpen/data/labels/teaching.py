"""What a queue's answers teach at once: a guess for each open item, and which to ask for next.

The model is logistic regression on embeddings, or on TF-IDF (words and word pairs, turned into ``WIDTH`` numbers a row)
where no embedding model was named. It learns from what people decided and from rows whose label was known before.
Which comes next is decided in :mod:`sharpen.data.labels.active`, or by chance, for comparison. A guess that is shown
moves who decides: labels made beside one are not independent of it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.data.labels._linear import calm, coded, needs_sklearn, probabilities
from sharpen.data.labels.active import WAYS, choose
from sharpen.data.labels.queue import Decision, Queue
from sharpen.errors import UserError
from sharpen.types import digest

ORDERS = (*WAYS, "random")
LEAST = 10  # labels from which guesses are shown
LIKELY = 9  # classes that are offered with a key of their own
WIDTH = 256  # numbers a row, of TF-IDF
GUESS = "guess of"  # how the origin of a quick model's proposal begins

Embed = Callable[[Sequence[str]], NDArray[np.floating[Any]]]


def settled(decisions: Sequence[Decision]) -> dict[str, str]:
    """What most people say of each item that somebody labelled; where they are divided it teaches nothing."""
    said: dict[str, Counter[str | None]] = {}
    for d in decisions:
        if d.action != "skip":
            said.setdefault(d.item, Counter())[d.value] += 1
    tops = {item: counts.most_common(2) for item, counts in said.items()}
    return {
        item: top[0][0]
        for item, top in tops.items()
        if top[0][0] is not None and (len(top) == 1 or top[0][1] > top[1][1])
    }


def by_tfidf(texts: Sequence[str]) -> NDArray[np.float32]:
    """(texts, up to WIDTH) numbers; rows have length 1, or 0 where a text holds no word.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    needs_sklearn("guessing labels")
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        x = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=50_000).fit_transform(texts)
    except ValueError:  # no text holds a word
        return np.ones((len(texts), 1), dtype=np.float32)
    width = min(WIDTH, min(x.shape) - 1)
    if width < 1:
        return np.asarray(x.toarray(), dtype=np.float32)
    with calm(x.nnz * width):
        made = TruncatedSVD(width, random_state=0).fit_transform(x)
    return np.asarray(made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9), dtype=np.float32)


@dataclass(frozen=True)
class Learnt:
    """After a round of learning: labels it learned from, items that are open, and how many have a guess."""

    labels: int
    left: int
    guessed: int


class Teaching:
    """A queue's quick model: ``learn`` once, and again after each ``batch`` decisions (``decided`` counts them).

    ``how`` is one of ``ORDERS``, or empty: items are asked for as they were added. ``embed`` makes numbers of texts;
    what it made is kept in the queue. ``name`` says in each guess's origin what it comes from.
    """

    def __init__(self, queue: Queue, batch: int, how: str, embed: Embed | None = None, name: str = "TF-IDF") -> None:
        if how and how not in ORDERS:
            raise UserError(f"there is no order {how!r}.", "--how", f"Take one of {', '.join(ORDERS)}.")
        self.queue, self.batch, self.how, self.embed, self.name = queue, batch, how, embed, name
        self._lock, self._since, self._round = threading.Lock(), 0, 0
        self._features: tuple[list[str], NDArray[np.floating[Any]]] | None = None

    def decided(self) -> threading.Thread | None:
        """Count a decision; when a batch is full, learn beside the page, which goes on meanwhile."""
        self._since += 1
        if not self.batch or self._since < self.batch or self._lock.locked():
            return None
        self._since = 0
        made = threading.Thread(target=self._beside, daemon=True)
        made.start()
        return made

    def _beside(self) -> None:
        with suppress(UserError):  # the page goes on with the guesses that it has
            self.learn()

    def learn(self) -> Learnt:
        """Guess at every open item anew, and order them.

        Raises:
            MissingExtra: scikit-learn is not installed.
        """
        with self._lock:
            items, taught = self.queue.items(), self.queue.taught()
            decisions = self.queue.decisions()
            done, touched = settled(decisions), {d.item for d in decisions}
            texts = [i.text for i in items]
            own = {t: n for n, t in enumerate(texts)}
            texts += [t for t in taught if t not in own]
            at = {t: n for n, t in enumerate(texts)}
            labels = {at[t]: label for t, label in taught.items()}
            labels |= {at[i.text]: done[i.id] for i in items if i.id in done}
            open_ = [n for n, i in enumerate(items) if i.id not in touched]
            if not open_:
                return Learnt(len(labels), 0, 0)
            x = self._of(texts)
            guessed = self._guess(items, x, labels, open_)
            if self.how:
                self._order(items, x, labels, open_)
            return Learnt(len(labels), len(open_), guessed)

    def _of(self, texts: list[str]) -> NDArray[np.floating[Any]]:
        if self._features is None or self._features[0] != texts:
            self._features = texts, self._embedded(texts) if self.embed else by_tfidf(texts)
        return self._features[1]

    def _embedded(self, texts: list[str]) -> NDArray[np.float32]:
        """Embeddings, of which those that the queue holds are not calculated again."""
        assert self.embed is not None
        keys = [digest([self.name, t]) for t in texts]
        held = self.queue.vectors()
        fresh = [n for n, k in enumerate(keys) if k not in held]
        if fresh:
            made = np.asarray(self.embed([texts[n] for n in fresh]), dtype=np.float32)
            rows = {keys[n]: made[i].tobytes() for i, n in enumerate(fresh)}
            self.queue.keep_vectors(rows)
            held |= rows
        return np.array([np.frombuffer(held[k], dtype=np.float32) for k in keys])

    def _guess(self, items: Any, x: NDArray[Any], labels: Mapping[int, str], rows: Sequence[int]) -> int:
        """Propose the likeliest class of these items; a label that the row itself brought stays proposed."""
        known = sorted(labels)
        if len(known) < LEAST or len(set(labels.values())) < 2:
            return 0
        classes, y = coded([labels[n] for n in known])
        p = probabilities(x[known], y, x[list(rows)], len(classes))
        best = np.argsort(-p, axis=1, kind="stable")[:, :LIKELY]
        origin = f"{GUESS} {self.name}, {len(known)} labels"
        out = []
        for i, n in enumerate(rows):
            item, likely = items[n], [classes[c] for c in best[i]]
            meta = {**item.meta, "likely": likely, "sure": round(float(p[i, best[i, 0]]), 4)}
            if item.proposal is None or item.origin.startswith(GUESS):
                item = replace(item, proposal=likely[0], origin=origin)
            out.append(replace(item, meta=meta))
        self.queue.propose(out)
        return len(out)

    def _order(self, items: Any, x: NDArray[Any], labels: Mapping[int, str], rows: list[int]) -> None:
        batch, self._round = min(self.batch or len(rows), len(rows)), self._round + 1
        if self.how == "random":
            chosen = [rows[n] for n in np.random.default_rng([self._round, len(labels)]).permutation(len(rows))[:batch]]
        else:
            # Touched items without a label (refused, divided) are neither known nor asked for again.
            keep = [*rows, *sorted(labels)]
            found = choose(x[keep], {len(rows) + n: labels[k] for n, k in enumerate(sorted(labels))}, batch, self.how)
            chosen = [keep[n] for n in found]
        self.queue.order([items[n].id for n in chosen])

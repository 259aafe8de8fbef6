"""Labels by rule: small functions that name a label or abstain, and a model that weighs their votes.

A labelling function is any callable from a text to a label, or None to abstain::

    rules = [keywords("refund", "money back", "refund"), pattern("delivery", r"parcel"), Rule("mine", my_function)]
    votes = apply(rules, texts)
    summary(votes, gold)                 # coverage, overlaps, conflicts, accuracy
    labels = label_model(votes).labels

The model (after Ratner et al. 2016, "Data programming") takes the functions as independent given the class; silence
counts as an outcome, since a rule for refunds that is silent speaks against a refund. Accuracies are learned from
agreement alone, or from the rows whose label is known as well. Functions that share a keyword are not independent, and
it then is too sure. What no function covers has no label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpen.data.labels._latent import fit
from sharpen.data.labels._linear import coded
from sharpen.data.labels.consensus import Aggregate
from sharpen.data.wording import words
from sharpen.errors import PluginError, UserError

ABSTAINS = -1
TRUST = 0.7  # share of right votes that a function is taken to have until it shows otherwise
PULL = 4.0  # votes which that assumption is worth


@dataclass(frozen=True)
class Rule:
    """A function from a text to a label or None, under a name."""

    name: str
    call: Callable[[str], Hashable | None]


def keywords(label: Hashable, *terms: str, name: str = "") -> Rule:
    """Vote where a term stands as whole words, without case and punctuation."""
    wanted = [words(term) for term in terms]
    if not all(wanted):
        raise UserError("a term holds no word.", f"keywords for {label!r}", "Use a pattern for signs.")

    def call(text: str) -> Hashable | None:
        own = words(text)
        return label if any(w == own[i : i + len(w)] for w in wanted for i in range(len(own))) else None

    return Rule(name or f"keywords {label}: {', '.join(terms)}", call)


def pattern(label: Hashable, regex: str, name: str = "") -> Rule:
    """Vote where a regular expression is found, without case.

    Raises:
        UserError: it is none.
    """
    try:
        compiled = re.compile(regex, re.I)
    except re.error as e:
        raise UserError(f"{regex!r} is no regular expression: {e}.", f"pattern for {label!r}", "Mend it.") from None
    return Rule(name or f"pattern {label}: {regex}", lambda text: label if compiled.search(text) else None)


def lengths(label: Hashable, least: int = 0, most: int | None = None, name: str = "") -> Rule:
    """Vote on texts of at least ``least`` and at most ``most`` words (None: of any number)."""
    span = f"{least} to {'any number of' if most is None else most} words"
    if most is not None and most < least:
        raise UserError(f"no text has {span}.", f"lengths for {label!r}", "Let the most be the larger one.")

    def call(text: str) -> Hashable | None:
        n = len(words(text))
        return label if n >= least and (most is None or n <= most) else None

    return Rule(name or f"length {label}: {span}", call)


@dataclass(frozen=True)
class Votes:
    """What each rule says of each text: ``said`` (texts, rules) of positions in ``classes``, -1 where it abstains."""

    rules: tuple[str, ...]
    classes: tuple[Any, ...]
    said: NDArray[np.intp]


def apply(rules: Sequence[Rule], texts: Sequence[str], classes: Sequence[Hashable] | None = None) -> Votes:
    """Ask all rules of all texts; ``classes`` names what they may say, by default what they said.

    Raises:
        UserError: two rules have one name, or one names a label that is not among ``classes``.
        PluginError: a rule failed; the message names it.
    """
    names = [rule.name for rule in rules]
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        raise UserError(f"two labelling functions are called {twice!r}.", "labelling functions", "Name them apart.")
    rows: list[list[Hashable | None]] = []
    for i, text in enumerate(texts):
        row = []
        for rule in rules:
            try:
                row.append(rule.call(text))
            except Exception as e:  # anybody's function, on anybody's text
                raise PluginError(f"labelling function {rule.name!r}", f"text {i}", e) from e
        rows.append(row)
    said = {v: rule for row in rows for v, rule in zip(row, names, strict=True) if v is not None}
    known = list(classes) if classes is not None else coded(list(said))[0]
    strange = next((v for v in said if v not in known), None)
    if strange is not None:
        raise UserError(f"{said[strange]!r} says {strange!r}, which is no class.", "labelling functions", "Mend it.")
    place = {c: i for i, c in enumerate(known)}
    votes = [[ABSTAINS if v is None else place[v] for v in row] for row in rows]
    return Votes(tuple(names), tuple(known), np.array(votes, dtype=np.intp).reshape(len(texts), len(rules)))


@dataclass(frozen=True)
class Summary:
    """Of one rule: shares of all texts that it votes on, and on which others vote too, or against it.

    ``accuracy`` is the share of right votes among the ``judged`` ones, whose label is known; None without any.
    """

    rule: str
    says: tuple[Any, ...]
    coverage: float
    overlaps: float
    conflicts: float
    judged: int
    accuracy: float | None


def summary(votes: Votes, gold: Mapping[int, Hashable] | None = None) -> list[Summary]:
    """Describe each rule; ``gold`` is what is known, by the text's position."""
    said, n = votes.said, max(1, len(votes.said))
    spoke = said != ABSTAINS
    out = []
    for j, name in enumerate(votes.rules):
        own = spoke[:, j]
        others = np.delete(spoke, j, axis=1)
        against = (np.delete(said, j, axis=1) != said[:, [j]]) & others
        judged = [i for i in gold or {} if own[i]]
        right = sum(votes.classes[said[i, j]] == (gold or {})[i] for i in judged)
        out.append(
            Summary(
                name,
                tuple(votes.classes[c] for c in np.unique(said[own, j])),
                float(own.sum() / n),
                float((own & others.any(axis=1)).sum() / n),
                float((own & against.any(axis=1)).sum() / n),
                len(judged),
                right / len(judged) if judged else None,
            )
        )
    return out


def by_majority(votes: Votes) -> list[Aggregate]:
    """The label that most rules name; a tie and silence decide nothing."""
    out = []
    for row in votes.said:
        counts = np.bincount(row[row != ABSTAINS], minlength=max(1, len(votes.classes)))
        n, top = int(counts.sum()), int(counts.max())
        sure = n and (counts == top).sum() == 1
        out.append(Aggregate(votes.classes[int(counts.argmax())] if sure else None, top / n if n else 0.0, n))
    return out


@dataclass(frozen=True)
class LabelModel:
    """Labels with their probability, and what was learned: ``probability`` (texts, classes), ``prior``, accuracies.

    ``accuracy`` is each rule's estimated share of right votes, in the order of the rules.
    """

    labels: tuple[Aggregate, ...]
    probability: NDArray[np.float64]
    prior: tuple[float, ...]
    accuracy: tuple[float, ...]


def label_model(
    votes: Votes, prior: Mapping[Any, float] | None = None, gold: Mapping[int, Hashable] | None = None
) -> LabelModel:
    """Weigh the rules by what their agreement says of them.

    Args:
        votes: of :func:`apply`.
        prior: each class's share, where it is known; otherwise it is estimated.
        gold: labels that are known, by the text's position; their rows teach the model.

    Raises:
        UserError: no rule said anything, or the prior does not fit the classes.
    """
    k, (n, m) = len(votes.classes), votes.said.shape
    if k == 0 or n == 0 or m == 0:
        raise UserError("no labelling function said anything.", "label model", "Look at the summary of their coverage.")
    shares = _prior(votes.classes, prior)
    start = np.full((n, k), 0.5)
    for j in range(m):
        seen = votes.said[:, j] != ABSTAINS
        start[seen, votes.said[seen, j]] += 1.0
    start /= start.sum(axis=1, keepdims=True)
    pseudo = _pseudo(votes)
    said = np.where(votes.said == ABSTAINS, k, votes.said)
    if gold:
        # Rows whose class is known enter as a further voter who is never wrong.
        place = {c: i for i, c in enumerate(votes.classes)}
        truth = np.full((n, 1), -1, dtype=np.intp)
        for i, label in gold.items():
            truth[i, 0] = place.get(label, -1)
        said = np.hstack([said, truth])
        certain = np.full((1, k, k + 1), 1e-6)
        certain[0, np.arange(k), np.arange(k)] = 1e6
        pseudo = np.vstack([pseudo, certain])
        start = np.where(truth >= 0, np.eye(k)[np.maximum(truth[:, 0], 0)], start)
    made = fit(said, start, pseudo, shares)
    covered = (votes.said != ABSTAINS).sum(axis=1)
    known = covered + np.array([i in (gold or {}) for i in range(n)])
    best = made.posterior.argmax(axis=1)
    labels = [
        Aggregate(votes.classes[c] if known[i] else None, float(made.posterior[i, c]), int(covered[i]))
        for i, c in enumerate(best)
    ]
    right = np.einsum("c,jcc->j", made.prior, made.confusion[:m, :, :k])
    spoke = np.einsum("c,jco->j", made.prior, made.confusion[:m, :, :k])
    return LabelModel(tuple(labels), made.posterior, tuple(map(float, made.prior)), tuple(map(float, right / spoke)))


def _prior(classes: Sequence[Any], prior: Mapping[Any, float] | None) -> NDArray[np.float64] | None:
    if prior is None:
        return None
    shares = np.array([prior.get(c, 0.0) for c in classes], dtype=np.float64)
    if not (shares > 0).all() or set(prior) - set(classes):
        raise UserError("the prior has other classes than the votes, or one of 0.", "label model", "Give each a share.")
    return np.asarray(shares / shares.sum())


def _pseudo(votes: Votes) -> NDArray[np.float64]:
    """(rules, classes, outcomes): before it has shown anything, a rule votes as often as it does, and TRUST are right.

    Only among what it ever says: a rule for one class says that one, or nothing.
    """
    k, m = len(votes.classes), votes.said.shape[1]
    out = np.full((m, k, k + 1), 1e-3)
    for j in range(m):
        own = votes.said[:, j]
        spoke = own != ABSTAINS
        cover = min(max(float(spoke.mean()), 0.01), 0.99)
        says = np.unique(own[spoke])
        for c in range(k):
            share = np.zeros(k)
            if c in says:
                share[says] = (1 - TRUST) / max(1, len(says) - 1)
                share[c] = TRUST if len(says) > 1 else 1.0
                rate = cover if len(says) > 1 else min(0.9, cover * TRUST * k)
            else:
                share[says] = 1 / max(1, len(says))
                rate = cover * (1 - TRUST)
            out[j, c, :k] += PULL * rate * share
            out[j, c, k] += PULL * (1 - rate)
    return out

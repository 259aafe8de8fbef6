"""A classifier of good texts: curated ones as positives, the candidates themselves as negatives, a score per text.

``good`` are texts or the path of a file: one a line, or ``.jsonl`` with a field ``text``. ``bad``, likewise, are texts
that it tells them from instead of the candidates.

Hashed words and pairs of words with logistic regression, as GPT-3's filter (Brown et al. 2020, appendix A).
The score is the probability of being like the curated ones; texts below ``least`` are dropped. Candidates are read once
and a sample of them is learned from; a score is meant to be compared with others of the same run. It prefers what the
curated texts are about, not only how well they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sharpen.data.cleaners._sampled import sampled
from sharpen.data.cleaning import Outcome, TextCleaner
from sharpen.data.curated import texts_of
from sharpen.errors import UserError

NEEDS = {"sklearn": "floors"}
TEXTS = ("good", "bad")
SAMPLE = 20_000


def classifier(
    good: Sequence[str] | str = (), least: float = 0.5, seed: int = 0, bad: Sequence[str] | str = ()
) -> TextCleaner:
    """Return the cleaner.

    Args:
        good: curated texts, or the path of a file of them; at least 10.
        least: score below which a text is dropped; 0 keeps all and only gives scores.
        seed: of the sample of candidates.
        bad: texts that are not wanted, or the path of a file of them; without it the candidates.
    """
    curated, unwanted = texts_of(good), texts_of(bad)
    if len(curated) < 10:
        do = "Give at least 10 texts as good, from the domain and as you want them: a list, or good='FILE'."
        raise UserError(f"{len(curated)} good texts are too few to learn from.", "cleaner classifier", do)

    def learned(texts: Iterable[str]) -> TextCleaner:
        score = _fitted(curated, unwanted or sampled(texts, seed, SAMPLE))

        def scored(batch: Sequence[str]) -> list[Outcome]:
            return [_one(t, s, least) for t, s in zip(batch, score(batch), strict=True)]

        return TextCleaner(("unlike_the_good",), scored)

    return TextCleaner(("unlike_the_good",), lambda batch: [Outcome(t) for t in batch], learned)


def _one(text: str, score: float, least: float) -> Outcome:
    if score < least:
        reason = f"its score is {score:.2f}, and {least:.2f} is asked for"
        return Outcome(None, ("unlike_the_good",), reason, score)
    return Outcome(text, score=score)


def _fitted(good: Sequence[str], others: Sequence[str]) -> Any:
    """A function from texts to the probability of being good."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression

    features = HashingVectorizer(n_features=1 << 18, ngram_range=(1, 2), alternate_sign=False, norm="l2")
    curated = set(good)
    bad = [t for t in others if t not in curated]
    if not bad:
        return lambda batch: [1.0 for _ in batch]
    model = LogisticRegression(class_weight="balanced", C=10.0, max_iter=200)
    model.fit(features.transform([*good, *bad]), [1] * len(good) + [0] * len(bad))
    return lambda batch: (
        [round(float(p), 4) for p in model.predict_proba(features.transform(batch))[:, 1]] if batch else []
    )

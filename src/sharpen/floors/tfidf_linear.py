"""TF-IDF of words and word pairs with logistic regression; C is chosen on dev. Of up to 2,000 classes."""

from __future__ import annotations

from collections.abc import Sequence

from sharpen.floors import Floor, Predict
from sharpen.techniques import Bench
from sharpen.types import Answer, Example

NEEDS = {"sklearn": "floors"}
WEIGHTS = 4_000_000  # of the regression: scipy's L-BFGS-B holds 25 numbers for each, 0.8 GB
CLASSES = 2000  # beyond which no regression is fitted


def tfidf_linear() -> Floor:
    """Return the floor."""

    def fit(bench: Bench) -> Predict | None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        known = [e for e in bench.train if e.targets]
        classes = len({e.targets[0] for e in known})
        if not 2 <= classes <= CLASSES:
            return None
        # A weight a class and feature: of many classes the frequent features only, or memory would run out.
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=WEIGHTS // classes)
        try:
            x = vectorizer.fit_transform([e.question for e in known])
        except ValueError:  # no question holds a word
            return None
        return linear(x, known, bench, lambda texts: vectorizer.transform(texts))

    return fit


def linear(x, known, bench, features) -> Predict:  # type: ignore[no-untyped-def]
    """Fit logistic regression on ``x`` with the C that is best on dev."""
    from sklearn.linear_model import LogisticRegression

    y = [e.targets[0] for e in known]
    dev = [e for e in bench.dev if e.targets]
    dev_x, dev_y = (features([e.question for e in dev]), [e.targets[0] for e in dev]) if dev else (None, [])
    best, best_score = None, -1.0
    for c in (1.0, 10.0, 100.0):
        model = LogisticRegression(C=c, max_iter=1000).fit(x, y)
        score = float(model.score(dev_x, dev_y)) if dev else 0.0
        if score > best_score:
            best, best_score = model, score

    def predict(examples: Sequence[Example]) -> list[Answer]:
        assert best is not None
        labels = best.predict(features([e.question for e in examples])) if examples else []
        return [Answer(str(label), str(label)) for label in labels]

    return predict

"""What each augmentation does to a classifier: ``python benchmarks/augmentation.py --work DIR``.

banking77 with 10 examples an intent, frozen MiniLM embeddings and a logistic regression whose strength is chosen on
dev. For each operator the same classifier is fitted on train with one variant more of each example, over several seeds
of the operator; the difference on dev to the classifier without it, question by question, has a 95% interval over
questions. Operators whose interval lies above 0 are tested once; where there is none the test stays closed. Operators
that write with a model are listed as not measured: none that can be had here writes well enough to be judged by it.
Written to ``results/augmentation.json``. Minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from study import prepare

from sharpen import config, parts
from sharpen.data import dataset, examples
from sharpen.data.augmenting import Limits, Material, augment, open_augmentation
from sharpen.models.embedder import open_embedder
from sharpen.study.environment import code_hash, machine, packages
from sharpen.types import Example

HERE = Path(__file__).parent
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
WRITERS = ("paraphrase", "back_translation", "synthetic_qa")
Vectors = NDArray[np.float32]
Rows = tuple[Example, ...]


class Embeddings:
    """Embeds each text once."""

    def __init__(self, embed: Callable[[Sequence[str]], Vectors]) -> None:
        self.embed = embed
        self.known: dict[str, Vectors] = {}

    def __call__(self, texts: Sequence[str]) -> Vectors:
        new = list(dict.fromkeys(t for t in texts if t not in self.known))
        if new:
            self.known.update(zip(new, self.embed(new), strict=True))
        return np.stack([self.known[t] for t in texts])


def fitted(x: Vectors, y: Sequence[str], strength: float) -> Any:
    """A logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=1000).fit(x, y)


def right(train: Sequence[Example], judged: Sequence[Example], embed: Embeddings, strength: float) -> NDArray[Any]:
    """Whether each judged question gets its label, as 0 and 1."""
    head = fitted(embed([e.question for e in train]), [e.labels[0] for e in train], strength)
    said = head.predict(embed([e.question for e in judged]))
    return np.array([a == e.labels[0] for a, e in zip(said, judged, strict=True)], float)


def rows(file: Path) -> tuple[Example, ...]:
    """Labelled examples of a converted file."""
    drafts = [d.example for d in examples.read_examples(file, file.name).drafts]
    return tuple(dataset.example_from(dataset.example_row(e)) for e in drafts)


def best_strength(train: Sequence[Example], dev: Sequence[Example], embed: Embeddings) -> float:
    """The strength that is best on dev; the smaller one where two are."""
    return max(STRENGTHS, key=lambda c: (right(train, dev, embed, c).mean(), -c))


class Plain:
    """The classifier without any variant: what it gets right on dev, and what it says of texts."""

    def __init__(self, train: Rows, dev: Rows, embed: Embeddings) -> None:
        strength = best_strength(train, dev, embed)
        self.right = right(train, dev, embed, strength)
        self.head = fitted(embed([e.question for e in train]), [e.labels[0] for e in train], strength)
        self.embed = embed

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The labels of texts."""
        return [str(label) for label in self.head.predict(self.embed(texts))] if texts else []


def measured(name: str, train: Rows, dev: Rows, embed: Embeddings, plain: Plain, seeds: int) -> Any:
    """One operator against none, on dev."""
    total, counts, refused = np.zeros(len(dev)), [], dict[str, int]()
    for seed in range(seeds):
        made = augment(name, open_augmentation(name), Material(train, n=1, seed=seed, predict=plain.predict), Limits())
        more = (*train, *made.examples)
        total += right(more, dev, embed, best_strength(more, dev, embed)) - plain.right
        counts.append(len(made.examples))
        for why, n in made.refused.items():
            refused[why] = refused.get(why, 0) + n
    each = total / seeds
    gain, error = float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))
    return {
        "operator": name,
        "variants": counts,
        "refused": refused,
        "plain": round(float(plain.right.mean()), 4),
        "gain": round(gain, 4),
        "low": round(gain - 1.96 * error, 4),
        "high": round(gain + 1.96 * error, 4),
        "n_dev": len(dev),
    }


def tested(name: str, train: Rows, dev: Rows, test: Rows, embed: Embeddings) -> Any:
    """An operator that was kept, once on the test, with the first seed."""
    made = augment(name, open_augmentation(name), Material(train, n=1), Limits())
    more = (*train, *made.examples)
    plain = right(train, test, embed, best_strength(train, dev, embed))
    each = right(more, test, embed, best_strength(more, dev, embed)) - plain
    error = float(each.std(ddof=1) / np.sqrt(len(each)))
    gain = float(each.mean())
    low, high = round(gain - 1.96 * error, 4), round(gain + 1.96 * error, 4)
    return {"operator": name, "gain": round(gain, 4), "low": low, "high": high, "n_test": len(test)}


def main() -> None:
    """Measure, test what is kept, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the converted set")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each operator")
    args = parser.parse_args()
    began = time.monotonic()
    file = prepare("banking77", args.work.resolve() / "banking77")
    train, dev, test = (rows(file.parent / f"{name}.jsonl") for name in ("train", "dev", "test"))
    embed = Embeddings(open_embedder(config.load(file).embeddings).embed)
    plain, found = Plain(train, dev, embed), []
    for name in sorted(n for n, p in parts.all_parts("augmentation").items() if p.origin == "sharpen"):
        if name in WRITERS or name == "facts":
            continue
        found.append(measured(name, train, dev, embed, plain, args.seeds))
        print(json.dumps(found[-1]), flush=True)
    kept = [row["operator"] for row in found if row["low"] > 0]
    result = {
        "set": "banking77",
        "n_train": len(train),
        "seeds": args.seeds,
        "on_dev": found,
        "kept": kept,
        "on_test": [tested(name, train, dev, test, embed) for name in kept if name not in ("adversarial", "adaptive")],
        "not_measured": {**dict.fromkeys(WRITERS, "writes with a model"), "facts": "needs documents with facts"},
        "minutes": round((time.monotonic() - began) / 60, 1),
        "machine": machine(),
        "packages": packages(),
        "code": code_hash(),
    }
    (HERE / "results" / "augmentation.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"kept: {', '.join(kept) or 'none'}; the test was {'opened for these' if kept else 'not opened'}.")


if __name__ == "__main__":
    main()

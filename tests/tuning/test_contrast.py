"""Training of an embedding model: its loss by hand, what it learns, kills, and what is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bert import write_bert

from sharpen.models import open_embedder
from sharpen.tuning.pairs import Pair, PairOptions, batches

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
HERE = Path(__file__).parent
WORDS = ["fox", "dog", "capital", "France", "quick", "brown", "lazy", "jumps", "over", "the", "What", "of"]
OPTIONS = PairOptions(epochs=6, batch=4, learning_rate=3e-3, tokens=24, checkpoint_steps=4)


def pairs() -> list[Pair]:
    """Questions and passages that share no word, each word of one with a word of the other."""
    made = []
    for n, word in enumerate(WORDS[:8]):
        right, wrong = f"{WORDS[(n + 3) % 8]} {WORDS[(n + 3) % 8]}", f"{WORDS[(n + 5) % 8]} of"
        made.append(Pair(f"{word} {word}", right, (wrong, "never read"), f"k{n}"))
    return made


def ranks(folder: Path) -> float:
    """The share of questions whose own passage is nearest."""
    model = open_embedder(str(folder))
    asked = model.embed([p.query for p in pairs()], query=True)
    given = model.embed([p.passage for p in pairs()])
    return float(((asked @ given.T).argmax(1) == np.arange(len(given))).mean())


def test_the_loss_by_hand(tmp_path: Path) -> None:
    from sharpen.tuning.contrast import _loss

    folder = write_bert(tmp_path)
    encoder = open_embedder(str(folder), train=True)
    encoder.module.eval()
    some = [*pairs()[:2], Pair("lazy", "brown brown", ("of",), "k0")]  # another passage of the first one's name
    found = float(_loss(encoder, some, OPTIONS).detach())
    model = open_embedder(str(folder))
    texts = list(dict.fromkeys([*(p.passage for p in some), *(p.wrong[0] for p in some)]))
    scores = 20 * model.embed([p.query for p in some], query=True) @ model.embed(texts).T
    hidden = [(0, texts.index("brown brown")), (2, texts.index(some[0].passage))]
    for row, column in hidden:
        scores[row, column] = -np.inf
    right = [texts.index(p.passage) for p in some]
    expected = np.mean([np.log(np.exp(s).sum()) - s[i] for s, i in zip(scores, right, strict=True)])
    assert found == pytest.approx(expected, abs=1e-4)


def test_no_two_of_one_passage_in_a_batch_and_all_once_an_epoch() -> None:
    some = [Pair(f"q{n}", f"p{n % 3}", key=f"k{n % 3}") for n in range(12)]
    made = batches(some, replace(OPTIONS, epochs=2.5, batch=8))
    assert all(len({some[i].key for i in b}) == len(b) <= 8 for b in made)
    assert sorted(i for b in made[:4] for i in b) == list(range(12))
    assert sum(map(len, made)) >= 28
    assert made == batches(some, replace(OPTIONS, epochs=2.5, batch=8))
    assert made != batches(some, replace(OPTIONS, epochs=2.5, batch=8, seed=1))


def test_it_learns_and_what_it_writes_is_a_model(tmp_path: Path) -> None:
    from sharpen.tuning.contrast import contrast

    folder = write_bert(tmp_path / "base", prompts={"query": "What "}, spread=0.05)
    before = ranks(folder)
    options = replace(OPTIONS, epochs=40, learning_rate=2e-3)
    made, facts = contrast(open_embedder(str(folder), train=True), pairs(), options, tmp_path / "work")
    assert before < 0.6 < 0.9 < ranks(made)
    assert facts["loss"][1] < facts["loss"][0] / 2
    assert facts["steps"] == 80
    assert open_embedder(str(made)).prompts == {"query": "What "}
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == ["tuned", "tuned.json"], "no checkpoint is left"
    again = contrast(open_embedder(str(folder), train=True), pairs(), options, tmp_path / "work", pytest.fail)
    assert again == (made, facts), "what is there is not trained anew"
    package = pytest.importorskip("sentence_transformers")
    theirs = package.SentenceTransformer(str(made), device="cpu").encode(["the fox"], normalize_embeddings=True)
    np.testing.assert_allclose(open_embedder(str(made)).embed(["the fox"]), theirs, atol=2e-6)


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_contrast import OPTIONS, pairs
from sharpen.models import open_embedder
from sharpen.tuning.contrast import contrast
def tell(stage, done, total):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
contrast(open_embedder(sys.argv[1], train=True), pairs(), OPTIONS, Path(sys.argv[2]), tell)
"""


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    from sharpen.tuning.contrast import contrast

    folder = write_bert(tmp_path / "base", spread=0.05)

    def train(work: str, at: int = 0) -> None:
        def tell(stage: str, done: float, total: float | None) -> None:
            if done == at:
                raise KeyboardInterrupt

        contrast(open_embedder(str(folder), train=True), pairs(), OPTIONS, tmp_path / work, tell)

    train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("stopped", 6)
    assert [p.name for p in (tmp_path / "stopped").iterdir()] == ["checkpoint-4"]
    train("stopped")
    one, other = (load_file(tmp_path / work / "tuned" / "model.safetensors") for work in ("whole", "stopped"))
    assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.full
def test_a_training_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    folder = write_bert(tmp_path / "base")
    code = KILLED.format(paths=[str(HERE), str(HERE.parent / "models")])

    def train(work: str, at: int) -> int:
        words = [sys.executable, "-c", code, str(folder), str(tmp_path / work), str(at)]
        return subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False).returncode

    assert train("whole", 0) == 0
    assert train("killed", 6) == -9
    assert [p.name for p in (tmp_path / "killed").iterdir()] == ["checkpoint-4"]
    facts = json.loads((tmp_path / "killed" / "checkpoint-4" / "state.json").read_text())
    assert len(facts["curve"]) == 4
    assert train("killed", 0) == 0
    one, other = (load_file(tmp_path / work / "tuned" / "model.safetensors") for work in ("whole", "killed"))
    assert all((one[name] == other[name]).all() for name in one)


def test_a_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    from sharpen.errors import UserError
    from sharpen.tuning.contrast import contrast

    folder = write_bert(tmp_path / "base")
    seen: list[Any] = []

    def stop(stage: str, done: float, total: float | None) -> None:
        seen.append(done)
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        contrast(open_embedder(str(folder), train=True), pairs(), OPTIONS, tmp_path / "work", stop)
    with pytest.raises(UserError, match="other rows, options or weights"):
        contrast(open_embedder(str(folder), train=True), pairs()[1:], OPTIONS, tmp_path / "work")

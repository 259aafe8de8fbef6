"""The OpenVINO engine with the real default model beside fp32 transformers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sharpen.types import Answer, Completion, Decoding, Example, Generate, Message, Rank

pytest.importorskip("torch")
pytest.importorskip("openvino_genai")

from sharpen.models import open_model
from sharpen.models._agreement import agrees

pytestmark = pytest.mark.full
QUESTIONS = 120


@pytest.fixture(scope="module")
def fast(smol: Any) -> Any:
    return open_model(smol.ref, engine="openvino")


@pytest.fixture(scope="module")
def asked(data: Callable[[str], Path]) -> tuple[list[Example], list[Generate]]:
    """Questions spread over all of xquad_en, each with its passage."""
    articles = json.loads((data("xquad_en") / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    rows = [(p["context"], q) for a in articles for p in a["paragraphs"] for q in p["qas"]]
    rows = rows[:: len(rows) // QUESTIONS][:QUESTIONS]
    examples, requests = [], []
    for context, row in rows:
        messages = (
            Message("system", "Answer the question from the passage in a few words."),
            Message("user", f"{context}\n\nQuestion: {row['question']}"),
        )
        examples.append(Example(row["id"], messages, tuple(a["text"] for a in row["answers"])))
        requests.append(Generate("", (), messages, Decoding(max_new_tokens=32)))
    return examples, requests


def answers(model: Any, requests: list[Generate]) -> list[Completion]:
    found = dict(model.generate(requests))
    return [found[i] for i in range(len(requests))]


def test_its_answers_and_their_scores_are_those_of_fp32(smol: Any, fast: Any, asked: Any) -> None:
    from sharpen.metrics.contains import contains
    from sharpen.metrics.exact_match import exact_match
    from sharpen.metrics.token_f1 import token_f1

    examples, requests = asked
    theirs, ours = answers(smol, requests), answers(fast, requests)
    equal = sum(a.tokens == b.tokens for a, b in zip(ours, theirs, strict=True)) / len(requests)
    assert equal >= 0.95
    for metric in (exact_match(), token_f1(), contains()):
        means = []
        for side in (ours, theirs):
            scores = metric.score(examples, [Answer(c.text, c.text) for c in side])
            means.append(metric.aggregate(scores))
        assert abs(means[0] - means[1]) <= 0.01, metric.name


def test_answers_hardly_depend_on_the_batch(smol: Any, asked: Any) -> None:
    """Two cold engines, the second asked in another order and in small groups."""
    requests = asked[1]
    first = answers(open_model(smol.ref, engine="openvino"), requests)
    order = random.Random(1).sample(range(len(requests)), len(requests))
    other = open_model(smol.ref, engine="openvino")
    again: dict[int, Completion] = {}
    for at in range(0, len(order), 7):
        rows = order[at : at + 7]
        for k, c in other.generate([requests[i] for i in rows]):
            again[rows[k]] = c
    changed = sum(first[i].tokens != again[i].tokens for i in order) / len(order)
    assert changed <= 0.03


def test_likelihoods_are_those_of_a_plain_pass_in_fp32(smol: Any, fast: Any, asked: Any) -> None:
    """This engine has them computed by the other one: what is shown is that they are the model's."""
    import torch

    from sharpen.models.transformers import load_module

    plain = load_module(smol.local)[0]
    examples, requests = asked
    ranks = [
        Rank("", (), r.messages, (e.targets[0], "I do not know."))
        for e, r in zip(examples[:10], requests[:10], strict=True)
    ]
    for i, found in fast.score(ranks):
        prompt = smol.render(ranks[i].messages).ids
        for choice, ours in zip(ranks[i].choices, found.logprobs, strict=True):
            reply = smol.chat.reply(choice)
            with torch.inference_mode():
                logits = plain(torch.tensor([[*prompt, *reply]])).logits[0].double().log_softmax(-1)
            assert ours == pytest.approx(
                sum(float(logits[len(prompt) - 1 + k, t]) for k, t in enumerate(reply)), abs=0.05
            )


def test_it_is_chosen_by_itself(smol: Any, fast: Any, cache: Path) -> None:
    assert agrees(fast, smol).enough

"""A tiny random llama and rows that share beginnings."""

from __future__ import annotations

import random
from typing import Any

import pytest

from sharpen.types import Rendered

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

VOCABULARY = 61


def tiny(**changes: Any) -> Any:
    """A llama with 2 layers and grouped heads, the same for every call."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        **changes,
    }
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**config)).eval()


def passages(seed: int = 0, groups: int = 4, each: int = 3) -> list[Rendered]:
    """Rows as retrieval makes them: one instruction, a passage for each group, a question and an answer for each row.

    Two rows of a group ask the same and are answered differently; one is given twice.
    """
    draw = random.Random(seed)

    def some(least: int, most: int) -> list[int]:
        return [draw.randrange(3, VOCABULARY) for _ in range(draw.randint(least, most))]

    instruction = some(5, 5)
    made = []
    for _ in range(groups):
        passage = some(12, 20)
        question = some(4, 6)
        for n in range(each):
            asked = question if n < 2 else some(3, 6)
            answer = some(1, 4)
            ids = (*instruction, *passage, *asked, *answer, 2)
            start = len(ids) - len(answer) - 1
            made.append(Rendered("", ids, tuple(i >= start for i in range(len(ids)))))
    return [*made, made[0]]

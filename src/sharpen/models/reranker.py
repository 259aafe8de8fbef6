"""Rerankers by sequence classification folders, on PyTorch: how well a passage answers a question, read together.

A model with one output gives that, one with two the second less the first. A passage is read under its title and
section, as it is searched. A score does not depend on what else is in its batch, up to the last digits of fp32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sharpen import parts
from sharpen.models._fetch import pull
from sharpen.models._local import Local, expect_reranker, reading
from sharpen.models._quiet import quiet, switch_off
from sharpen.types import Passage

NEEDS = {"torch": "local", "transformers": "local"}
TOKENS = 8192  # padded tokens in a batch
SMALLEST = 16  # pairs; shorter batches gain nothing from ever smaller differences of length


class Reranker:
    """``judge(pairs)``; see the module's page."""

    def __init__(self, local: Local, device: str = "auto") -> None:
        switch_off()
        import torch
        import transformers

        self.ref = local.ref
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        with quiet(), reading(local.ref, local.folder, "transformers cannot open", "Fetch it again."):
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(local.folder, **options)
            opened: Any = transformers.AutoModelForSequenceClassification.from_pretrained(
                local.folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **options
            )
            self.module, info = opened
            outputs = int(self.module.config.num_labels)
            if info["missing_keys"]:  # transformers draws them at random, and only warns
                raise ValueError(f"it lacks weights, first {min(info['missing_keys'])}")
            if outputs > 2:
                raise ValueError(f"it tells {outputs} classes apart; a reranker has one output, or two")
        self.module.eval().requires_grad_(False).to(self.device)
        places = int(getattr(self.module.config, "max_position_embeddings", 512) or 512)
        self.limit = min(places, int(self.tokenizer.model_max_length))
        self.identity = (
            f"{local.digest} transformers-{transformers.__version__} torch-{torch.__version__} {self.device}"
        )

    def judge(self, pairs: Sequence[tuple[str, Sequence[Passage]]]) -> list[tuple[float, ...]]:
        """Say of each question how well each of its passages answers it; more is better.

        Pairs over the model's length are cut at the longer side's end, as the model was trained.
        """
        asked = [(query, passage.headed) for query, passages in pairs for passage in passages]
        distinct = list(dict.fromkeys(asked))
        scores = dict(zip(distinct, self._scores(distinct), strict=True)) if distinct else {}
        return [tuple(scores[query, p.headed] for p in passages) for query, passages in pairs]

    def _scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        import torch

        read = self.tokenizer(
            [q for q, _ in pairs], [p for _, p in pairs], truncation="longest_first", max_length=self.limit
        )
        lengths = [len(ids) for ids in read["input_ids"]]
        scores = [0.0] * len(pairs)
        for batch in batches(lengths):
            held = [{name: read[name][i] for name in read} for i in batch]
            feed = self.tokenizer.pad(held, return_tensors="pt").to(self.device)
            with torch.inference_mode():
                logits = self.module(**feed).logits.float()
            found = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
            for i, score in zip(batch, found.tolist(), strict=True):
                scores[i] = score
        return scores


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Pairs of similar length together, the longest first: within a budget of padded tokens, little of it padding."""
    made: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        widest = lengths[made[-1][0]] if made else 0
        full = not made or (len(made[-1]) + 1) * widest > TOKENS
        if full or (len(made[-1]) >= SMALLEST and lengths[i] < 0.8 * widest):
            made.append([])
        made[-1].append(i)
    return made


def open_reranker(ref: str, device: str = "auto") -> Any:
    """Open a reranker by its reference, fetching it first when it is not here; ``fake:`` counts common words.

    Raises:
        UserError: it is not a reranker, or cannot be had.
    """
    if ref.startswith("fake:"):
        return parts.factory("model", "fake")(ref)
    return parts.factory("model", "reranker")(pull(ref), device)


def reranker(local: Local, device: str = "auto") -> Reranker:
    """Open a sequence classification model that was fetched with ``pull``.

    Raises:
        UserError: the model is not one.
    """
    expect_reranker(local)
    return Reranker(local, device)

"""Training of an embedding model: questions near their passages, far from all others of the batch.

The loss is cross-entropy over a batch's passages by cosine similarity (Henderson et al. 2017, "Efficient natural
language response suggestion for Smart Reply"; sentence-transformers calls it MultipleNegativesRankingLoss), with
passages that are like the right one and wrong among them (hard negatives). All weights are trained. Order, learning
rate and dropout follow from the seed and the step, so a training that was killed goes on from its checkpoint.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.nn.functional import cross_entropy

from sharpen.store import write_text
from sharpen.tuning.pairs import Pair, PairOptions, batches
from sharpen.tuning.state import Checkpoints, put_folder, writing
from sharpen.types import Progress, digest, silent

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Encoder(Protocol):
    """What is trained: a module, and how texts become unit vectors with gradients."""

    module: Any
    identity: str

    def forward(self, texts: Sequence[str], query: bool = False, most: int | None = None) -> torch.Tensor:
        """Unit vectors ``[len(texts), dimensions]``; of each text at most so many tokens."""
        ...

    def write(self, folder: Path) -> None:
        """Write the model as it is now, in the format that it was read from."""
        ...


def contrast(
    encoder: Encoder, pairs: Sequence[Pair], options: PairOptions, work: Path, progress: Progress = silent
) -> tuple[Path, dict[str, Any]]:
    """Train, and return the folder of what came of it and facts for a report.

    Args:
        encoder: opened to be trained.
        pairs: what is learned.
        options: how.
        work: holds checkpoints and the result; the same call after a kill goes on from there.
        progress: hears of steps.

    Raises:
        UserError: the disk is full, or ``work`` holds something else.
        FloatingPointError: the loss is no longer a number.
    """
    marks = Checkpoints(work, digest([encoder.identity, asdict(options), [asdict(p) for p in pairs]]))
    done, told = work / "tuned", work / "tuned.json"
    if done.is_dir() and told.is_file():
        facts: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
        marks.check(facts, done)
        return done, {k: v for k, v in facts.items() if k != "fingerprint"}
    plan = batches(pairs, options)
    names, weights = zip(*encoder.module.named_parameters(), strict=True)
    # Moving averages and norms' shifts are as they were: only matrices decay, as is usual.
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=options.learning_rate)
    curve, began = _resumed(marks, encoder.module, optimizer), time.monotonic()
    encoder.module.train()
    for step in range(len(curve), len(plan)):
        torch.manual_seed(options.seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * _rate(step, len(plan), options.warmup)
        loss = _loss(encoder, [pairs[i] for i in plan[step]], options)
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"the loss is no longer a number after step {step}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        curve.append(round(float(loss.detach()), 5))
        progress("train the retriever", step + 1, len(plan))
        if options.checkpoint_steps and (step + 1) % options.checkpoint_steps == 0 and step + 1 < len(plan):
            marks.write(step + 1, _state(names, weights, optimizer), {"curve": curve})
    encoder.module.eval()
    tenth = max(1, len(curve) // 10)
    ends = [round(sum(part) / len(part), 4) for part in (curve[:tenth], curve[-tenth:]) if part]
    facts = {"steps": len(plan), "pairs": len(pairs), "loss": ends, "seconds": round(time.monotonic() - began, 1)}
    put_folder(done, encoder.write, "the trained retriever")
    with writing("what is said of the trained retriever", work):
        write_text(told, json.dumps({**facts, "fingerprint": marks.fingerprint}))
    marks.clear()
    return done, facts


def _loss(encoder: Encoder, batch: Sequence[Pair], options: PairOptions) -> torch.Tensor:
    wrong = [w for p in batch for w in p.wrong[: options.negatives]]
    texts = list(dict.fromkeys([*(p.passage for p in batch), *wrong]))
    at = {text: i for i, text in enumerate(texts)}
    asked = encoder.forward([p.query for p in batch], query=True, most=options.tokens)
    scores = options.scale * asked @ encoder.forward(texts, most=options.tokens).T
    keys = {p.passage: p.key or p.passage for p in batch}
    for row, pair in enumerate(batch):  # a passage that answers the question, too, is no wrong one
        for text, key in keys.items():
            if key == (pair.key or pair.passage) and text != pair.passage:
                scores[row, at[text]] = float("-inf")
    return cross_entropy(scores, torch.tensor([at[p.passage] for p in batch], device=scores.device))


def _rate(step: int, steps: int, warmup: float) -> float:
    """A rise over the first share of steps, then a straight fall to 0."""
    rise = max(1, round(warmup * steps))
    return (step + 1) / rise if step < rise else max(0.0, (steps - step) / max(1, steps - rise))


def _state(names: Sequence[str], weights: Sequence[torch.Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    made = {f"weight {n}": w for n, w in zip(names, weights, strict=True)}
    for n, w in zip(names, weights, strict=True):
        made |= {f"{what} {n}": optimizer.state[w][what] for what in MOMENTS if what in optimizer.state.get(w, {})}
    return made


def _resumed(marks: Checkpoints, module: Any, optimizer: torch.optim.Optimizer) -> list[float]:
    found = marks.latest()
    if found is None:
        return []
    tensors, facts = found
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.copy_(tensors[f"weight {name}"])
            kept = {what: tensors[f"{what} {name}"] for what in MOMENTS if f"{what} {name}" in tensors}
            if kept:
                optimizer.state[weight] = {what: t.clone() for what, t in kept.items()}
    return [float(x) for x in facts["curve"]]

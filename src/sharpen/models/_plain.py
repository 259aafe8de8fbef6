"""The slow way, for models whose attention a :class:`Forest` does not compute: padded batches of transformers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from sharpen.errors import UserError
from sharpen.models._chat import Chat
from sharpen.models._decode import Row, ended, randomness, sample
from sharpen.models._prefix import Ids
from sharpen.types import Completion, Decoding, Likelihoods

TOKENS = 8192  # padded tokens in a batch


def decode(
    module: Any, chat: Chat, prompts: Sequence[Ids], decodings: Sequence[Decoding], limits: Sequence[int]
) -> Iterator[tuple[int, Completion]]:
    """Yield ``(position, completion)`` as rows finish."""
    for batch in _batches([len(p) for p in prompts]):
        yield from _decoded(module, chat, batch, prompts, decodings, limits)


def _decoded(
    module: Any,
    chat: Chat,
    batch: list[int],
    prompts: Sequence[Ids],
    decodings: Sequence[Decoding],
    limits: Sequence[int],
) -> Iterator[tuple[int, Completion]]:
    started = time.perf_counter()
    rows = [Row(i, prompts[i], decodings[i], limits[i], started=started) for i in batch]
    for row in rows:
        row.random = randomness(row.prompt, row.decoding)
    ids, mask = _padded([prompts[i] for i in batch], module.device)
    cache = None
    while not all(r.done for r in rows):
        with torch.inference_mode():  # not around what is yielded: the mode is the thread's, not the generator's
            positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            positions[[row.done is not None for row in rows]] = 0  # who is done must not run out of positions
            out = module(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = getattr(out, "past_key_values", None)
            if cache is None:
                what = f"models of the kind {type(module).__name__} keep no keys and values, so they cannot write here."
                raise UserError(what, do="Use another model, or serve this one and name it with openai:.")
            logits = out.logits[:, -1].float()
            picked = logits.argmax(-1)
            for n, row in enumerate(rows):
                if row.random is not None and not row.done:
                    picked[n] = sample(logits[n], row.decoding, row.random)
            chances = (logits.gather(1, picked[:, None])[:, 0] - logits.logsumexp(-1)).tolist()
            ids = picked[:, None]
            mask = torch.cat((mask, mask.new_ones(len(rows), 1)), 1)
        for row, token, chance in zip(rows, picked.tolist(), chances, strict=True):
            if row.done:
                continue
            row.first = row.first or time.perf_counter()
            row.tokens.append(token)
            row.logprobs.append(chance)
            row.done = ended(chat, row.tokens, row.decoding, row.limit, row)
            if row.done:
                yield row.index, row.done


def rank(module: Any, prompts: Sequence[Ids], choices: Sequence[tuple[Ids, ...]]) -> Iterator[tuple[int, Likelihoods]]:
    """Yield ``(position, likelihoods)``, every choice read with its whole prompt."""
    for row, prompt in enumerate(prompts):
        started = time.perf_counter()
        sums = [0.0] * len(choices[row])
        for batch in _batches([len(prompt) + len(c) for c in choices[row]]):
            ids, mask = _padded([(*prompt, *choices[row][i]) for i in batch], module.device)
            keep = max(len(choices[row][i]) for i in batch) + 1
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            with torch.inference_mode():
                out = module(
                    input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=keep
                )
            chances = out.logits.float().log_softmax(-1)
            for n, i in enumerate(batch):
                reply = choices[row][i]
                at = chances[n, -len(reply) - 1 : -1] if reply else chances[n, :0]
                sums[i] = float(at.gather(1, torch.tensor(reply, dtype=torch.long, device=at.device)[:, None]).sum())
        lengths = tuple(len(c) for c in choices[row])
        yield row, Likelihoods(tuple(sums), lengths, len(prompt), time.perf_counter() - started)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows of similar length together, within a budget of padded tokens and at most 32."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and (len(batch) == 32 or (len(batch) + 1) * lengths[batch[0]] > TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _padded(rows: Sequence[Ids], device: Any) -> tuple[Any, Any]:
    """Pad on the left."""
    width = max(len(r) for r in rows)
    ids = torch.tensor([[0] * (width - len(r)) + list(r) for r in rows], device=device)
    mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows], device=device)
    return ids, mask

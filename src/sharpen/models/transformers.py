"""Models on PyTorch through transformers: the reference engine, on CPU and CUDA.

fp32 on CPU; bfloat16 on CUDA where the hardware has it. Weights are read from safetensors only, code from a model's
folder never. Adapters are merged into the weights when the model is opened.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.models._chat import Chat
from sharpen.models._local import Local
from sharpen.models._quiet import quiet, switch_off
from sharpen.store import hash_folder
from sharpen.types import Completion, Generate, Likelihoods, Message, Rank, Rendered

NEEDS = {"torch": "local", "transformers": "local", "safetensors": "local"}


def load_module(local: Local, adapters: Sequence[Path] = (), dtype: Any = None) -> tuple[Any, Any]:
    """Return ``(torch module in eval mode, tokenizer)`` of a local model; adapters are merged into the weights.

    Raises:
        UserError: the folder cannot be read as a causal language model, or an adapter does not fit it.
    """
    switch_off()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        try:
            options = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(local.folder, **options)
            module = AutoModelForCausalLM.from_pretrained(
                local.folder, dtype=dtype or torch.float32, use_safetensors=True, **options
            )
        except (OSError, ValueError, KeyError) as e:
            raise UserError(
                f"transformers cannot open {local.ref}: {str(e).splitlines()[0]}",
                str(local.folder),
                "Check that it is a causal language model with safetensors and a tokenizer.",
            ) from None
    if adapters:
        from sharpen.models._lora_in import merge

        for folder in adapters:
            module = merge(module, folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return module.eval().requires_grad_(False), tokenizer


def end_ids(local: Local, tokenizer: Any) -> tuple[int, ...]:
    """Token ids that end a reply: what generation_config.json (or config.json) says, and the tokenizer's own."""
    ends: set[int] = {tokenizer.eos_token_id} - {None}
    for name in ("generation_config.json", "config.json"):
        path = local.folder / name
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
            ends |= set(found if isinstance(found, list) else [found]) - {None}
    return tuple(sorted(ends))


class TransformersModel:
    """See the module's page."""

    can = frozenset({"generate", "score", "tune", "stream"})

    def __init__(self, local: Local, adapters: Sequence[Path] = (), device: str = "auto") -> None:
        switch_off()
        import torch
        import transformers

        cuda = torch.cuda.is_available() if device == "auto" else device.startswith("cuda")
        self.device = ("cuda" if cuda else "cpu") if device == "auto" else device
        dtype = torch.bfloat16 if cuda and torch.cuda.is_bf16_supported() else torch.float32
        self.local, self.ref = local, local.ref
        self.module, self.tokenizer = load_module(local, adapters, dtype)
        self.module.to(self.device)
        self.chat = Chat(self.tokenizer, end_ids(local, self.tokenizer))
        self.context = int(getattr(self.module.config, "max_position_embeddings", 0) or 1 << 20)
        weights = "+".join([local.digest, *(hash_folder(Path(a)) for a in adapters)])
        versions = f"transformers-{transformers.__version__} torch-{torch.__version__}"
        precision = str(dtype).rpartition(".")[2]
        self.identity = f"{weights} {versions} {self.device} {precision} template-{self.chat.digest}"

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """Apply the chat template; a final assistant message is rendered as the supervised reply."""
        return self.chat.render(messages, tools)

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        """Yield completions as batches end."""
        import torch

        prompts = [self.render(r.messages).ids for r in requests]
        order = sorted(range(len(requests)), key=lambda i: (requests[i].decoding.max_new_tokens, len(prompts[i])))
        for at in range(0, len(order), 16):
            rows = order[at : at + 16]
            started = time.perf_counter()
            width = max(len(prompts[i]) for i in rows)
            pad = self.tokenizer.pad_token_id
            ids = torch.tensor([[pad] * (width - len(prompts[i])) + list(prompts[i]) for i in rows])
            mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in rows])
            new = max(requests[i].decoding.max_new_tokens for i in rows)
            with torch.inference_mode():
                out = self.module.generate(
                    ids,
                    attention_mask=mask,
                    max_new_tokens=new,
                    do_sample=False,
                    eos_token_id=list(self.chat.ends),
                    pad_token_id=pad,
                )
            for i, row in zip(rows, out[:, width:].tolist(), strict=True):
                end = next((k for k, t in enumerate(row) if t in self.chat.ends), None)
                tokens = tuple(row[:end])
                yield (
                    i,
                    Completion(
                        self.chat.decode(tokens),
                        tokens,
                        (),
                        len(prompts[i]),
                        0,
                        len(tokens),
                        None,
                        time.perf_counter() - started,
                        "length" if end is None else "stop",
                    ),
                )

    def score(self, requests: Sequence[Rank]) -> Iterator[tuple[int, Likelihoods]]:
        """Yield the log-likelihood of each choice."""
        import torch

        for i, request in enumerate(requests):
            started = time.perf_counter()
            prompt = self.render(request.messages).ids
            sums, lengths = [], []
            for choice in request.choices:
                reply = self.chat.reply(choice)
                ids = torch.tensor([[*prompt, *reply]])
                with torch.inference_mode():
                    logits = self.module(ids, logits_to_keep=len(reply) + 1).logits[0, :-1].float().log_softmax(-1)
                sums.append(float(logits.gather(1, torch.tensor(reply)[:, None]).sum()))
                lengths.append(len(reply))
            yield i, Likelihoods(tuple(sums), tuple(lengths), len(prompt), time.perf_counter() - started)


def transformers(local: Local, adapters: Sequence[Path] = (), device: str = "auto") -> TransformersModel:
    """Open a local model on PyTorch; ``device`` is auto, cpu or cuda."""
    return TransformersModel(local, adapters, device)

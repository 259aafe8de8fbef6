"""Models on PyTorch through transformers: the reference engine, on CPU and CUDA.

fp32 on CPU; bfloat16 on CUDA where the hardware has it. Weights are read from safetensors only, code from a model's
folder never. Adapters are merged into the weights when the model is opened.
"""

from __future__ import annotations

import json
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


def placed(module: Any) -> Any:
    """Move a module to where models are answered from and trained: a CUDA device where there is one."""
    import torch

    return module.to("cuda" if torch.cuda.is_available() else "cpu")


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

    def __init__(self, local: Local, adapters: Sequence[Path] = (), device: str = "auto", packed: bool = True) -> None:
        switch_off()
        import torch
        import transformers

        from sharpen.models._forest import forest

        cuda = torch.cuda.is_available() if device == "auto" else device.startswith("cuda")
        self.device = ("cuda" if cuda else "cpu") if device == "auto" else device
        dtype = torch.bfloat16 if cuda and torch.cuda.is_bf16_supported() else torch.float32
        self.local, self.ref = local, local.ref
        self.module, self.tokenizer = load_module(local, adapters, dtype)
        self.module.to(self.device)
        self.forest = forest(self.module) if packed else None
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
        """Yield completions as they finish; a prompt that is too long gets an error and the others go on."""
        from sharpen.models import _decode, _plain

        prompts = [self.render(r.messages).ids for r in requests]
        fit = [i for i, p in enumerate(prompts) if len(p) < self.context]
        for i in sorted(set(range(len(prompts))) - set(fit)):
            n = len(prompts[i])
            yield i, Completion("", prompt_tokens=n, finish="error", error=self._too_long(n))
        rows, decodings = [prompts[i] for i in fit], [requests[i].decoding for i in fit]
        if self.forest:
            done = _decode.decode(self.forest, self.chat, rows, decodings, self.context)
        else:
            limits = [
                max(1, min(d.max_new_tokens, self.context - len(p))) for p, d in zip(rows, decodings, strict=True)
            ]
            done = _plain.decode(self.module, self.chat, rows, decodings, limits)
        for i, completion in done:
            yield fit[i], completion

    def score(self, requests: Sequence[Rank]) -> Iterator[tuple[int, Likelihoods]]:
        """Yield the log-likelihood of each choice as the reply, end-of-turn token not included."""
        from sharpen.models import _plain, _rank

        prompts = [self.render(r.messages).ids for r in requests]
        choices = [tuple(self.chat.reply(c) for c in r.choices) for r in requests]
        longest = [len(p) + max(map(len, c), default=0) for p, c in zip(prompts, choices, strict=True)]
        fit = [i for i, n in enumerate(longest) if n <= self.context]
        for i in sorted(set(range(len(prompts))) - set(fit)):
            yield i, Likelihoods((), (), len(prompts[i]), error=self._too_long(longest[i]))
        rows, sets = [prompts[i] for i in fit], [choices[i] for i in fit]
        done = _rank.rank(self.forest, rows, sets) if self.forest else _plain.rank(self.module, rows, sets)
        for i, likelihoods in done:
            yield fit[i], likelihoods

    def _too_long(self, n: int) -> str:
        return f"the prompt has {n} tokens and this model reads {self.context}; use fewer or shorter passages or shots."


def transformers(
    local: Local, adapters: Sequence[Path] = (), device: str = "auto", packed: bool = True
) -> TransformersModel:
    """Open a local model on PyTorch.

    Args:
        local: The model's folder.
        adapters: LoRA folders, merged in this order.
        device: ``auto``, ``cpu`` or ``cuda``.
        packed: Packed passes with shared beginnings; False takes the slow, padded way, as models whose attention is
            of another kind always do.
    """
    return TransformersModel(local, adapters, device, packed)

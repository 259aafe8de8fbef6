"""Models on PyTorch through transformers: the reference engine, on CPU and CUDA.

fp32 on CPU; on CUDA bfloat16 writes answers, where the hardware has it, and fp32 tells likelihoods: labels lie closer
together than bfloat16 can say. Weights are read from safetensors only, code from a model's folder never. Adapters are
merged into the fp32 weights when the model is opened, before anything is rounded.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.models._chat import Chat
from sharpen.models._length import too_long
from sharpen.models._local import Local, read_object, reading, whole_safetensors
from sharpen.models._quiet import quiet, switch_off
from sharpen.store import hash_folder
from sharpen.types import Completion, Generate, Likelihoods, Message, Rank, Rendered

NEEDS = {"torch": "local", "transformers": "local", "safetensors": "local"}
CANNOT = "transformers cannot open"
CHECK = "Check that it is a causal language model with safetensors and a tokenizer, or fetch it again."
log = logging.getLogger("sharpen.models")


def write_folder(local: Local, target: Path, adapters: Sequence[Path] = ()) -> None:
    """Write a model with its adapters merged as a Hugging Face folder: safetensors, tokenizer, template."""
    from transformers import GenerationConfig

    module, tokenizer = load_module(local, adapters)
    chat = Chat(tokenizer, end_ids(local, tokenizer))
    # What was evaluated is greedy, without the penalties that some models' settings ask for, and ends where chat says.
    module.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=list(chat.ends), pad_token_id=tokenizer.pad_token_id
    )
    tokenizer.chat_template = chat.template
    with quiet():
        module.save_pretrained(target, safe_serialization=True)
        tokenizer.save_pretrained(target)


def turns(local: Local) -> dict[str, Any]:
    """How a conversation with a model is written: ``chat_template``, the token ids that end a reply (``ends``), and
    whether the template takes a system message (``system``); otherwise its text goes before the first question."""
    tokenizer = open_tokenizer(local)
    chat = Chat(tokenizer, end_ids(local, tokenizer))
    return {"chat_template": chat.template, "ends": list(chat.ends), "system": chat.system}


def load_module(local: Local, adapters: Sequence[Path] = (), dtype: Any = None) -> tuple[Any, Any]:
    """Return ``(torch module in eval mode, tokenizer)`` of a local model; adapters are merged into the weights.

    ``dtype`` (fp32 unless told) is what the weights are rounded to, after the adapters were merged.

    Raises:
        UserError: the folder cannot be read as a causal language model, or an adapter does not fit it.
    """
    switch_off()
    import torch

    tokenizer = open_tokenizer(local)
    with quiet(), reading(local.ref, local.folder, CANNOT, CHECK):
        module = whole_safetensors(local.ref, local.folder)
    if adapters:
        from sharpen.models._lora_in import merge

        for folder in adapters:
            module = merge(module, folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    for parameter in module.parameters():  # buffers stay: the frequencies of rotary positions bear no rounding
        parameter.data = parameter.data.to(dtype or torch.float32)
    return module.eval().requires_grad_(False), tokenizer


def open_tokenizer(local: Local) -> Any:
    """Return the tokenizer of a local model.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer

    with quiet(), reading(local.ref, local.folder, CANNOT, CHECK):
        return AutoTokenizer.from_pretrained(local.folder, local_files_only=True, trust_remote_code=False)


def placed(module: Any) -> Any:
    """Move a module to where models are answered from and trained: a CUDA device where there is one."""
    import torch

    return module.to("cuda" if torch.cuda.is_available() else "cpu")


def answering_dtype(device: str) -> Any:
    """The precision that answers are written in on a device."""
    import torch

    able = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if able else torch.float32


def end_ids(local: Local, tokenizer: Any) -> tuple[int, ...]:
    """Token ids that end a reply: what generation_config.json (or config.json) says, and the tokenizer's own."""
    ends: set[int] = {tokenizer.eos_token_id} - {None}
    for name in ("generation_config.json", "config.json"):
        path = local.folder / name
        if path.exists():
            found = read_object(path, local.ref).get("eos_token_id")
            ends |= {i for i in (found if isinstance(found, list) else [found]) if isinstance(i, int)}
    return tuple(sorted(ends))


class TransformersModel:
    """See the module's page."""

    can = frozenset({"generate", "score", "tune"})

    def __init__(self, local: Local, adapters: Sequence[Path] = (), device: str = "auto", packed: bool = True) -> None:
        switch_off()
        import torch
        import transformers

        from sharpen.models._forest import forest

        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        dtype = answering_dtype(self.device)
        self.local, self.ref = local, local.ref
        self._adapters, self._packed = tuple(adapters), packed
        self._exact: tuple[Any, Any] | None = None
        self._opening = threading.Lock()
        self.module, self.tokenizer = load_module(local, adapters, dtype)
        self.module.to(self.device)
        self.forest = forest(self.module) if packed else None
        self.chat = Chat(self.tokenizer, end_ids(local, self.tokenizer))
        self.context = int(getattr(self.module.config, "max_position_embeddings", 0) or 1 << 20)
        weights = "+".join([local.digest, *(hash_folder(Path(a)) for a in adapters)])
        versions = f"transformers-{transformers.__version__} torch-{torch.__version__}"
        precision = str(dtype).rpartition(".")[2] + ("" if dtype == torch.float32 else " scores-float32")
        self.identity = f"{weights} {versions} {self.device} {precision} template-{self.chat.digest}"

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """Apply the chat template; a final assistant message is rendered as the supervised reply."""
        return self.chat.render(messages, tools)

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        """Yield completions as they finish; a prompt that is too long gets an error and the others go on."""
        from sharpen.models import _decode, _plain

        prompts, refused = self.chat.prompts(r.messages for r in requests)
        for i, why in refused.items():
            yield i, Completion("", finish="error", error=why)
        fit = [i for i, p in prompts.items() if len(p) < self.context]
        for i in sorted(prompts.keys() - set(fit)):
            n = len(prompts[i])
            yield i, Completion("", prompt_tokens=n, finish="error", error=too_long(n, self.context))
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
        """Yield the log-likelihood of each choice as the reply; see :meth:`Chat.replies`."""
        from sharpen.models import _plain, _rank

        prompts, refused = self.chat.prompts(r.messages for r in requests)
        for i, why in refused.items():
            yield i, Likelihoods((), (), error=why)
        choices = {i: self.chat.replies(requests[i].choices) for i in prompts}
        longest = {i: len(p) + max(map(len, choices[i]), default=0) for i, p in prompts.items()}
        fit = [i for i, n in longest.items() if n <= self.context]
        for i in sorted(prompts.keys() - set(fit)):
            yield i, Likelihoods((), (), len(prompts[i]), error=too_long(longest[i], self.context))
        rows, sets = [prompts[i] for i in fit], [choices[i] for i in fit]
        module, forest = self._in_fp32()
        done = _rank.rank(forest, rows, sets) if forest else _plain.rank(module, rows, sets)
        for i, likelihoods in done:
            yield fit[i], likelihoods

    def _in_fp32(self) -> tuple[Any, Any]:
        """The module and its forest in fp32, opened when they are first asked for and are not what answers."""
        import torch

        from sharpen.models._forest import forest

        if self.module.dtype == torch.float32:
            return self.module, self.forest
        with self._opening:
            if self._exact is None:
                module = load_module(self.local, self._adapters)[0].to(self.device)
                self._exact = module, forest(module) if self._packed else None
        return self._exact


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

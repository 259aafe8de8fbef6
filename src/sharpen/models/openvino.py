"""Models on OpenVINO GenAI: the fast engine on CPU.

The base is written as GGUF from the exact fp32 weights and turned into OpenVINO's own form once; a tuned arm's weights,
merged in fp32 and rounded alike, take the place of the base's in that form. It is kept by content in the cache of
models. Prompts go in as token ids, so they are read as they were in training. Requests are answered in one continuous
batch, in which nothing that prompts share is read again; every set of adapters has an engine of its own, so that what
was read never mixes. Likelihoods of given choices are computed by transformers in fp32, on weights of which this
engine's are rounded.

Carries the families llama, mistral (without a sliding window), qwen2 and qwen3, with plain rotary positions.
"""

from __future__ import annotations

import os
import queue
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.models._chat import Chat
from sharpen.models._length import too_long
from sharpen.models._local import Local, read_object
from sharpen.models._openvino_engine import Engine, Job, chained, fresh
from sharpen.models._openvino_files import HINTS, compiled, form, off, refused
from sharpen.models._openvino_pages import BLOCK, Pages
from sharpen.models._quiet import switch_off
from sharpen.types import Completion, Decoding, Generate, Likelihoods, Message, Rank, Rendered

NEEDS = {"openvino_genai": "cpu", "transformers": "local", "torch": "local", "gguf": "local", "safetensors": "local"}

SHARE = 0.3  # of the memory that is free, for keys and values
MOST_TOKENS = 1 << 16  # of all prompts and answers in the cache together; more where one alone may be longer


class OpenVINOModel:
    """See the module's page."""

    can = frozenset({"generate", "score", "stream", "tune"})

    def __init__(self, local: Local, adapters: Sequence[Path] = (), precision: str = "f16") -> None:
        off()
        switch_off()
        from sharpen.models.transformers import end_ids, open_tokenizer

        config = read_object(local.folder / "config.json", local.ref)
        why = refused(config, precision)
        if why:
            raise UserError(why, str(local.folder), "Use the transformers engine.")
        tokenizer = open_tokenizer(local)
        self.local, self.ref, self.precision = local, local.ref, precision
        self.adapters = adapters = tuple(Path(a) for a in adapters)
        self.tokenizer = tokenizer
        self.chat = Chat(tokenizer, end_ids(local, tokenizer))
        self.context = int(config["max_position_embeddings"])
        hints = " ".join(f"{k}={v}" for k, v in HINTS[precision].items())
        engine = f"openvino-{version('openvino')}"
        weights = form(local, self.adapters, precision)
        scores = f"scores-transformers-{version('transformers')}-torch-{version('torch')}-float32"
        self.identity = f"{weights} {engine} {precision} {hints} {scores} template-{self.chat.digest}"
        blocks = _blocks(config)
        self._scorer: Any = None
        self._opening = threading.Lock()
        self._engine = Engine(lambda: Pages(compiled(local, adapters, precision), HINTS[precision], blocks), self.chat)
        weakref.finalize(self, self._engine.close)

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """Apply the chat template; a final assistant message is rendered as the supervised reply."""
        return self.chat.render(messages, tools)

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        """Yield completions as they finish; a prompt that is too long gets an error and the others go on.

        May be called from several threads at once. Closing the iterator cancels what is not finished.
        """
        prompts, refused = self.chat.prompts(r.messages for r in requests)
        for i, why in refused.items():
            yield i, Completion("", finish="error", error=why)
        places = list(prompts)
        for job, _, completion in self._ask([(prompts[i], requests[i].decoding) for i in places]):
            if completion:
                yield places[job.index], completion

    def stream(self, request: Generate) -> Iterator[tuple[str, Completion | None]]:
        """Yield ``(new text, None)`` as it is written and ``(rest, completion)`` at the end; closing cancels."""
        for _, text, completion in self._ask([(self.render(request.messages).ids, request.decoding)], True):
            yield text, completion

    def score(self, requests: Sequence[Rank]) -> Iterator[tuple[int, Likelihoods]]:
        """Yield the log-likelihood of each choice as the reply, computed in fp32 by the transformers backend."""
        with self._opening:
            if self._scorer is None:
                from sharpen.models.transformers import transformers

                self._scorer = transformers(self.local, self.adapters, "cpu")
        yield from self._scorer.score(requests)

    def _ask(
        self, prompts: Sequence[tuple[tuple[int, ...], Decoding]], streams: bool = False
    ) -> Iterator[tuple[Job, str, Completion | None]]:
        told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        jobs = [
            Job(i, ids, decoding, max(1, min(decoding.max_new_tokens, self.context - len(ids))), told, streams)
            for i, (ids, decoding) in enumerate(prompts)
        ]
        wrong = {j: self._unreadable(len(j.ids)) for j in jobs}
        fit = [j for j in jobs if not wrong[j]]
        left = len(fit)
        try:
            if fit:
                self._engine.submit(chained(fit))
            for job, why in wrong.items():
                if why:
                    yield job, "", Completion("", (), (), len(job.ids), finish="error", error=why)
            while left:
                job, text, completion = told.get()
                if isinstance(text, Exception):
                    raise fresh(text)
                left -= completion is not None
                yield job, text, completion
        finally:
            for job in fit:
                job.cancelled = True

    def _unreadable(self, n: int) -> str:
        if not n:
            return "this model's template leaves nothing of the conversation."
        if n < self.context:
            return ""
        return too_long(n, self.context)


def _blocks(config: Mapping[str, Any]) -> int:
    """How many blocks of keys and values fit a share of the free memory; it is taken as blocks fill, and kept."""
    from sharpen.models._gguf import head_size

    heads = config.get("num_key_value_heads") or config["num_attention_heads"]
    token: int = 8 * config["num_hidden_layers"] * heads * head_size(config)  # both in fp32, the widest
    most = max(MOST_TOKENS, int(config["max_position_embeddings"]) + BLOCK)
    tokens = max(2048, min(most, int(_free() * SHARE) // token))
    return tokens // BLOCK


def _free() -> int:
    """Bytes of memory that a program can have without others being swapped out."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):  # no such file or number on this system
        return 4 << 30


def openvino(local: Local, adapters: Sequence[Path] = (), *, precision: str = "f16") -> OpenVINOModel:
    """Open a local model on OpenVINO.

    Args:
        local: The model's folder.
        adapters: LoRA folders, merged in this order before the weights are rounded.
        precision: ``f16`` or ``q8_0``.

    Raises:
        UserError: the engine cannot carry this model; the sentence says why.
    """
    return OpenVINOModel(local, adapters, precision)

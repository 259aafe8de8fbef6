"""A tiny random llama with a real tokenizer, written as a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT = [
    "The quick brown fox jumps over the lazy dog.",
    "What is the capital of France? Answer the question in a few words.",
    "Classify the message: card arrival, card linking, exchange rate, exchange via app.",
    "It's 12:45, and 3 cafés — naïve дом 漢字 🙂 are open.",
]


def tokenizer(template: str | None = TEMPLATE) -> Any:
    """Byte-level BPE with 300 merges or so and the usual chat markers."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(TEXT * 2, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )
    made.chat_template = template
    return made


def write(folder: Path, template: str | None = TEMPLATE, family: str = "llama", **changes: Any) -> Path:
    """Write a model of a family into a folder; every call writes the same weights."""
    import torch
    import transformers

    spoken = tokenizer(template)
    settings = {
        "vocab_size": len(spoken),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        **changes,
    }
    name = {"llama": "Llama", "qwen3": "Qwen3", "gemma2": "Gemma2", "mistral": "Mistral", "gpt2": "GPT2"}[family]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**settings)
    kind = "GPT2LMHeadModel" if family == "gpt2" else f"{name}ForCausalLM"
    module = getattr(transformers, kind)(config)
    module.save_pretrained(folder)
    spoken.save_pretrained(folder)
    return folder

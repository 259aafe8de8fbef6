"""A tiny random BERT as an embedding model, in sentence-transformers' format."""

from __future__ import annotations

import json
from pathlib import Path


def write_bert(
    folder: Path,
    pooling: str = "mean_tokens",
    prompts: dict[str, str] | None = None,
    dense: bool = False,
    spread: float = 0.3,
) -> Path:
    """Write a tiny random BERT in sentence-transformers' format; ``spread`` is that of its weights."""
    import torch
    from tiny_model import tokenizer
    from transformers import BertConfig, BertModel

    spoken = tokenizer(None)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(spoken),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=spread,
        pad_token_id=2,
    )
    BertModel(config).save_pretrained(folder)
    spoken.save_pretrained(folder)
    kinds = [
        ("", "Transformer"),
        ("1_Pooling", "Pooling"),
        *([("2_Dense", "Dense")] if dense else []),
        ("3_Normalize", "Normalize"),
    ]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{m}": m == pooling for m in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **modes}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48, "do_lower_case": False}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts or {}}))
    if dense:
        from safetensors.torch import save_file

        (folder / "2_Dense").mkdir()
        act = "torch.nn.modules.activation.Tanh"
        settings = {"in_features": 32, "out_features": 8, "bias": True, "activation_function": act}
        (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
        save_file(
            {"linear.weight": torch.randn(8, 32), "linear.bias": torch.randn(8)},
            folder / "2_Dense" / "model.safetensors",
        )
    return folder

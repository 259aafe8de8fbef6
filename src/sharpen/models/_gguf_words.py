"""The tokenizer's part of a GGUF file: words, merges, kinds, and the name of its way of splitting text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.models._local import read_object

NORMAL, CONTROL, USER, UNUSED, BYTE = 1, 3, 4, 5, 6

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {QWEN2: "qwen2", QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|"): "llama-bpe"}
"""Regular expressions that tokenizers split by, and llama.cpp's names of them (``tokenizer.ggml.pre``)."""


def add_tokenizer(writer: Any, folder: Path, rows: int) -> None:
    """Write the tokenizer of ``folder`` into a GGUF; ``rows`` is the number of rows of the embedding.

    Raises:
        UserError: it is not a BPE tokenizer, or llama.cpp has no name known here for its way of splitting text.
    """
    path = folder / "tokenizer.json"
    if not path.exists():
        raise UserError("there is no tokenizer.json.", str(folder), "Save the tokenizer with transformers first.")
    data = read_object(path, folder.name)
    model = data["model"]
    if model.get("type") != "BPE":
        raise UserError(
            f"a tokenizer of the kind {model.get('type')} cannot be written as GGUF.", str(path), "BPE ones can."
        )
    words, kinds = _words(data, rows)
    if model.get("byte_fallback"):
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(words)
        writer.add_token_scores(_scores(model, words))
        writer.add_add_space_prefix(_prefixes(data))
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_split_name(data.get("pre_tokenizer"), str(path)))
        writer.add_token_list(words)
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    _add_special(writer, folder, {w: i for i, w in enumerate(words)}, data)


def _words(data: Mapping[str, Any], rows: int) -> tuple[list[str], list[int]]:
    """Return every token and its kind; rows of the embedding without a token are listed as unused."""
    words: list[str] = [f"[PAD{i}]" for i in range(rows)]
    kinds = [UNUSED] * rows
    bytes_ = data["model"].get("byte_fallback")
    for word, i in data["model"]["vocab"].items():
        words[i] = word
        kinds[i] = BYTE if bytes_ and len(word) == 6 and word.startswith("<0x") else NORMAL
    for token in data.get("added_tokens", []):
        if token["id"] >= rows:  # the model has no row for it, so it can be neither read nor said
            continue
        words[token["id"]] = token["content"]
        kinds[token["id"]] = CONTROL if token["special"] else USER
    return words, kinds


def _scores(model: Mapping[str, Any], words: list[str]) -> list[float]:
    """Scores that make llama.cpp merge in the order of the merges: the earlier, the higher."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(model["merges"]):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        ranks.setdefault(left + right, rank)
    return [-float(ranks.get(word, 0)) for word in words]


def _prefixes(data: Mapping[str, Any]) -> bool:
    """Whether a space is put before the text."""
    text = json.dumps([data.get("normalizer"), data.get("pre_tokenizer")])
    return '"Prepend"' in text or '"prepend_scheme": "always"' in text or '"prepend_scheme": "first"' in text


def _split_name(pre: Any, where: str) -> str:
    """Return llama.cpp's name for a pre-tokenizer of tokenizer.json."""
    steps = pre["pretokenizers"] if pre and pre["type"] == "Sequence" else [pre]
    kinds = [step["type"] if step else "" for step in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True):
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and steps[0]["individual_digits"] and steps[1].get("use_regex", True):
        return "smollm"
    if kinds == ["Split", "ByteLevel"] and not steps[1].get("use_regex", True):
        name = SPLITS.get(steps[0]["pattern"].get("Regex", ""))
        if name:
            return name
    raise UserError(
        "this tokenizer splits text by a rule for which no GGUF name is known here.",
        where,
        "Use the transformers engine, and the Hugging Face format for export.",
    )


def _add_special(writer: Any, folder: Path, ids: Mapping[str, int], data: Mapping[str, Any]) -> None:
    """Write which tokens begin and end text, whether they are added to a text, and the chat template."""
    path = folder / "tokenizer_config.json"
    config = read_object(path, folder.name) if path.exists() else {}
    for name, add in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("unk", writer.add_unk_token_id),
        ("pad", writer.add_pad_token_id),
    ):
        token = config.get(f"{name}_token")
        content = token.get("content") if isinstance(token, dict) else token
        if isinstance(content, str) and content in ids:
            add(ids[content])
    writer.add_add_bos_token(bool(config.get("add_bos_token")) or _adds_bos(data, config))
    template = config.get("chat_template")
    beside = folder / "chat_template.jinja"
    if beside.exists():
        template = beside.read_text(encoding="utf-8")
    if template:
        writer.add_chat_template(template)


def _adds_bos(data: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether the tokenizer's own template puts the beginning-of-text token before a text."""
    post = json.dumps(data.get("post_processor") or {})
    bos = config.get("bos_token")
    bos = bos.get("content") if isinstance(bos, dict) else bos
    return bool(bos) and json.dumps(bos) in post

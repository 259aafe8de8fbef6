"""From a GGUF file to a plain Hugging Face folder in fp32: done once, exactly, and read by every engine."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from sharpen.errors import MissingExtra, UserError
from sharpen.models._gguf import rope_factors
from sharpen.models._local import reading, whole

DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
"""``tokenizer.ggml.pre`` of the tokenizers that split every digit off before anything else (llama.cpp's table)."""

AS_READ = {"gpt-2", "gpt2", "llama-bpe", "llama3", "qwen2"}
"""Those whose splitting transformers takes from the file as it is."""

SAFETENSORS = "Name the model's own safetensors with hf:org/name, or a folder that holds them."
LLAMA_3 = (8.0, 32.0)
LLAMA_3_REST = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""What Llama 3.1 and 3.2 divide slow rotary frequencies by, and where slow begins: a GGUF holds the quotients only."""

UNNAMED = {"", "default"}
"""Names of no rule: right where nothing is split (SentencePiece, ``tokenizer.ggml.model`` llama), else a guess."""


def gguf_in(gguf: Path, folder: Path, ref: str) -> None:
    """Write the model of ``gguf`` into ``folder``: fp32 safetensors, configuration, tokenizer, chat template.

    Quantised weights are dequantised to the numbers that they stand for; nothing is rounded again.

    Raises:
        UserError: transformers cannot read this architecture, or the tokenizer's way of splitting is not known.
    """
    for package in ("torch", "transformers", "gguf"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(f"reading {gguf.name}", package, "local")
    from sharpen.models._quiet import switch_off

    switch_off()
    with _read_once():
        _convert(gguf, folder, ref)


def _convert(gguf: Path, folder: Path, ref: str) -> None:
    from transformers import AutoTokenizer

    from sharpen.models._quiet import quiet

    fields, numbers, factors = _header(gguf, ref)
    what = f"transformers cannot read the GGUF ({fields.get('general.architecture')}) of"
    do = "Fetch it again, or name the model's own safetensors with hf:org/name or a folder."
    with quiet(), redirect_stderr(StringIO()):  # the bar of its conversion heeds no setting
        with reading(ref, gguf, what, do):
            read = whole(ref, gguf.parent, gguf_file=gguf.name)
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        _split_as_trained(tokenizer, fields, ref)
        plain = _plain_config(read.config.to_dict())
        plain["rope_parameters"] = {**(plain.get("rope_parameters") or {}), **_scaling(fields, factors, plain, ref)}
        model = type(read)(type(read.config)(**plain))  # `read` is marked as quantised and refuses to be saved
        lost = numbers - sum(p.numel() for p in model.parameters())
        if lost > 0:
            what = f"the GGUF of {ref} holds {lost:,} numbers more than transformers has a place for."
            raise UserError(what, gguf.name, SAFETENSORS)
        model.load_state_dict(read.state_dict(), strict=True)
        model.generation_config.eos_token_id = _ends(tokenizer)
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(folder, safe_serialization=True)
        tokenizer.save_pretrained(folder)
    _agree(folder, tokenizer, ref)


@contextmanager
def _read_once() -> Iterator[None]:
    """Have a file's header parsed once: transformers does it for configuration, weights and tokenizer, seconds each."""
    package: Any = importlib.import_module("gguf")
    reader = package.GGUFReader
    package.GGUFReader = cache(reader)
    try:
        yield
    finally:
        package.GGUFReader = reader


def _header(gguf: Path, ref: str) -> tuple[dict[str, Any], int, dict[str, Any]]:
    """Read the short header fields of a GGUF file, how many numbers its weights are, and its tensors of positions."""
    from gguf import GGUFReader

    with reading(ref, gguf, "cannot read the header of the GGUF of", "Fetch it again."):
        reader = GGUFReader(str(gguf))
        fields = {k: f.contents() for k, f in reader.fields.items() if len(f.data) <= 64}
        factors = {t.name: t.data.copy() for t in reader.tensors if t.name.startswith("rope_f")}
        numbers = sum(int(t.n_elements) for t in reader.tensors if t.name not in factors)
        return fields, numbers, factors


def _scaling(
    fields: Mapping[str, Any], factors: Mapping[str, Any], config: Mapping[str, Any], ref: str
) -> dict[str, Any]:
    """How positions are scaled, as transformers names it: its own reader of GGUF leaves that out.

    Raises:
        UserError: in a way that is not known here.
    """
    # With settings for each kind of layer it is not known here which of them a file's one setting is for.
    plain = not any(isinstance(v, Mapping) for v in (config.get("rope_parameters") or {}).values())
    begin = f"{fields.get('general.architecture')}.rope.scaling."
    said = {k.removeprefix(begin): v for k, v in fields.items() if k.startswith(begin)}
    kind = said.pop("type", "linear" if "factor" in said else "none")  # llama.cpp's own default
    known = {"factor", "original_context_length", "finetuned"}
    if plain and factors.keys() == {"rope_freqs.weight"} and kind == "none":
        for factor in LLAMA_3:
            tried = {"rope_type": "llama3", "factor": factor, **LLAMA_3_REST}
            rope = {**(config.get("rope_parameters") or {}), **tried}
            wanted, held = rope_factors({**config, "rope_parameters": rope}), factors["rope_freqs.weight"]
            if wanted.shape == held.shape and abs(wanted - held).max() < 1e-3:
                return tried
    elif not factors and said.keys() <= known:
        if kind == "none":
            return {}
        if plain and kind == "linear" and "factor" in said:
            return {"rope_type": "linear", "factor": float(said["factor"])}
        if plain and kind == "yarn" and "factor" in said:
            before = said.get("original_context_length") or config["max_position_embeddings"]
            return {"rope_type": "yarn", "factor": float(said["factor"]), "original_max_position_embeddings": before}
    raise UserError(f"the GGUF of {ref} scales positions in a way that sharpen does not know.", do=SAFETENSORS)


def _plain_config(config: dict[str, Any]) -> dict[str, Any]:
    config = {k: v for k, v in config.items() if k not in {"quantization_config", "_name_or_path", "dtype"}}
    config.pop("_model_name_or_path", None)
    return config


def _split_as_trained(tokenizer: Any, fields: Mapping[str, Any], ref: str) -> None:
    """Give the tokenizer the pre-tokenizer that the file names; transformers reads tokens and merges only.

    Without this ``a  12`` becomes other tokens than the model was trained on, and nobody is told.
    """
    from tokenizers import pre_tokenizers

    pre = str(fields.get("tokenizer.ggml.pre", ""))
    whole_words = fields.get("tokenizer.ggml.model") == "llama"
    if pre in DIGITS:
        backend = tokenizer.backend_tokenizer
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    elif pre not in AS_READ and not (pre in UNNAMED and whole_words):
        said = f"by the rule {pre!r}, which sharpen does not know" if pre else "by a rule that it does not name"
        raise UserError(
            f"the GGUF of {ref} splits text {said}.",
            do=SAFETENSORS,
        )


def _ends(tokenizer: Any) -> list[int]:
    """Token ids that end a turn: the end of text, and the chat markers that this vocabulary has."""
    vocabulary = tokenizer.get_vocab()
    marks = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>")
    template = tokenizer.chat_template or ""
    ends = [tokenizer.eos_token_id]
    ends += [vocabulary[m] for m in marks if m in vocabulary and (m in template or m == "<|endoftext|>")]
    return sorted({e for e in ends if e is not None})


def _agree(folder: Path, tokenizer: Any, ref: str) -> None:
    """Refuse a folder whose tokenizer does not give the ids that the converted one gave, or loses text."""
    from transformers import AutoTokenizer

    saved = AutoTokenizer.from_pretrained(folder)
    probe = "It's 12:45,  and  3 cafés — naïve\n\tдом 漢字 🙂 <x>\n\n"
    ids = tokenizer(probe, add_special_tokens=False)["input_ids"]
    again = saved(probe, add_special_tokens=False)["input_ids"]
    if ids != again or saved.decode(ids, clean_up_tokenization_spaces=False) != probe:
        raise UserError(
            f"the tokenizer in the GGUF of {ref} does not survive being saved.",
            do=SAFETENSORS,
        )
    if json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")).get("model") is None:
        raise UserError(f"the tokenizer of {ref} was not saved.", str(folder), "Report this as a bug.")

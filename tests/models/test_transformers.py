"""The reference engine against plain, one-by-one transformers."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_chat import ALTERNATES
from tiny_model import write

from sharpen.errors import UserError
from sharpen.models import open_model, pull
from sharpen.models.transformers import load_module, placed, transformers
from sharpen.types import Completion, Decoding, Generate, Likelihoods, Message, Rank

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
_decode = pytest.importorskip("sharpen.models._decode")
_rank = pytest.importorskip("sharpen.models._rank")

SAID = "the quick brown fox jumps over a lazy dog what is capital of France answer in few words card rate"
WORDS = SAID.split()


def asked(seed: int, n: int = 14) -> list[tuple[Message, ...]]:
    """Conversations of all lengths: some alone, some below one instruction, some below one passage, two the same."""
    draw = random.Random(seed)

    def text(least: int, most: int) -> str:
        return " ".join(draw.choice(WORDS) for _ in range(draw.randint(least, most)))

    instruction, passages = Message("system", text(20, 25)), [text(25, 40) for _ in range(2)]
    made: list[tuple[Message, ...]] = [(Message("user", text(1, 60)),) for _ in range(3)]
    made += [(instruction, Message("user", text(1, 12))) for _ in range(n - 5)]
    made += [(instruction, Message("user", f"{draw.choice(passages)} {text(2, 9)}")) for _ in range(n)]
    return [*made, made[4], made[4]]


def requests(which: int, **decoding: Any) -> list[Generate]:
    return [Generate("", (), m, Decoding(**{"max_new_tokens": 12, **decoding})) for m in asked(which)]


def one_by_one(model: Any, module: Any, request: Generate) -> list[int]:
    """Greedy ids by transformers' own generate, one prompt at a time."""
    ids = torch.tensor([model.render(request.messages).ids])
    with torch.inference_mode():
        out = module.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=request.decoding.max_new_tokens,
            do_sample=False,
            eos_token_id=list(model.chat.ends),
            pad_token_id=2,
        )
    new: list[int] = out[0, ids.shape[1] :].tolist()
    return new[:-1] if new and new[-1] in model.chat.ends else new


def replies(model: Any, choices: Sequence[str]) -> list[tuple[int, ...]]:
    """Without the end of the turn, but for those that another choice goes on from."""
    bare = [model.chat.reply(c) for c in choices]
    end = model.render((Message("user", "?"), Message("assistant", "a"))).ids[-1]
    longer = [any(len(o) > len(b) and o[: len(b)] == b for o in bare) for b in bare]
    return [(*b, end) if more else b for b, more in zip(bare, longer, strict=True)]


def by_hand(model: Any, module: Any, request: Rank) -> list[float]:
    """Log-likelihoods by one forward pass a choice."""
    prompt, sums = model.render(request.messages).ids, []
    for reply in replies(model, request.choices):
        with torch.inference_mode():
            logits = module(torch.tensor([[*prompt, *reply]])).logits[0].double().log_softmax(-1)
        sums.append(sum(float(logits[len(prompt) - 1 + i, t]) for i, t in enumerate(reply)))
    return sums


@pytest.fixture(scope="module")
def plain(tiny_folder: Path) -> Any:
    return load_module(pull(str(tiny_folder)))[0]


@pytest.mark.parametrize("seed", range(3))
def test_greedy_answers_are_those_of_transformers(tiny: Any, plain: Any, seed: int) -> None:
    assert tiny.forest is not None
    wanted = requests(seed)
    found = dict(tiny.generate(wanted))
    for i, request in enumerate(wanted):
        assert list(found[i].tokens) == one_by_one(tiny, plain, request)
        assert found[i].text == tiny.chat.decode(found[i].tokens)
        assert found[i].prompt_tokens == len(tiny.render(request.messages).ids)
        assert found[i].finish == ("length" if len(found[i].tokens) == 12 else "stop")


def test_logprobs_are_those_of_the_chosen_tokens(tiny: Any, plain: Any) -> None:
    request = requests(0)[5]
    completion = dict(tiny.generate([request]))[0]
    prompt = tiny.render(request.messages).ids
    logits = plain(torch.tensor([[*prompt, *completion.tokens]])).logits[0].log_softmax(-1)
    expected = [float(logits[len(prompt) - 1 + i, t]) for i, t in enumerate(completion.tokens)]
    assert completion.logprobs == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("slots", "read", "group"), [(2, 8, 1), (3, 60, 2), (5, 400, 4), (32, 10_000, 100)])
def test_answers_do_not_depend_on_how_work_is_cut(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, slots: int, read: int, group: int
) -> None:
    wanted = [Generate("", (), r.messages, Decoding(max_new_tokens=1 + i % 9)) for i, r in enumerate(requests(1))]
    expected = {i: c.tokens for i, c in tiny.generate(wanted)}
    monkeypatch.setitem(_decode.SLOTS, "cpu", slots)
    monkeypatch.setitem(_decode.READ, "cpu", read)
    monkeypatch.setattr(_decode, "GROUP", group)
    assert {i: c.tokens for i, c in tiny.generate(wanted)} == expected


def test_shared_beginnings_are_counted_as_cached(tiny: Any) -> None:
    system = Message("system", " ".join(WORDS * 2))
    wanted = [Generate("", (), (system, Message("user", w)), Decoding(max_new_tokens=2)) for w in WORDS[:6]]
    found = dict(tiny.generate(wanted))
    cached = sorted(c.cached_tokens for c in found.values())
    assert cached[0] == 0  # somebody had to read it
    assert cached[1] > len(WORDS)
    assert sum(c.prompt_tokens - c.cached_tokens for c in found.values()) < 2 * found[0].prompt_tokens


def test_stop_strings_end_an_answer_before_them(tiny: Any) -> None:
    request = requests(2, max_new_tokens=30)[4]
    whole = dict(tiny.generate([request]))[0].text
    stop = whole[8:11]
    cut = dict(tiny.generate([Generate("", (), request.messages, Decoding(max_new_tokens=30, stop=(stop, "@@")))]))[0]
    assert cut.text == whole[: whole.index(stop)]
    assert cut.finish == "stop"
    assert cut.completion_tokens < 30


def test_drawn_answers_depend_on_seed_and_prompt_and_not_on_neighbours(tiny: Any) -> None:
    wanted = requests(0, temperature=1.0, seed=5)
    together = {i: c.tokens for i, c in tiny.generate(wanted)}
    alone = {i: dict(tiny.generate([r]))[0].tokens for i, r in enumerate(wanted)}
    other = {i: c.tokens for i, c in tiny.generate(requests(0, temperature=1.0, seed=6))}
    assert together == alone
    assert together != other


def test_top_p_draws_from_the_likeliest_tokens_alone() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    decoding = Decoding(temperature=1.0, top_p=0.7)
    random_ = torch.Generator().manual_seed(0)
    drawn = [_decode.sample(logits, decoding, random_) for _ in range(400)]
    assert set(drawn) == {0, 1}
    assert drawn.count(0) / 400 == pytest.approx(0.5 / 0.8, abs=0.08)
    everything = [_decode.sample(logits, Decoding(temperature=1.0), random_) for _ in range(400)]
    assert set(everything) == {0, 1, 2, 3}


def test_a_prompt_that_is_too_long_is_an_error_of_its_own(tiny: Any) -> None:
    long = (Message("user", "word " * 600),)
    found = dict(tiny.generate([Generate("", (), long, Decoding()), requests(0)[0]]))
    assert found[0].finish == "error"
    assert "512" in str(found[0].error)
    assert found[1].error is None
    ranked = dict(tiny.score([Rank("", (), long, ("a",)), Rank("", (), asked(0)[0], ("a",))]))
    assert ranked[0].error
    assert ranked[0].logprobs == ()
    assert ranked[1].error is None


def test_a_conversation_that_the_template_refuses_is_an_error_of_its_own(tmp_path: Path) -> None:
    model = open_model(str(write(tmp_path, ALTERNATES)), engine="transformers")
    ask, twice = (Message("user", "a"),), (Message("user", "a"), Message("user", "b"))
    found = dict(model.generate([Generate("", (), m, Decoding(max_new_tokens=4)) for m in (ask, twice, ask)]))
    assert [found[i].error is None for i in range(3)] == [True, False, True]
    assert "roles must alternate" in str(found[1].error)
    assert found[0].tokens == found[2].tokens
    ranked = dict(model.score([Rank("", (), m, ("a", "b")) for m in (ask, twice, ask)]))
    assert [x.error is None for x in (ranked[0], ranked[1], ranked[2])] == [True, False, True]
    assert ranked[0].logprobs == ranked[2].logprobs != ()


def test_an_answer_ends_where_the_context_ends(tiny: Any) -> None:
    n = next(n for n in range(400, 600) if len(tiny.render((Message("user", " the" * n),)).ids) == 506)
    ((_, completion),) = tiny.generate([Generate("", (), (Message("user", " the" * n),), Decoding(max_new_tokens=50))])
    assert len(completion.tokens) <= 6
    assert completion.error is None


CHOICES = ("card arrival", "card linking", "card", "exchange rate", "exchange via app", "France", "France", "")


@pytest.mark.parametrize("seed", range(2))
def test_likelihoods_are_those_of_one_pass_a_choice(tiny: Any, plain: Any, seed: int) -> None:
    wanted = [Rank("", (), m, CHOICES[i % 3 :]) for i, m in enumerate(asked(seed))]
    found = dict(tiny.score(wanted))
    for i, request in enumerate(wanted):
        assert found[i].logprobs == pytest.approx(by_hand(tiny, plain, request), abs=1e-3)
        assert found[i].tokens == tuple(map(len, replies(tiny, request.choices)))
        each = dict(zip(request.choices, found[i].logprobs, strict=True))
        assert sum(math.exp(x) for x in each.values()) <= 1, "what goes on is not what ends"


@pytest.mark.parametrize(("wide", "read"), [(2, 30), (6, 10_000)])
def test_many_choices_are_read_in_several_blocks(
    tiny: Any, plain: Any, monkeypatch: pytest.MonkeyPatch, wide: int, read: int
) -> None:
    monkeypatch.setattr(_rank, "WIDE", wide)
    monkeypatch.setitem(_rank.READ, "cpu", read)
    wanted = [Rank("", (), m, CHOICES) for m in asked(2)]
    for i, likelihoods in tiny.score(wanted):
        assert likelihoods.logprobs == pytest.approx(by_hand(tiny, plain, wanted[i]), abs=1e-3)


FAMILIES = {
    "qwen3": {},
    "mistral": {"sliding_window": None},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "gemma2": {"sliding_window": 16, "query_pre_attn_scalar": 8},
    "mistral sliding": {"sliding_window": 16},
}
PACKED = {"qwen3", "mistral"}


@pytest.mark.parametrize("name", FAMILIES)
def test_other_families_answer_as_transformers_does(tmp_path: Path, name: str) -> None:
    """Families whose attention is of another kind take the slow way, and answer the same."""
    folder = write(tmp_path, family=name.split()[0], **FAMILIES[name])
    model = open_model(str(folder), engine="transformers")
    module = load_module(pull(str(folder)))[0]
    if name in PACKED:
        assert model.forest is not None  # type: ignore[attr-defined]
    if name in {"gemma2", "mistral sliding"}:
        assert model.forest is None  # type: ignore[attr-defined]
    wanted = requests(0)[::4]
    for i, completion in model.generate(wanted):
        assert list(completion.tokens) == one_by_one(model, module, wanted[i])
    ranked = [Rank("", (), r.messages, CHOICES) for r in wanted]
    for i, likelihoods in model.score(ranked):
        assert likelihoods.logprobs == pytest.approx(by_hand(model, module, ranked[i]), abs=1e-3)


def adapter(folder: Path, to: Path, **changes: Any) -> tuple[Any, Path]:
    """Wrap the model in a LoRA with random weights; return peft's own module and the adapter's folder."""
    peft = pytest.importorskip("peft")
    module = load_module(pull(str(folder)))[0]
    config = peft.LoraConfig(
        r=4, lora_alpha=16, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM", **changes
    )
    wrapped = peft.get_peft_model(module, config)
    torch.manual_seed(1)
    for name, weight in wrapped.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.2)
    wrapped.save_pretrained(to)
    return wrapped.eval(), to


@pytest.mark.parametrize("changes", [{}, {"use_rslora": True}, {"use_dora": True}])
def test_a_merged_adapter_answers_as_the_unmerged_one(
    tiny: Any, tiny_folder: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    unmerged, folder = adapter(tiny_folder, tmp_path / "a", **changes)
    merged = open_model(str(tiny_folder), adapters=[folder], engine="transformers")
    ids = torch.tensor([tiny.render(asked(0)[0]).ids])
    with torch.inference_mode():
        expected = unmerged(ids).logits
        found = load_module(pull(str(tiny_folder)), [folder])[0](ids).logits
        before = load_module(pull(str(tiny_folder)))[0](ids).logits
    assert float((found - expected).abs().max()) < 1e-4
    assert float((found - before).abs().max()) > 1e-2
    assert merged.identity != tiny.identity
    request = Rank("", (), asked(0)[0], CHOICES)
    assert dict(merged.score([request]))[0].logprobs == pytest.approx(by_hand(merged, unmerged, request), abs=1e-3)


def test_half_precision_writes_and_fp32_ranks(
    tiny: Any, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on CUDA: likelihoods are those of fp32 to the last digit, adapters are merged before weights are rounded."""
    monkeypatch.setattr("sharpen.models.transformers.answering_dtype", lambda device: torch.bfloat16)
    half = open_model(str(tiny_folder), engine="transformers")
    assert half.module.dtype == torch.bfloat16  # type: ignore[attr-defined]
    assert half.identity != tiny.identity
    assert all(c.error is None for _, c in half.generate(requests(0)[:3]))
    wanted = [Rank("", (), m, CHOICES) for m in asked(0)[:4]]
    ours, theirs = dict(half.score(wanted)), dict(tiny.score(wanted))
    assert [ours[i].logprobs for i in range(4)] == [theirs[i].logprobs for i in range(4)]

    _, folder = adapter(tiny_folder, tmp_path / "a")
    local = pull(str(tiny_folder))
    merged, exact = load_module(local, [folder], torch.bfloat16)[0], load_module(local, [folder])[0]
    for name, weight in exact.state_dict().items():
        assert torch.equal(merged.state_dict()[name], weight.to(torch.bfloat16)), name


on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@on_cuda
def test_on_cuda_likelihoods_are_those_of_the_cpu(tiny_folder: Path) -> None:
    wanted = [Rank("", (), m, CHOICES) for m in asked(0)]
    fast, slow = (open_model(str(tiny_folder), engine="transformers", device=d) for d in ("cuda", "cpu"))
    ours, theirs = dict(fast.score(wanted)), dict(slow.score(wanted))
    for i in range(len(wanted)):
        assert ours[i].logprobs == pytest.approx(theirs[i].logprobs, abs=0.05)


@on_cuda
def test_on_cuda_a_merged_adapter_ranks_as_the_unmerged_one(tiny_folder: Path, tmp_path: Path) -> None:
    unmerged, folder = adapter(tiny_folder, tmp_path / "a")
    merged = open_model(str(tiny_folder), adapters=[folder], engine="transformers", device="cuda")
    request = Rank("", (), asked(0)[0], CHOICES)
    assert dict(merged.score([request]))[0].logprobs == pytest.approx(by_hand(merged, unmerged, request), abs=0.05)
    assert all(c.error is None for _, c in merged.generate(requests(0)))


def test_training_lies_where_answers_are_made(tiny_folder: Path) -> None:
    module = placed(load_module(pull(str(tiny_folder)))[0])
    assert module.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    ids = torch.randint(0, 300, (1, 9), device=module.device)
    module.requires_grad_(True)(ids, labels=ids).loss.backward()
    assert module.get_input_embeddings().weight.grad.device == module.device


def test_weights_that_are_spoilt_later_are_a_sentence(tmp_path: Path) -> None:
    local = pull(str(write(tmp_path)))
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot open"):
        load_module(local)


def test_a_wrong_adapter_is_a_sentence(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"adapter_config\.json"):
        open_model(str(tiny_folder), adapters=[tmp_path / "empty"], engine="transformers")
    other = write(tmp_path / "other", hidden_size=64, head_dim=16)
    _, folder = adapter(other, tmp_path / "b")
    with pytest.raises(UserError, match="does not fit"):
        open_model(str(tiny_folder), adapters=[folder], engine="transformers")


@pytest.mark.parametrize("what", ["lacks", "no place"])
def test_an_adapter_that_fits_in_part_is_refused(tiny_folder: Path, tmp_path: Path, what: str) -> None:
    """peft warns, and half of it would be merged under the whole one's name."""
    from safetensors.torch import load_file, save_file

    _, folder = adapter(tiny_folder, tmp_path / "a")
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(n for n in sorted(tensors) if "layers.2." in n)
    if what == "lacks":
        del tensors[name]
    else:
        tensors[name.replace("layers.2.", "layers.7.")] = tensors[name].clone()
    save_file(tensors, path)
    with pytest.raises(UserError, match=f"does not fit this model: .*{what}"):
        open_model(str(tiny_folder), adapters=[folder], engine="transformers")


def test_a_finished_row_does_not_run_out_of_positions(tmp_path: Path) -> None:
    """A model with a table of positions: the row that ends at the context's end waits for its neighbour."""
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "max_position_embeddings": 64}
    model = open_model(str(write(tmp_path, family="gpt2", **sizes)), engine="transformers", packed=False)
    assert model.context == 64
    long = next(n for n in range(1, 100) if len(model.render((Message("user", " the" * n),)).ids) >= 60)
    wanted = [Generate("", (), (Message("user", " the" * n),), Decoding(max_new_tokens=20)) for n in (long, long // 2)]
    found = dict(model.generate(wanted))
    assert [c.error for c in found.values()] == [None, None]
    alone = [next(iter(model.generate([w])))[1].tokens for w in wanted]
    assert [found[0].tokens, found[1].tokens] == alone


def test_identity_follows_weights_template_and_precision(tiny: Any, tiny_folder: Path, tmp_path: Path) -> None:
    again = open_model(str(tiny_folder), engine="transformers")
    assert again.identity == tiny.identity
    assert "float32" in tiny.identity
    assert str(tiny_folder) not in tiny.identity
    other = write(tmp_path / "other")
    assert open_model(str(other), engine="transformers").identity == tiny.identity  # the same content elsewhere
    (other / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    assert open_model(str(other), engine="transformers").identity != tiny.identity


def test_ends_of_the_generation_config_count(tiny_folder: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other")
    path = other / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [2, 7]}))
    assert open_model(str(other), engine="transformers").chat.ends == (2, 7)  # type: ignore[attr-defined]


def test_completions_and_likelihoods_are_nouns(tiny: Any) -> None:
    assert all(isinstance(c, Completion) and c.seconds is not None for _, c in tiny.generate(requests(0)[:2]))
    assert all(isinstance(x, Likelihoods) for _, x in tiny.score([Rank("", (), asked(0)[0], ("a", "b"))]))
    assert list(tiny.generate([])) == []
    assert list(tiny.score([])) == []


def test_nothing_is_sent(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening and answering reach for no network: every connection would fail the test."""
    reached: list[Any] = []
    monkeypatch.setattr("socket.socket.connect", lambda _, address: reached.append(address))
    monkeypatch.setattr("socket.getaddrinfo", lambda *address, **_: reached.append(address) or [])
    model = open_model(str(tiny_folder), engine="transformers")
    list(model.generate(requests(0)[:2]))
    assert reached == []


def test_laying_out_weights_changes_no_answer(tiny_folder: Path) -> None:
    packed, plain = (load_module(pull(str(tiny_folder)))[0] for _ in range(2))
    _forest = pytest.importorskip("sharpen.models._forest")
    _forest.pack(packed)
    assert sum(isinstance(m, _forest.Packed) for m in packed.modules()) == 3 * 7 + 1
    assert not any(isinstance(m, torch.nn.Linear) for m in packed.modules())
    ids = torch.randint(0, 300, (2, 17), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(packed(ids).logits, plain(ids).logits, atol=1e-4, rtol=1e-4)


def test_slots_never_take_more_memory_than_they_may(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither at first, nor where a wide row comes later; a shared beginning stays in one place and counts once."""
    rows: list[tuple[int, int]] = []
    room = _decode.Slots._room

    def noted(slots: Any, n: int, length: int) -> None:
        room(slots, n, length)
        rows.append((slots.store.shape[2], slots.store.shape[4]))

    monkeypatch.setattr(_decode.Slots, "_room", noted)
    monkeypatch.setitem(_decode.MEMORY, "cpu", 64 * 6 * tiny.forest.kv_bytes)
    short = [Generate("", (), (Message("user", w),), Decoding(max_new_tokens=30)) for w in WORDS[:12]]
    expected = {i: c.tokens for i, c in tiny.generate(short)}
    assert max(n for n, _ in rows) <= 6
    rows.clear()
    beginning = Message("system", " ".join(WORDS * 3))
    shared = [Generate("", (), (beginning, *r.messages), Decoding(max_new_tokens=8)) for r in short]
    found = dict(tiny.generate(shared))
    assert max(n for n, _ in rows) > 4, "what they share is not counted for each"
    monkeypatch.undo()
    assert {i: c.tokens for i, c in tiny.generate(short)} == expected
    assert {i: c.tokens for i, c in tiny.generate(shared)} == {i: c.tokens for i, c in found.items()}


def test_who_takes_answers_is_not_in_inference_mode(tiny_folder: Path) -> None:
    model = transformers(pull(str(tiny_folder)), packed=False)
    for _ in model.generate(requests(0)[:3]):
        assert not torch.is_inference_mode_enabled()

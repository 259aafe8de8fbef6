"""The OpenVINO engine beside the transformers backend, on tiny weights and on the real model."""

from __future__ import annotations

import dataclasses
import gc
import json
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sharpen.errors import UserError
from sharpen.types import Completion, Decoding, Generate, Message, Rank

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("openvino_genai")

from sharpen.models import _openvino_files, open_model, openvino_refuses, pull
from sharpen.models._agreement import Agreement, agrees
from sharpen.models._gguf import write_gguf
from sharpen.models._openvino_engine import WORTH, Job, chained


def ask(text: str, **decoding: Any) -> Generate:
    return Generate("", (), (Message("user", text),), Decoding(**{"max_new_tokens": 16, **decoding}))


QUESTIONS = [ask(f"What is the capital of café {n}? " * (1 + n % 5)) for n in range(10)]


@pytest.fixture(scope="module")
def calm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny llama whose weights are so small that rounding them hardly changes its answers, of which some end."""
    from tiny_model import write

    folder = write(tmp_path_factory.mktemp("calm"), initializer_range=0.2)
    said = [c.tokens for c in answers(open_model(str(folder), engine="transformers"), QUESTIONS)]
    counts = Counter(t for tokens in said for t in set(tokens[4:]))
    end = min(counts, key=lambda t: abs(counts[t] - len(said) / 3))  # a token that ends about a third of them
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": [2, end]}))
    return folder


@pytest.fixture(scope="module")
def calm(calm_folder: Path) -> Any:
    return open_model(str(calm_folder), engine="transformers")


@pytest.fixture(scope="module")
def fast(calm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same on OpenVINO."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SHARPEN_MODELS", str(tmp_path_factory.mktemp("models")))
    yield open_model(str(calm_folder), engine="openvino")
    patch.undo()


def answers(model: Any, requests: list[Generate]) -> list[Completion]:
    found = dict(model.generate(requests))
    assert sorted(found) == list(range(len(requests)))
    return [found[i] for i in range(len(requests))]


def test_it_answers_as_transformers_does(fast: Any, calm: Any) -> None:
    ours, theirs = answers(fast, QUESTIONS), answers(calm, QUESTIONS)
    same = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.text == b.text]
    assert len(same) >= 9
    for a, b in same:
        assert (a.tokens, a.finish, a.prompt_tokens) == (b.tokens, b.finish, b.prompt_tokens)
        assert a.completion_tokens == b.completion_tokens == len(a.tokens) + (a.finish == "stop")
        assert 0 < a.first_seconds <= a.seconds
    assert {a.finish for a, _ in same} == {"stop", "length"}


def test_what_it_says_of_its_answers_is_true(fast: Any, calm: Any) -> None:
    """Probabilities of its tokens beside transformers'; how much of a prompt stood there before."""
    for ours, theirs in zip(answers(fast, QUESTIONS), answers(calm, QUESTIONS), strict=True):
        if ours.tokens == theirs.tokens:
            assert ours.logprobs == pytest.approx(theirs.logprobs, abs=0.01)
            assert len(ours.logprobs) == len(ours.tokens)
    again = answers(fast, QUESTIONS[:3])
    assert [c.cached_tokens for c in again] == [c.prompt_tokens - 1 for c in again]


def test_little_room_and_short_passes_change_no_answer(
    fast: Any, calm_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts are read in pieces, answers wait for room, what was read is let go of; what fits never is refused."""
    asked = [ask("The same long beginning. " * 3 + f"What is {n}? " * (1 + n % 7)) for n in range(40)]
    expected = [c.tokens for c in answers(fast, asked)]
    longest = max(c.prompt_tokens for c in answers(fast, asked)) + 16
    monkeypatch.setattr("sharpen.models.openvino._blocks", lambda _: -(-longest // 32) + 3)
    monkeypatch.setattr("sharpen.models._openvino_engine.PASS", 24)
    small = open_model(str(calm_folder), engine="openvino")
    found = answers(small, asked)
    assert sum(c.tokens == e for c, e in zip(found, expected, strict=True)) >= 39
    assert any(c.cached_tokens for c in found)
    large = answers(small, [asked[0], ask("word " * 20, max_new_tokens=300), asked[1]])
    assert [c.finish == "error" for c in large] == [False, True, False]
    assert "close other programs" in str(large[1].error)


def test_it_reads_what_training_reads(fast: Any, calm: Any) -> None:
    talks = [
        (Message("system", "Be brief."), Message("user", "What <|im_end|> is it?")),
        (Message("user", "a"), Message("assistant", "b"), Message("user", "c"), Message("assistant", "d")),
    ]
    for talk in talks:
        assert fast.render(talk) == calm.render(talk)


def test_neighbours_do_not_change_an_answer(fast: Any) -> None:
    together = answers(fast, QUESTIONS)
    for request, expected in list(zip(QUESTIONS, together, strict=True))[::3]:
        assert answers(fast, [request])[0].tokens == expected.tokens


def test_limits(fast: Any) -> None:
    whole = next(r for r, c in zip(QUESTIONS, answers(fast, QUESTIONS), strict=True) if c.finish == "length")
    short = answers(fast, [dataclasses.replace(whole, decoding=Decoding(max_new_tokens=3))])[0]
    assert (short.finish, short.completion_tokens, len(short.tokens)) == ("length", 3, 3)


def test_stop_strings_cut_the_answer(fast: Any, calm: Any) -> None:
    whole = answers(fast, [QUESTIONS[0]])[0].text
    stop = whole[len(whole) // 2 : len(whole) // 2 + 3]
    asked = [dataclasses.replace(QUESTIONS[0], decoding=Decoding(max_new_tokens=16, stop=("\0", stop)))]
    ours, theirs = answers(fast, asked)[0], answers(calm, asked)[0]
    assert ours.text == whole[: whole.index(stop)] == theirs.text
    assert ours.finish == theirs.finish == "stop"
    assert ours.completion_tokens == theirs.completion_tokens < 16


def test_what_is_drawn_depends_on_seed_and_prompt_alone(fast: Any) -> None:
    warm = [ask("What is it?", temperature=1.5, seed=s) for s in range(6)]
    first = [c.tokens for c in answers(fast, warm)]
    assert first == [c.tokens for c in answers(fast, warm[::-1])][::-1]
    assert first[2] == answers(fast, [warm[2]])[0].tokens
    assert len(set(first)) == 6


def test_a_prompt_that_is_too_long_is_an_error_and_the_others_go_on(fast: Any) -> None:
    found = answers(fast, [QUESTIONS[0], ask("word " * 600), QUESTIONS[1]])
    assert [c.finish == "error" for c in found] == [False, True, False]
    assert found[1].error
    assert "512" in found[1].error
    assert found[1].prompt_tokens > 512
    nearly = ask("word " * 60, max_new_tokens=10_000)
    full = answers(fast, [nearly])[0]
    assert full.prompt_tokens + full.completion_tokens <= fast.context


def test_a_conversation_that_the_template_refuses_is_an_error_and_the_others_go_on(tmp_path: Path, cache: Path) -> None:
    from test_chat import ALTERNATES
    from tiny_model import write

    model = open_model(str(write(tmp_path / "m", ALTERNATES)), engine="openvino")
    twice = dataclasses.replace(QUESTIONS[0], messages=QUESTIONS[0].messages * 2)
    found = answers(model, [twice, QUESTIONS[0], ask("word " * 600), twice, QUESTIONS[1]])
    assert [c.error is None for c in found] == [False, True, False, False, True]
    assert "roles must alternate" in str(found[3].error)
    assert [c.tokens for c in found[1::3]] == [c.tokens for c in answers(model, QUESTIONS[:2])]


def test_a_closed_iterator_cancels_and_leaves_the_engine_well(fast: Any) -> None:
    asked = [ask(f"What is {n}? " * 9, max_new_tokens=300) for n in range(90)]
    iterator = fast.generate(asked)
    next(iterator)
    started = time.perf_counter()
    iterator.close()
    after = answers(fast, QUESTIONS[:2])
    assert time.perf_counter() - started < 5
    assert all(c.error is None for c in after)


def test_streamed_text_is_the_answer(fast: Any) -> None:
    most = 0
    for request in [*QUESTIONS, ask("What is it?", stop=("e", "zz"))]:
        whole = answers(fast, [request])[0]
        pieces = list(fast.stream(request))
        assert "".join(text for text, _ in pieces) == whole.text == pieces[-1][1].text
        assert [c for _, c in pieces[:-1]] == [None] * (len(pieces) - 1)
        most = max(most, len(pieces))
    assert most > 3


def test_many_threads_may_ask_at_once(fast: Any) -> None:
    expected = [c.tokens for c in answers(fast, QUESTIONS)]
    found: dict[int, Any] = {}

    def one(n: int) -> None:
        found[n] = answers(fast, [QUESTIONS[n]])[0].tokens

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(QUESTIONS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [found[n] for n in range(len(QUESTIONS))] == expected


def test_likelihoods_are_those_of_transformers_with_the_same_adapters(
    fast: Any, calm: Any, calm_folder: Path, tmp_path: Path, cache: Path
) -> None:
    pytest.importorskip("peft")
    assert "score" in fast.can
    adapters = [lora(calm_folder, tmp_path / "a", 1)]
    tuned, exact = (open_model(str(calm_folder), adapters=adapters, engine=e) for e in ("openvino", "transformers"))
    asked = [Rank("", (), (Message("user", f"What is {n}?"),), ("Paris", "the lazy dog", "12:45")) for n in range(3)]
    for ours, theirs in ((fast, calm), (tuned, exact)):
        assert list(ours.score(asked)) == [
            (i, dataclasses.replace(x, seconds=pytest.approx(x.seconds, abs=9))) for i, x in theirs.score(asked)
        ]
    assert dict(tuned.score(asked))[0].logprobs != dict(fast.score(asked))[0].logprobs


def lora(folder: Path, to: Path, seed: int) -> Path:
    """A LoRA adapter that changes answers."""
    import peft
    import torch
    import transformers

    module = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    settings = peft.LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    tuned = peft.get_peft_model(module, settings)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in tuned.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.3)
    tuned.save_pretrained(to)
    return to


def test_adapters_are_merged_and_caches_do_not_mix(fast: Any, calm_folder: Path, tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("peft")
    adapters = [lora(calm_folder, tmp_path / str(seed), seed) for seed in (1, 2)]
    plain = [c.tokens for c in answers(fast, QUESTIONS)]
    tuned = [open_model(str(calm_folder), adapters=[a], engine="openvino") for a in adapters]
    found = [[c.tokens for c in answers(m, QUESTIONS)] for m in tuned]
    for adapter, tokens in zip(adapters, found, strict=True):
        theirs = answers(open_model(str(calm_folder), adapters=[adapter], engine="transformers"), QUESTIONS)
        assert sum(a == b.tokens for a, b in zip(tokens, theirs, strict=True)) >= 9
    assert found[0] != found[1] != plain != found[0]
    assert plain == [c.tokens for c in answers(fast, QUESTIONS)]
    assert len({fast.identity, *(m.identity for m in tuned)}) == 3


@pytest.mark.parametrize(("family", "tied"), [("llama", True), ("llama", False), ("qwen3", True)])
def test_the_short_way_to_a_merged_form_gives_the_same_weights(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, family: str, tied: bool
) -> None:
    from tiny_model import write

    local = pull(str(write(tmp_path / "hf", family=family, tie_word_embeddings=tied)))
    adapter = lora(local.folder, tmp_path / "adapter", 1)
    plain = _openvino_files.compiled(local, (), "f16")
    written: list[bool] = []
    monkeypatch.setattr(_openvino_files, "write_gguf", lambda *a: (written.append(True), write_gguf(*a)))
    short = weights(_openvino_files.compiled(local, [adapter], "f16"))
    assert not written
    monkeypatch.setattr("sharpen.models._openvino_merge.merge_form", lambda *_: False)
    monkeypatch.setattr(_openvino_files, "WRITER", 0)
    long = weights(_openvino_files.compiled(local, [adapter], "f16"))
    assert written
    assert short.keys() == long.keys()
    assert all((short[name] == long[name]).all() for name in long)
    before = weights(plain)
    changed = {name.rpartition("self_attn.")[2] for name in long if (before[name] != long[name]).any()}
    assert changed == {"q_proj.weight", *(f"model.layers[{n}].mlp.down_proj.weight" for n in range(3))}


def weights(folder: Path) -> dict[str, Any]:
    """The named constants of a model in OpenVINO's form."""
    import openvino

    found = openvino.Core().read_model(folder / "openvino_model.xml").get_ops()
    return {c.get_friendly_name(): c.data.copy() for c in found if c.get_friendly_name().endswith(".weight")}


def test_trained_norms_go_the_long_way(calm_folder: Path, tmp_path: Path, cache: Path) -> None:
    import peft
    import torch
    import transformers

    from sharpen.models._openvino_merge import merge_form

    module = transformers.AutoModelForCausalLM.from_pretrained(calm_folder, dtype=torch.float32)
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["norm"], task_type="CAUSAL_LM")
    tuned = peft.get_peft_model(module, settings)
    with torch.no_grad():
        tuned.base_model.model.model.norm.modules_to_save["default"].weight.mul_(1.5)
    tuned.save_pretrained(tmp_path / "adapter")
    local = pull(str(calm_folder))
    (tmp_path / "to").mkdir()
    plain = _openvino_files.compiled(local, (), "f16")
    assert merge_form(plain, local, [tmp_path / "adapter"], tmp_path / "to") is False
    ours = open_model(str(calm_folder), adapters=[tmp_path / "adapter"], engine="openvino")
    theirs = open_model(str(calm_folder), adapters=[tmp_path / "adapter"], engine="transformers")
    found = zip(answers(ours, QUESTIONS), answers(theirs, QUESTIONS), strict=True)
    assert sum(a.tokens == b.tokens for a, b in found) >= 9


def test_the_second_opening_reads_what_the_first_wrote(
    calm_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = answers(open_model(str(calm_folder), engine="openvino"), QUESTIONS[:2])
    files = {p: p.stat().st_mtime_ns for p in cache.rglob("*") if p.is_file() and not p.name.startswith(".")}
    assert {p.name for p in files} == {"openvino_model.xml", "openvino_model.bin"}
    monkeypatch.setattr(_openvino_files, "write_gguf", None)  # would fail
    again = answers(open_model(str(calm_folder), engine="openvino"), QUESTIONS[:2])
    assert [c.tokens for c in again] == [c.tokens for c in first]
    assert all(p.stat().st_mtime_ns == changed for p, changed in files.items())


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    calm_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(local: Any, target: Path, *_: Any) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_openvino_files, "write_gguf", full)
    model = open_model(str(calm_folder), engine="openvino")
    for _ in range(2):  # whoever asks again is told again
        with pytest.raises(UserError, match="disk is full"):
            answers(model, QUESTIONS[:2])
    assert not [p for p in cache.rglob("*") if p.suffix in {".gguf", ".xml", ".bin"}]


FULL = """
import resource, signal, sys
from pathlib import Path
from sharpen.errors import UserError
from sharpen.models import _openvino_files, pull
local, adapters, most = pull(sys.argv[1]), [Path(p) for p in sys.argv[3:]], int(sys.argv[2])
import openvino_genai, torch, transformers  # nothing that these write counts
if adapters:
    _openvino_files.compiled(local, (), "f16")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    print(_openvino_files.compiled(local, adapters, "f16"))
except UserError as e:
    print(e)
"""


@pytest.mark.full
@pytest.mark.parametrize("tuned", [False, True])
@pytest.mark.parametrize(
    "share", [pytest.param(0.0, marks=pytest.mark.full), 0.25, pytest.param(0.9, marks=pytest.mark.full)]
)
def test_a_disk_that_fills_up_while_openvino_writes_leaves_nothing(
    calm_folder: Path, tmp_path: Path, cache: Path, share: float, tuned: bool
) -> None:
    adapters = [str(lora(calm_folder, tmp_path / "a", 1))] if tuned else []
    made = _openvino_files.compiled(pull(str(calm_folder)), (), "f16")
    most = int((made / "openvino_model.xml").stat().st_size * share)  # the larger file of so small a model
    shutil.rmtree(cache)
    command = [sys.executable, "-c", FULL, str(calm_folder), str(most), *adapters]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "disk is full" in done.stdout, done.stdout + done.stderr
    kept = [p for p in cache.rglob("*") if p.suffix in {".gguf", ".xml", ".bin"}]
    assert {p.parent.parent.name for p in kept} == ({"plain"} if tuned else set())


@pytest.mark.parametrize(("name", "left"), [("bin", 0.0), ("bin", 0.9), ("xml", 0.0), ("xml", 0.9)])
def test_a_form_that_was_not_written_whole_is_not_kept(calm_folder: Path, cache: Path, name: str, left: float) -> None:
    folder = _openvino_files.compiled(pull(str(calm_folder)), (), "f16")
    _openvino_files._check_whole(folder)
    path = folder / f"openvino_model.{name}"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * left)])
    with pytest.raises(OSError, match="No space left"):
        _openvino_files._check_whole(folder)


def test_a_form_that_was_spoilt_is_a_sentence_that_names_it(calm_folder: Path, cache: Path) -> None:
    folder = _openvino_files.compiled(pull(str(calm_folder)), (), "f16")
    graph = folder / "openvino_model.xml"
    graph.write_text(graph.read_text().replace("<layer ", "<lair "))
    with pytest.raises(UserError, match="Delete this folder") as e:
        answers(open_model(str(calm_folder), engine="openvino"), QUESTIONS[:1])
    assert str(folder) in str(e.value)


@pytest.mark.parametrize("name", ["xml", "bin"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_form_that_was_cut_is_made_anew(calm_folder: Path, cache: Path, name: str, how: str) -> None:
    path = _openvino_files.compiled(pull(str(calm_folder)), (), "f16") / f"openvino_model.{name}"
    whole = path.read_bytes()
    path.unlink() if how == "gone" else path.write_bytes(whole[:100])
    assert _openvino_files.compiled(pull(str(calm_folder)), (), "f16") == path.parent
    named = re.compile(rb'net name="Model\d+"')  # OpenVINO numbers the graphs of a process
    assert len(named.sub(b"", path.read_bytes())) == len(named.sub(b"", whole))


def test_merged_forms_do_not_pile_up(tmp_path: Path) -> None:
    import os

    for n in range(12):
        (tmp_path / str(n)).mkdir()
        os.utime(tmp_path / str(n), (time.time() - 60 * n,) * 2 if n < 10 else (time.time() - 9999,) * 2)
    _openvino_files._let_go(tmp_path)
    assert sorted(int(p.name) for p in tmp_path.iterdir()) == list(range(10))


@pytest.mark.parametrize(
    ("family", "changes", "words"),
    [
        ("gemma2", {}, "family 'gemma2'"),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "positions"),
        ("llama", {"head_dim": 16}, "as wide as"),
        ("mistral", {"sliding_window": 64}, "sliding window"),
    ],
)
def test_what_it_cannot_carry_is_refused(tmp_path: Path, family: str, changes: dict[str, Any], words: str) -> None:
    from tiny_model import write

    folder = write(tmp_path, family=family, **changes)
    assert words in (openvino_refuses(pull(str(folder))) or "")
    with pytest.raises(UserError, match=words):
        open_model(str(folder), engine="openvino")


def test_precisions(calm_folder: Path) -> None:
    with pytest.raises(UserError, match="q2"):
        open_model(str(calm_folder), engine="openvino", precision="q2")


def test_prompts_wait_for_those_that_they_share_with() -> None:
    """Against a brute force: a job waits for the first in order that shares as much as any before it."""
    rng = random.Random(0)
    for _ in range(200):
        pool = [tuple(rng.choices((1, 2), k=WORTH)) for _ in range(3)]
        prompts = [
            sum(rng.choices(pool, k=rng.randint(0, 4)), ()) + tuple(rng.choices((1, 2), k=rng.randint(1, 40)))
            for _ in range(rng.randint(1, 9))
        ]
        jobs = [Job(i, ids, Decoding(), 1, None) for i, ids in enumerate(prompts)]  # type: ignore[arg-type]
        order = chained(jobs)
        assert [j.ids for j in order] == sorted(prompts)
        for at, job in enumerate(order):
            shared = []
            for other in order[:at]:
                same = [a == b for a, b in zip(job.ids, other.ids, strict=False)]
                same.append(False)
                shared.append(min(same.index(False), len(job.ids) - 1) // WORTH)
            most = max(shared, default=0)
            assert job.after is (order[shared.index(most)] if most else None)


class Parrot:
    """Answers with its questions, some of them wrongly or in other words; counts how often it was asked."""

    ref = "parrot"

    def __init__(self, wrong: int = 0, other: int = 0) -> None:
        self.wrong, self.other, self.asked, self.identity = wrong, other, 0, f"parrot-{wrong}-{other}"

    def generate(self, requests: list[Generate]) -> Iterator[tuple[int, Completion]]:
        self.asked += 1
        for i, r in reversed(list(enumerate(requests))):
            yield i, Completion("?" if i < self.wrong else "Well. " * (i < self.other) + r.messages[-1].content)


def test_agreement_is_counted_and_remembered(cache: Path) -> None:
    good: Any = Parrot()
    for wrong, other, enough in ((0, 0, True), (0, 2, True), (0, 3, False), (1, 0, False), (1, 2, False)):
        model: Any = Parrot(wrong, other)
        found = agrees(model, good)
        assert (found.equal, found.n, found.enough) == (40 - max(wrong, other), 40, enough)
        assert (found.right, found.reference_right) == (40 - wrong, 40)
        assert found.differing[:1] == ((found.differing[0][0], "?", found.differing[0][2]),) if wrong else True
        assert f"on {found.equal} of 40 questions" in found.said
        before = good.asked
        assert agrees(model, lambda: pytest.fail("opened"), against=good.identity) == found
        assert (model.asked, good.asked) == (1, before)
    assert Agreement(38, 40).enough


def test_other_code_is_compared_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = Parrot()
    agrees(model, model)
    monkeypatch.setattr("sharpen.models._agreement._code", lambda: "newer")
    agrees(model, model)
    assert model.asked == 4


def test_the_reference_is_let_go_before_the_engine_is_asked(cache: Path) -> None:
    alive: list[weakref.ref[Any]] = []

    class Engine(Parrot):
        def generate(self, requests: list[Generate]) -> Iterator[tuple[int, Completion]]:
            gc.collect()
            assert [r() for r in alive] == [None]
            return super().generate(requests)

    def reference() -> Any:
        made = Parrot()
        alive.append(weakref.ref(made))
        return made

    model: Any = Engine()
    assert agrees(model, reference, "parrot").enough


def test_whether_it_suits_is_found_out_once(calm_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sharpen.models import _agreement, agreement

    local = pull(str(calm_folder))
    monkeypatch.setattr(_agreement, "NEW_TOKENS", 2)  # its answers are noise, which rounding changes sooner or later
    found = agreement(local)
    assert found.enough
    assert len(list((cache / "agreement").glob("*.json"))) == 1
    monkeypatch.setattr(_agreement, "_answers", None)  # would fail
    assert agreement(local) == found

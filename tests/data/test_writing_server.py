"""Operators that write with a model, through a hosted one: a scripted OpenAI-compatible server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from servers import Hosted, serving

from sharpen.study.augmenting import augmented
from sharpen.techniques import Bench, NotAvailable
from sharpen.testing import tiny_bench

Says = Callable[[str, str], str]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Says], tuple[str, list[tuple[str, str]]]]]:
    """Starts a server that answers (system message, last message) by a function; returns its reference and calls."""
    monkeypatch.setenv("SHARPEN_OPENAI_KEY", "sk-x")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    hosted = Hosted(stream=False)
    with serving(hosted.handler()) as address:

        def start(says: Says) -> tuple[str, list[tuple[str, str]]]:
            heard: list[tuple[str, str]] = []

            def answer(body: dict[str, Any], handler: Any) -> None:
                told, asked = body["messages"][0]["content"], body["messages"][-1]["content"]
                heard.append((told, asked))
                said = {"message": {"role": "assistant", "content": says(told, asked)}, "finish_reason": "stop"}
                handler.send(200, {"choices": [said], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})

            hosted.mood = answer
            return f"openai:{address}/v1#writer", heard

        yield start


def made_of(bench: Bench, step: str, ref: str, **options: Any) -> tuple[list[Any], dict[str, Any]]:
    more, facts = augmented(step, {"model": ref, **options}, bench.first("fake:"), bench, 0)
    json.dumps(facts, allow_nan=False)
    return list(more.train[len(bench.train) :]), facts


def test_paraphrases_keep_their_class_and_are_filtered(server: Any) -> None:
    bench = tiny_bench("classification")

    def says(told: str, asked: str) -> str:
        if "lamp" in asked:
            return "1. completely other words altogether\n2. " + asked  # too far away, and the same again
        return f"1. {asked} then\n- {asked} now"

    ref, heard = server(says)
    made, facts = made_of(bench, "paraphrase", ref, n=2, share=2)
    assert len(heard) == len(bench.train)
    assert all("Write 2 other ways" in told for told, _ in heard)
    lamps = [e for e in bench.train if "lamp" in e.question]
    assert facts["refused"] == {"is too far from its parent": len(lamps), "stands there already": len(lamps)}
    assert len(made) == 2 * (len(bench.train) - len(lamps))
    by_id = {e.id: e for e in bench.train}
    assert all(e.labels == by_id[e.meta["of"]].labels and e.meta["synthetic"] == "paraphrase" for e in made)


def test_back_translation_goes_through_its_languages(server: Any) -> None:
    def says(told: str, asked: str) -> str:
        if "into English" in told:
            return asked.removeprefix("<").removesuffix(">").replace("German: ", "please, ")
        language = told.partition("into ")[2].partition(".")[0]
        return f"<{language}: {asked}>"

    ref, heard = server(says)
    bench = tiny_bench("classification")
    made, _ = made_of(bench, "back_translation", ref, languages=["German"])
    assert len(heard) == 2 * len(bench.train)
    assert made
    assert all(e.question.startswith("please, ") and e.meta["how"] == "by way of German" for e in made)


def fact(text: str) -> tuple[str, str]:
    """The first fact of a passage of the tiny documents: "The floor of the Elm room is fourth."."""
    what, _, value = text.removeprefix("The ").partition(" is ")
    return f"Which {what}?", value.rstrip(".")


@pytest.fixture
def rooms() -> Bench:
    """A bench whose documents have longer paragraphs."""
    bench = tiny_bench("question-answering")
    more = " It was said so by the people who keep the house and by nobody else in town."
    documents = (replace(d, text=d.text.replace(".\n", f".{more}\n") + more) for d in bench.documents)
    return replace(bench, documents=tuple(documents))


def test_questions_are_written_from_documents_of_train_alone(server: Any, rooms: Bench) -> None:
    def says(told: str, asked: str) -> str:
        question, value = fact(asked.partition(". It was")[0])
        return f"Question: {question}\nAnswer: {'nobody knows' if 'rent' in question else value.upper()}"

    ref, heard = server(says)
    made, facts = made_of(rooms, "synthetic_qa", ref)
    sources = {e.source for e in rooms.train}
    texts = {d.source: d.text for d in rooms.documents}
    assert made
    assert facts["proposed"] < len(heard), "what does not stand in the passage is thrown away"
    assert not any("rent" in e.question for e in made)
    for e in made:
        (gold,) = e.gold
        assert e.source == gold.source
        assert e.source in sources
        assert texts[gold.source][gold.start : gold.end] == e.targets[0]


def test_reworded_pairs_stay_where_the_answer_comes_again(server: Any, rooms: Bench) -> None:
    def says(told: str, asked: str) -> str:
        if "Translate" in told:
            return asked.replace("Which", "Do tell which") if "into English" in told else asked
        if told.startswith("Answer the question"):
            what = asked.removeprefix("Do tell which ").rstrip("?")
            line = next(line for line in told.splitlines() if f"The {what} is" in line)
            value = line.partition(f"The {what} is ")[2].partition(".")[0]
            return f"{value}." if "floor" in what else "no idea"
        question, value = fact(asked.partition(". It was")[0])
        return f"Question: {question}\nAnswer: {value}"

    ref, heard = server(says)
    made, facts = made_of(rooms, "reworded_qa", ref)
    asked_again = [a for told, a in heard if told.startswith("Answer the question")]
    floors = [a for a in asked_again if "floor" in a]
    assert len(asked_again) > len(floors) == facts["proposed"] == len(made) > 0
    texts = {d.source: d.text for d in rooms.documents}
    for e in made:
        (gold,) = e.gold
        assert e.question.startswith("Do tell which floor of the ")
        assert texts[gold.source][gold.start : gold.end] == e.targets[0]
        assert e.meta["how"] == "written by a model from a passage, then by way of German"


@pytest.mark.parametrize("step", ["paraphrase", "synthetic_qa", "back_translation", "reworded_qa"])
def test_a_model_that_says_nothing_makes_no_arm_and_is_asked_again(step: str, server: Any, rooms: Bench) -> None:
    ref, heard = server(lambda told, asked: "")
    for _ in range(2):
        before = len(heard)
        with pytest.raises(NotAvailable, match="makes no variant of"):
            made_of(rooms, step, ref)
        assert len(heard) > before, "it may have been out of order"


def test_without_a_model_the_arm_says_what_it_lacks(rooms: Bench) -> None:
    with pytest.raises(NotAvailable, match="no model was named"):
        augmented("reworded_qa", {}, rooms.first("fake:"), rooms, 0)

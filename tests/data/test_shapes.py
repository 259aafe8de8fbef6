"""Rows of the usual shapes become examples; rows that cannot be used say why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data.examples import Rows, read_examples
from sharpen.data.shapes import KNOWN, LONGEST, UNANSWERABLE, Refused, example_of
from sharpen.types import Example, Message


def make(**row: Any) -> Example:
    return example_of(row, "x")[0]


USER = (Message("user", "Hi?"),)


@pytest.mark.parametrize(
    ("row", "targets", "messages"),
    [
        ({"question": "Hi?", "answers": "Yo"}, ("Yo",), USER),
        ({"question": " Hi? ", "answers": ["Yo", "", "Yo", "Hey"]}, ("Yo", "Hey"), USER),
        ({"question": "Hi?", "answer": 14}, ("14",), USER),
        ({"question": "Hi?", "answers": {"text": ["Yo", "Yo"], "answer_start": [3, 9]}}, ("Yo", "Yo"), USER),
        ({"question": "Hi?", "answers": [{"text": "Yo"}]}, ("Yo",), USER),
        ({"question": "Hi?", "answers": '["Yo", "Hey"]'}, ("Yo", "Hey"), USER),
        ({"question": "Hi?", "answers": "[sic] Yo"}, ("[sic] Yo",), USER),
        ({"prompt": "Hi?", "completion": "Yo"}, ("Yo",), USER),
        (
            {"prompt": [{"role": "user", "content": "Hi?"}], "completion": [{"role": "assistant", "content": "Yo"}]},
            ("Yo",),
            USER,
        ),
        ({"instruction": "Greet", "input": "me", "output": "Yo"}, ("Yo",), (Message("user", "Greet\n\nme"),)),
        ({"instruction": "Hi?", "input": "", "output": "Yo"}, ("Yo",), USER),
        ({"instruction": "Hi?", "response": "Yo"}, ("Yo",), USER),
        ({"input": "Hi?", "output": "Yo"}, ("Yo",), USER),
        ({"prompt": "Hi?", "chosen": "Yo", "rejected": "No"}, ("Yo",), USER),
        (
            {"conversations": [{"from": "human", "value": "Hi?"}], "chosen": {"from": "gpt", "value": "Yo"}},
            ("Yo",),
            USER,
        ),
        ({"text": "Hi?", "summary": "Yo"}, ("Yo",), USER),
        ({"document": "Hi?", "summary": "Yo"}, ("Yo",), USER),
        (
            {"conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Yo"}]},
            ("Yo",),
            USER,
        ),
    ],
)
def test_shapes(row: dict[str, Any], targets: tuple[str, ...], messages: tuple[Message, ...]) -> None:
    made = make(**row)
    assert made.targets == targets
    assert made.messages == messages


def test_chat_keeps_all_turns_but_the_last_reply() -> None:
    turns = [("system", "Be kind."), ("user", "Hi?"), ("assistant", "Yo"), ("user", "How?"), ("assistant", "Well")]
    made = make(messages=[{"role": r, "content": c} for r, c in turns])
    assert made.targets == ("Well",)
    assert [m.role for m in made.messages] == ["system", "user", "assistant", "user"]
    assert made.question == "How?"


@pytest.mark.parametrize("field", ["label", "category", "intent"])
def test_labels(field: str) -> None:
    made = make(text="Hi?", **{field: "greeting"})
    assert made.labels == made.targets == ("greeting",)
    assert make(text="Hi?", **{field: 3}).labels == ("3",)


def test_a_question_with_a_label_is_labelled_one_with_a_category_is_not() -> None:
    assert make(question="Hi?", label="greeting").labels == ("greeting",)
    with pytest.raises(Refused, match="known shapes"):
        make(question="Hi?", category="small talk")


def test_optional_fields_and_the_rest() -> None:
    made = make(
        id=7,
        question="Hi?",
        answers="Yo",
        source="a.md",
        group="g",
        weight="2",
        rejected="No",
        answerable="yes",
        asker="me",
    )
    assert (made.id, made.source, made.group, made.weight, made.rejected) == ("7", "a.md", "g", 2.0, ("No",))
    assert made.answerable is True
    assert dict(made.meta) == {"asker": "me"}


def test_rejected_replies_may_be_messages() -> None:
    made = make(
        prompt="Hi?", chosen=[{"role": "assistant", "content": "Yo"}], rejected={"role": "assistant", "content": "No"}
    )
    assert (made.targets, made.rejected) == (("Yo",), ("No",))


def test_a_question_without_an_answer_in_the_documents_has_the_usual_target() -> None:
    assert make(question="Hi?", answers=[], answerable=False).targets == (UNANSWERABLE,)
    assert make(question="Hi?", answers={"text": [], "answer_start": []}, is_impossible=True).answerable is False
    assert make(question="Hi?", answerable=False).targets == (UNANSWERABLE,)


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"question": "", "answers": "Yo"}, "question", "is empty"),
        ({"question": None, "answers": "Yo"}, "question", "is empty"),
        ({"question": ["Hi?"], "answers": "Yo"}, "question", "is a list, not text"),
        ({"question": {"a": 1}, "answers": "Yo"}, "question", "is an object, not text"),
        ({"question": True, "answers": "Yo"}, "question", "is true or false, not text"),
        ({"question": float("nan"), "answers": "Yo"}, "question", "is not a number"),
        ({"question": "Hi?", "answers": ""}, "answers", "is empty"),
        ({"question": "Hi?", "answers": []}, "answers", "is empty"),
        ({"question": "Hi?", "answers": [["Yo"]]}, "answers", "is a list, not text"),
        ({"question": "Hi?", "answers": "Yo", "weight": "much"}, "weight", "is not a number"),
        (
            {"question": "Hi?", "answers": "Yo", "weight": -1},
            "weight",
            "is -1, not a number above 0; leave the row out instead",
        ),
        ({"question": "Hi?", "answers": "Yo", "weight": 0}, "weight", "is 0, not a number above 0"),
        ({"question": "Hi?", "answers": "Yo", "weight": "inf"}, "weight", "is inf, not a number above 0"),
        ({"question": "Hi?", "answers": "Yo", "answerable": "maybe"}, "answerable", "is 'maybe', not true or false"),
        ({"question": "x" * (LONGEST + 1), "answers": "Yo"}, "question", "has 2,000,001 characters"),
        ({"prompt": "Hi?", "completion": "Yo", "label": False}, "label", "not wanted"),
        ({"messages": "Hi?"}, "messages", "is a str, not a list of messages"),
        ({"messages": []}, "messages", "holds no question of a user"),
        ({"messages": [{"role": "king", "content": "Hi?"}]}, "messages", "whose role is 'king'"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages", "whose content is"),
        ({"messages": [{"role": "user", "content": "Hi?"}]}, "messages", "lacks a reply at its end"),
        (
            {"messages": [{"role": "user", "content": "Hi?"}, {"role": "tool", "content": "12 °C"}]},
            "messages",
            "lacks a reply at its end",
        ),
        (
            {"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "tool_calls": [{"name": "f"}]}]},
            "messages",
            "lacks a reply at its end",
        ),
        ({"messages": [{"role": "user", "content": "Hi?"}], "answers": []}, "messages", "lacks a reply at its end"),
    ],
)
def test_refused_rows_name_the_field_and_the_reason(row: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(Refused) as e:
        example_of(row, "x")
    assert e.value.field == field
    assert reason in e.value.reason


def test_text_that_utf8_cannot_carry_is_mended() -> None:
    made = make(question="a\ud800b\x00c", answers="Yo", extra={"k\udfff": ["\udc00"]})
    assert made.question == "a\ufffdb c"
    json.dumps(dict(made.meta), ensure_ascii=False).encode()
    assert made.content  # hashing works


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "messages",
    "prompt",
    "completion",
    "question",
    "answers",
    "context",
    "text",
    "label",
    "instruction",
    "output",
]
FIELDS += [
    "chosen",
    "id",
    "source",
    "gold",
    "evidence",
    "weight",
    "labels",
    "rejected",
    "answerable",
    "is_impossible",
    "input",
]
TURN = st.fixed_dictionaries(
    {}, optional={"role": st.sampled_from(["user", "assistant", "x"]) | VALUES, "content": VALUES}
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES | st.lists(TURN, max_size=3) | st.just("Hi?"), max_size=6))
@settings(max_examples=600, deadline=None)
def test_any_row_becomes_an_example_or_is_refused(row: dict[str, Any]) -> None:
    try:
        example, _ = example_of(row, "x")
    except Refused:
        return
    assert example.targets
    assert all(t.strip() for t in example.targets)
    assert example.content
    json.dumps(dict(example.meta))


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(r) for r in rows), encoding="utf-8")
    return path


def test_columns_are_renamed(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"frage": "Hi?", "antwort": "Yo", "question": "not this"}])
    found = read_examples(path, "q.jsonl", {"question": "frage", "answers": "antwort"})
    assert [(d.example.question, d.example.targets) for d in found.drafts] == [("Hi?", ("Yo",))]


TURNS = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Go away."}]


@pytest.mark.parametrize(
    ("row", "columns", "target", "meta"),
    [
        (
            {"prompt": "P", "response": "R", "query": "Hi?", "gold": "Yo"},
            {"question": "query", "answer": "gold"},
            "Yo",
            {"prompt": "P", "response": "R"},
        ),
        ({"question": "Hi?", "answers": "No", "right": "Yo"}, {"answer": "right"}, "Yo", {"answers": "No"}),
        ({"question": "P", "body": "Hi?", "label": "Yo"}, {"text": "body"}, "Yo", {"question": "P"}),
        ({"messages": TURNS, "answers": "No", "right": "Yo"}, {"answer": "right"}, "Yo", {"answers": "No"}),
        (
            {"messages": TURNS, "say": "Hi?", "right": "Yo"},
            {"question": "say", "answer": "right"},
            "Yo",
            {"messages": TURNS},
        ),
        (
            {"body": "Hi?", "kind": "Yo", "labels": ["a", "b"]},
            {"text": "body", "label": "kind"},
            "Yo",
            {"labels": ["a", "b"]},
        ),
        ({"prompt": "Hi?", "completion": "Yo", "good": True}, {"label": "good"}, "Yo", {"label": True}),
        ({"prompt": "P", "body": "Hi?", "output": "Yo"}, {"input": "body"}, "Yo", {"prompt": "P"}),
    ],
)
def test_what_columns_name_is_not_outvoted(
    row: dict[str, Any], columns: dict[str, str], target: str, meta: dict[str, Any], tmp_path: Path
) -> None:
    found = read_examples(write(tmp_path / "q.jsonl", [row]), "q.jsonl", columns)
    (example,) = (d.example for d in found.drafts)
    assert (example.messages, example.targets, dict(example.meta)) == (USER, (target,), meta)
    assert example.labels in ((), (target,))


def test_a_name_that_belongs_to_a_shape_does_not_tear_it_apart(tmp_path: Path) -> None:
    def read(rows: list[Any], **columns: str) -> Rows:
        return read_examples(write(tmp_path / "q.jsonl", rows), "q.jsonl", columns)

    rows = [{"instruction": "Greet", "whom": "me", "output": "Yo"}, {"instruction": "Hi?", "output": "Yo"}]
    assert [d.example.question for d in read(rows, input="whom").drafts] == ["Greet\n\nme", "Hi?"]
    rows = [{"ask": "Hi?", "reply": "Yo"}, {"talk": TURNS}]
    found = read(rows, prompt="ask", completion="reply", messages="talk")
    assert [d.example.targets for d in found.drafts] == [("Yo",), ("Go away.",)]


def test_a_row_without_the_column_that_was_named_is_not_filled_from_another(tmp_path: Path) -> None:
    own = {"question": "Hi?", "answers": "No"}
    rows = [{**own, "right": "Yo"}, own, {**own, "is_impossible": True}]
    found = read_examples(write(tmp_path / "q.jsonl", rows), "q.jsonl", {"answer": "right"})
    assert [d.example.targets for d in found.drafts] == [("Yo",), (UNANSWERABLE,)]
    assert [(d.place, d.reason) for d in found.dropped] == [("line 2", "has none of the known shapes")]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"question": "query"},
            "'question' is understood, but no column is 'answers'. Say which it is: data.columns: {answers: theirs}.",
        ),
        (
            {"answer": "gold"},
            "'answer' is understood, but no column is 'question'. Did you mean data.columns: {question: query}?",
        ),
    ],
)
def test_half_of_what_was_named_is_not_filled_from_another_shape(
    columns: dict[str, str], said: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "q.jsonl", [{"prompt": "P", "response": "R", "query": "Hi?", "gold": "Yo"}])
    (problem,) = read_examples(path, "q.jsonl", columns).problems
    assert str(problem) == f"q.jsonl: its columns (prompt, response, query, gold) are no known shape: {said}"


def test_a_name_that_is_none_of_ours_is_said_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"question": "Hi?", "answers": "Yo", "importance": 2, "words": "Yo"}])
    columns = {"wieght": "importance", "evidense": "words", "topic": "importance"}
    found = read_examples(path, "q.jsonl", columns)
    wieght, evidense, topic = map(str, found.problems)
    assert wieght == "data.columns: wieght: is no name that sharpen has for a field. Did you mean weight?"
    assert evidense == "data.columns: evidense: is no name that sharpen has for a field. Did you mean evidence?"
    assert topic.endswith(", gold, evidence. Other columns keep their own.")
    assert not found.drafts
    for name in KNOWN:
        assert not [p for p in read_examples(path, "q.jsonl", {name: "importance"}).problems if "no name" in p.what]


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ({"question": "q", "answers": "q"}, "question and for answers"),
        ({"label": "q", "text": "q", "source": "s"}, "label and for text"),
        ({"prompt": "s", "chosen": "q", "rejected": "q"}, "chosen and for rejected"),
    ],
)
def test_a_column_cannot_both_ask_and_answer(columns: dict[str, str], fields: str, tmp_path: Path) -> None:
    """The question would be its own reference."""
    path = write(tmp_path / "q.jsonl", [{"q": "Hi?", "s": "here"}])
    (said,) = read_examples(path, "q.jsonl", columns).problems
    assert str(said) == f"data.columns: names the column 'q' for {fields}. Name another column for one of them."


def test_a_column_may_be_two_things(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"q": "Hi?", "s": "here"}])
    found = read_examples(path, "q.jsonl", {"question": "q", "answers": "s", "labels": "s", "source": "s", "id": "q"})
    assert not found.problems
    (draft,) = found.drafts
    assert (draft.example.targets, draft.example.labels, draft.example.source) == (("here",), ("here",), "here")


def test_a_wrong_column_is_said_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"frage": "Hi?", "antwort": "Yo"}])
    (problem,) = read_examples(path, "q.jsonl", {"question": "frage", "answers": "antwrt"}).problems
    assert str(problem) == "q.jsonl: has no column 'antwrt', which data.columns names. Did you mean antwort?"
    (problem,) = read_examples(path, "q.jsonl", {"question": "zzz", "answers": "antwort"}).problems
    assert "Its columns are: frage, antwort." in problem.do


@pytest.mark.parametrize("between", ["\u00a0", "\u202f", "\t", "  "])
def test_a_column_is_found_whatever_white_space_it_holds(between: str, tmp_path: Path) -> None:
    """A no-break space looks like any other: who names the column by a blank would be asked whether they mean it."""
    path = write(tmp_path / "q.jsonl", [{f"Frage{between}des Kunden": "Hi?", "Antwort": "Yo"}])
    found = read_examples(path, "q.jsonl", {"question": "Frage des Kunden", "answers": "Antwort"})
    assert (found.problems, [d.example.question for d in found.drafts]) == ([], ["Hi?"])


def test_unknown_shapes_say_what_is_there_and_what_is_expected(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"qestion": "Hi?", "anser": "Yo"}] * 3)
    found = read_examples(path, "q.jsonl")
    (problem,) = found.problems
    assert "(qestion, anser)" in problem.what
    assert "question + answers|answer" in problem.what
    assert "question: qestion" in problem.do
    assert "answer: anser" in problem.do
    assert len(found.dropped) == 3


def test_every_dropped_row_has_its_line_and_reason(tmp_path: Path) -> None:
    good = {"question": "Hi?", "answers": "Yo"}
    rows = [
        good,
        {"question": "", "answers": "Yo"},
        good,
        {"question": "Hi?"},
        {**good, "id": 5},
        {**good, "answers": "Z"},
    ]
    found = read_examples(write(tmp_path / "q.jsonl", rows), "q.jsonl")
    assert [(d.place, d.field, d.reason) for d in found.dropped] == [
        ("line 2", "question", "is empty"),
        ("line 3", "", "is the same as line 1"),
        ("line 4", "", "has none of the known shapes"),
        ("line 5", "", "is the same as line 1"),
    ]
    assert [d.example.id for d in found.drafts] == ["q:1", "q:6"]


def test_ids_that_are_taken_are_made_distinct(tmp_path: Path) -> None:
    rows = [{"id": "a", "question": f"Question {i}?", "answers": "Yo"} for i in range(3)]
    found = read_examples(write(tmp_path / "q.jsonl", rows), "q.jsonl")
    assert [d.example.id for d in found.drafts] == ["a", "a#2", "a#3"]
    assert found.notes == ["q.jsonl, line 2: the id 'a' is taken, and 1 more were; each got a number behind it."]
    one_line = tmp_path / "q.json"
    one_line.write_text(json.dumps([*rows, {"id": "a#2", "question": "Another?", "answers": "Yo"}]))
    ids = [d.example.id for d in read_examples(one_line, "q.json").drafts]
    assert len(set(ids)) == len(ids) == 4

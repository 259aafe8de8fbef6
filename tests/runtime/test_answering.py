"""How a question is put, and how a reply becomes an answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from sharpen.runtime import adjusted, answering, compose
from sharpen.runtime.choosing import written_choice
from sharpen.runtime.composing import nearest
from sharpen.types import (
    Answer,
    Completion,
    Decoding,
    Demo,
    Example,
    Generate,
    Likelihoods,
    Message,
    Passage,
    Prompt,
    Rank,
    Retriever,
    Search,
    Shots,
    Span,
    System,
)


def passage(id: str, text: str, **meta: Any) -> Passage:
    return Passage(id, text, Span("d", 0, len(text)), meta=meta)


def asked(text: str, id: str = "q", **more: Any) -> Example:
    return Example(id, (Message("user", text),), **more)


def roles(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in messages]


def finish(run: Generator[Any, Any, Answer], result: Any) -> Answer:
    with pytest.raises(StopIteration) as stop:
        run.send(result)
    answer: Answer = stop.value.value
    return answer


def test_instruction_then_examples_then_the_question_under_its_passages() -> None:
    prompt = Prompt("Be brief.", "Q: {question}", "{context}\n\nQ: {question}", "[{n}] {text}")
    demo = Demo("Where?", "There.", (passage("p", "It is there."),))
    found = (passage("a", "First."), passage("b", "Second."))
    assert roles(compose(prompt, [Message("user", "When?")], [demo, Demo("Who?", "Me.")], found)) == [
        ("system", "Be brief."),
        ("user", "[1] It is there.\n\nQ: Where?"),
        ("assistant", "There."),
        ("user", "Q: Who?"),
        ("assistant", "Me."),
        ("user", "[1] First.\n\n[2] Second.\n\nQ: When?"),
    ]


def test_without_an_instruction_there_is_no_system_message() -> None:
    assert roles(compose(Prompt(), [Message("user", "Hi")])) == [("user", "Hi")]


def test_a_system_message_of_the_example_follows_the_instruction() -> None:
    turns = [Message("system", "You sell lamps."), Message("user", "Hi")]
    assert roles(compose(Prompt("Be brief."), turns)) == [("system", "Be brief.\nYou sell lamps."), ("user", "Hi")]
    assert roles(compose(Prompt(), turns)) == [("system", "You sell lamps."), ("user", "Hi")]


def test_earlier_turns_stay_as_they_are_and_follow_the_examples() -> None:
    turns = [Message("user", "One"), Message("assistant", "Two"), Message("user", "Three")]
    prompt = Prompt("I", "Q: {question}")
    assert roles(compose(prompt, turns, [Demo("d", "e")])) == [
        ("system", "I"),
        ("user", "Q: d"),
        ("assistant", "e"),
        ("user", "One"),
        ("assistant", "Two"),
        ("user", "Q: Three"),
    ]


def test_a_tool_result_at_the_end_is_not_put_as_a_question() -> None:
    turns = [Message("user", "One"), Message("tool", "{question}", tool_call_id="7")]
    assert compose(Prompt("", "Q: {question}"), turns)[-1] == turns[-1]


@pytest.mark.parametrize(
    "text", ["{question}", "{context} {text} {n}", "{0} {} {{x}} %s $x", "\\1 \\g<0>", "{unknown}"]
)
def test_braces_of_users_and_documents_stay_text(text: str) -> None:
    prompt = Prompt("Say {goal}.", "Q: {question} {unknown}", "{context}|{question}", "<{text}>")
    assert compose(prompt, [Message("user", text)])[-1].content == f"Q: {text} {{unknown}}"
    assert compose(prompt, [Message("user", text)])[0].content == "Say {goal}."
    found = (passage("p", text),)
    assert compose(prompt, [Message("user", text)], passages=found)[-1].content == f"<{text}>|{text}"
    assert compose(prompt, [Message("user", "q")], [Demo(text, text, found)])[1].content == f"<{text}>|{text}"


def test_what_a_plain_program_asks_and_answers() -> None:
    program = System("m", ("adapter:1",), prompt=Prompt("I"), decoding=Decoding(9))
    run = answering(program, asked("Hi"))
    assert next(run) == Generate("m", ("adapter:1",), (Message("system", "I"), Message("user", "Hi")), Decoding(9))
    completion = Completion("**Answer:** Paris\nIt is big.", prompt_tokens=5, completion_tokens=7, seconds=0.5)
    answer = finish(run, completion)
    assert (answer.text, answer.raw, answer.tokens, answer.seconds) == ("Paris", completion.text, 12, 0.5)
    assert answer.completions == (completion,)


def test_several_lines_where_the_task_wants_them() -> None:
    run = answering(System("m", decoding=Decoding(one_line=False)), asked("Hi"))
    next(run)
    assert finish(run, Completion("One.\nTwo.")).text == "One.\nTwo."


def test_an_error_is_handed_on() -> None:
    run = answering(System("m"), asked("Hi"))
    next(run)
    answer = finish(run, Completion("", finish="error", error="too long."))
    assert (answer.error, answer.finish, answer.text) == ("too long.", "error", "")


def test_retrieval_comes_first_and_the_answer_names_its_passages() -> None:
    program = System("m", retriever=Retriever("index:1", 2, "bm25"))
    run = answering(program, asked("When?", gold=(Span("d", 0, 1),)))
    assert next(run) == Search("index:1", "When?", 2, "bm25")
    found = (passage("a", "First."), passage("b", "Second."))
    request = run.send(found)
    assert request.messages[-1].content == "First.\n\nSecond.\n\nQuestion: When?"
    answer = finish(run, Completion("x"))
    assert answer.passages == found
    assert answer.citations == ("a", "b")


def test_gold_spans_are_told_to_oracles_alone() -> None:
    gold = (Span("d", 0, 1),)
    for how, told in (("gold", gold), ("hybrid", ()), ("bm25", ()), ("dense", ())):
        request = next(answering(System("m", retriever=Retriever("index:1", 1, how)), asked("q", gold=gold)))
        assert request.gold == told


def test_nothing_found_is_a_plain_question() -> None:
    run = answering(
        System("m", prompt=Prompt(template="Q: {question}"), retriever=Retriever("index:1")), asked("When?")
    )
    next(run)
    assert run.send(()).messages[-1].content == "Q: When?"


# Worked examples found anew for each question.

TRAIN = (
    passage("t1", "how do i return a lamp", answer="By post."),
    passage("t2", "where is my parcel", answer="Nearby."),
    passage("t3", "what does the desk cost", answer="10."),
)


def test_shots_leave_out_the_question_itself() -> None:
    shown = nearest(TRAIN, asked("something else entirely", id="t2"), 3)
    assert [d.example_id for d in shown] == ["t3", "t1"], "nearest last"
    assert [d.answer for d in shown] == ["10.", "By post."]


@pytest.mark.parametrize(
    ("question", "left_out"),
    [
        ("how do i return a lamp", True),
        ("How do I RETURN a lamp", True),
        ("How do I return a lamp?", True),
        ("“How,” do I return a lamp?!", True),
        ("lamp a return i do how", True),
        ("how do i return a lamp please now today sir", False),
        ("how do i return it", False),
    ],
)
def test_shots_leave_out_near_duplicates(question: str, left_out: bool) -> None:
    assert ("t1" not in {d.example_id for d in nearest(TRAIN, asked(question), 3)}) == left_out


def test_shots_ask_for_more_than_they_show() -> None:
    program = System("m", demos=(Demo("fixed", "f", example_id="t9"),), shots=Shots("index:2", 2, "dense"))
    run = answering(program, asked("where is my parcel", id="t2"))
    request = next(run)
    assert (request.index, request.query, request.how) == ("index:2", "where is my parcel", "dense")
    assert request.k > 2
    contents = [m.content for m in run.send(TRAIN).messages]
    assert contents == [
        *("fixed", "f", "what does the desk cost", "10.", "how do i return a lamp", "By post.", "where is my parcel")
    ]


# Choices.


def test_the_choice_of_highest_adjusted_likelihood() -> None:
    decoding = Decoding(choices=("a b", "c"))
    run = answering(System("m", decoding=decoding), asked("Hi"))
    assert next(run) == Rank("m", (), (Message("user", "Hi"),), ("a b", "c"))
    answer = finish(run, Likelihoods((-3.0, -2.0), (2, 1), 5, 0.1))
    assert (answer.text, dict(answer.label_scores), answer.tokens) == ("c", {"a b": -3.0, "c": -2.0}, 5)
    assert answer.completions[0].logprobs == (-3.0, -2.0)
    assert answer.completions[0].tokens == (2, 1)


def test_length_and_priors_as_the_decoding_says() -> None:
    assert adjusted(Decoding(), (-3.0, -2.0), (2, 1)) == [-3.0, -2.0]
    assert adjusted(Decoding(per_token=True), (-3.0, -2.0), (2, 1)) == [-1.5, -2.0]
    assert adjusted(Decoding(priors=(-1.0, -4.0), prior_weight=0.5), (-3.0, -2.0), (2, 1)) == [-2.5, 0.0]
    assert adjusted(Decoding(priors=(-1.0, -4.0), prior_weight=1, per_token=True), (-3.0, -2.0), (2, 0)) == [-0.5, 2.0]


def test_ranking_that_fails_is_an_error() -> None:
    run = answering(System("m", decoding=Decoding(choices=("a", "b"))), asked("Hi"))
    next(run)
    answer = finish(run, Likelihoods((), (), error="too long."))
    assert (answer.error, answer.text) == ("too long.", "")


CHOICES = ("card", "card_arrival", "lost or stolen", "top-up")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("card", "card"),
        ("Card arrival", "card_arrival"),
        ("card_arrival.", "card_arrival"),
        ("It is about card arrival", "card_arrival"),
        ("the card", "card"),
        ("Lost or stolen!", "lost or stolen"),
        ("top up", "top-up"),
        ("discard", ""),
        ("card, or lost or stolen", ""),
        ("", ""),
        ("???", ""),
    ],
)
def test_a_written_choice_is_read_tolerantly(said: str, meant: str) -> None:
    assert written_choice(said, CHOICES) == meant


@pytest.mark.parametrize(
    ("said", "choices", "meant"),
    [
        ("1", ("-1", "0", "1"), "1"),
        ("-1", ("-1", "0", "1"), "-1"),
        ("-1.", ("-1", "0", "1"), "-1"),
        ("It is -1, I think.", ("-1", "0", "1"), "-1"),
        ("It is 1 (one).", ("-1", "0", "1"), "1"),
        ("1", ("+1", "-1"), ""),
        ("C#", ("C", "C#", "C++"), "C#"),
        ("c++!", ("C", "C#", "C++"), "C++"),
        ("C", ("C#", "C++"), ""),
        ("+", ("+", "-"), "+"),
        ("-", ("+", "-"), "-"),
        ("", ("+", "-"), ""),
        ("...", ("+", "-"), ""),
        ("a", ("A", "a"), "a"),
    ],
)
def test_choices_that_differ_in_marks_alone_are_not_mixed_up(said: str, choices: tuple[str, ...], meant: str) -> None:
    assert written_choice(said, choices) == meant
    assert written_choice(said, choices[::-1]) == meant


def test_a_model_without_likelihoods_writes_its_choice() -> None:
    run = answering(System("m", decoding=Decoding(choices=CHOICES, by_text=True)), asked("Hi"))
    assert isinstance(next(run), Generate)
    assert finish(run, Completion("Class: card arrival")).text == "card_arrival"


@pytest.mark.parametrize(
    "choices",
    [
        ("> 5 years", "< 5 years", "- unknown"),
        ("class: A", "class: B", "category: A"),
        ('"a"', "a", "*a*"),
        ("A", "a: x", "x"),
        ("answer:", "```", "# 1", "1"),
    ],
)
def test_a_choice_that_looks_like_what_stands_around_an_answer_is_read_whole(choices: tuple[str, ...]) -> None:
    for choice in choices:
        for said in (choice, f" {choice}\n", f"<think>{choices[0]}?</think>\n{choice}"):
            run = answering(System("m", decoding=Decoding(choices=choices, by_text=True)), asked("Hi"))
            next(run)
            assert finish(run, Completion(said)).text == choice, said


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Answer: > 5 years", "> 5 years"),
        ('"> 5 years"', "> 5 years"),
        ("**Class:** < 5 Years.\n\nIt is new.", "< 5 years"),
        ("- > 5 years", "> 5 years"),
        ("```\n- unknown\n```", "- unknown"),
        ("> unknown", "- unknown"),
        ("> 6 years", ""),
        ("5 years", ""),
    ],
)
def test_what_stands_around_a_choice_is_taken_off_until_one_is_left(said: str, meant: str) -> None:
    choices = ("> 5 years", "< 5 years", "- unknown")
    assert written_choice(said, choices) == meant
    assert written_choice(said, choices[::-1]) == meant

"""Prompt methods as techniques, on a model whose replies the tests write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sharpen.config import parse_sum
from sharpen.metrics import open_metric
from sharpen.models.fake import FakeModel
from sharpen.runtime import Engines
from sharpen.techniques import Bench, NotAvailable, open_technique, why_not
from sharpen.techniques._worked import right
from sharpen.techniques.labels import again, rankings, rules
from sharpen.testing import tiny_bench
from sharpen.types import (
    Answer,
    Completion,
    Decoding,
    Demo,
    Example,
    Generate,
    Message,
    Reasoning,
    System,
)

Replies = Callable[[Generate], str]


class Told(FakeModel):
    """The fake model, which says what a test tells it to, and keeps what it was asked."""

    def __init__(self, reply: Replies) -> None:
        super().__init__()
        self.reply, self.asked = reply, list[Generate]()

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Completion]]:
        self.asked += requests
        for i, request in enumerate(requests):
            yield i, Completion(self.reply(request), prompt_tokens=1, completion_tokens=1, seconds=0.0)


def bench(reply: Replies, task: str = "question-answering", documents: bool = False) -> tuple[Bench, Told]:
    made, model = tiny_bench(task, documents), Told(reply)
    return replace(made, engines=Engines(made.store, lambda ref, adapters: model), answers=None), model


def improved(does: str, on: Bench, program: System | None = None) -> System:
    program = program or on.first("fake:")
    for name, options in parse_sum(does):
        program = open_technique(name, options)(program, on)
    return program


def question(request: Generate) -> str:
    return request.messages[-1].content


def targets(on: Bench) -> dict[str, str]:
    return {e.question: e.targets[0] for e in (*on.train, *on.dev)}


def test_worked_examples_get_thoughts_that_led_to_the_right_answer() -> None:
    known: dict[str, str] = {}
    wrong = "Alder"

    def reply(request: Generate) -> str:
        if request.purpose == "reasoning":
            return f"I look at this room: {question(request)}"
        asked = next(q for q in known if q in request.messages[-3].content)
        return "no idea" if wrong in asked else known[asked]

    on, model = bench(reply)
    known |= targets(on)
    shown = tuple(e for e in on.train if wrong in e.question)[:2]
    program = replace(on.first("fake:"), demos=tuple(Demo(e.question, e.targets[0], (), e.id) for e in shown))
    notes: list[Any] = []
    made = improved("reason(ask='Think.', tries=9)", replace(on, note=lambda k, f: notes.append((k, f))), program)
    assert made.reasoning == Reasoning("Think.", "Therefore, the answer is:", 160)
    assert len(made.demos) == 2
    for demo in made.demos:
        assert wrong not in demo.question
        assert demo.reasoning == f"I look at this room: {demo.question}\n\nThink."
        assert demo.answer == known[demo.question]
        assert demo.example_id in {e.id for e in on.train}
    ((_, facts),) = [n for n in notes if n[0] == "thoughts"]
    assert facts["asked"] == 9
    assert facts["right"] == facts["with thoughts"] < 9
    thought_about = [r for r in model.asked if r.purpose == "reasoning" and len(r.messages) == 2]
    assert thought_about, "train is thought about without worked examples in sight"


def test_examples_stay_as_they_are_where_no_thought_helps() -> None:
    on, _ = bench(lambda r: "never right")
    shown = tuple(Demo(e.question, e.targets[0], (), e.id) for e in on.train[:2])
    made = improved("reason(ask='Think.', tries=4)", on, replace(on.first("fake:"), demos=shown))
    assert made.demos == shown
    assert improved("reason(ask='Think.', shown=False)", on, replace(on.first("fake:"), demos=shown)).demos == shown


def test_the_better_wording_is_taken_and_a_class_is_asked_for_as_one() -> None:
    def reply(request: Generate) -> str:
        good = any("Slowly." in m.content for m in request.messages)
        return "thoughts of some length" if request.purpose == "reasoning" else known[asked(request)] if good else "no"

    def asked(request: Generate) -> str:
        return next(q for q in known if q in request.messages[-3].content)

    on, _ = bench(reply)
    known = targets(on)
    made = improved("reason(ask=('Quickly.', 'Slowly.'))", on)
    assert made.reasoning is not None
    assert made.reasoning.ask == "Slowly."
    on, _ = bench(lambda r: "thoughts", "classification")
    made = improved("reason(ask='Think.')", on)
    assert made.reasoning is not None
    assert made.reasoning.then == "Therefore, the class is:"


@pytest.mark.parametrize(
    ("task", "before", "why"),
    [
        ("classification", "baseline", "likelihoods choose the class"),
        ("classification", "reason(ask='Think.')", None),
        ("summarization", "baseline", "hardly two texts"),
        ("question-answering", "baseline", None),
    ],
)
def test_votes_are_for_answers_that_can_be_alike(task: str, before: str, why: str | None) -> None:
    on, _ = bench(lambda r: "one", task)
    program = improved(before, on)
    said = why_not("vote", program, on.task, frozenset({"generate", "score"}))
    assert said is None if why is None else why in str(said)
    assert "only chooses" in str(why_not("vote", program, on.task, frozenset({"score"})))


def test_votes_are_drawn_from_different_seeds_and_the_most_frequent_wins() -> None:
    on, model = bench(lambda r: {0: "a", 1: "b", 2: "b"}[r.decoding.seed])
    program = improved("vote(n=3, temperature=0.5)", on)
    (answer,) = on.answer(program, on.dev[:1])
    assert (answer.text, answer.votes, len(answer.completions)) == ("b", 2, 3)
    assert {r.decoding.temperature for r in model.asked} == {0.5}
    cheap = improved("vote(n=(2, 3))", on)
    assert cheap.decoding.votes == 2, "a vote more that changes nothing is not paid for"


def test_json_is_asked_for_and_its_field_is_the_answer() -> None:
    on, model = bench(lambda r: json.dumps({"answer": "14 days"}) if "JSON" in r.messages[0].content else "14 days")
    notes: list[Any] = []
    made = improved("structured", replace(on, note=lambda k, f: notes.append((k, f))))
    (answer,) = on.answer(made, on.dev[:1])
    assert (answer.text, answer.valid, answer.raw) == ("14 days", True, '{"answer": "14 days"}')
    assert ("valid on dev", {"valid": len(on.dev), "n": len(on.dev)}) in notes
    assert made.decoding.max_new_tokens == on.max_new_tokens + 24
    shown = replace(made, demos=(Demo("What?", 'say "so"'),))
    on.answer(shown, on.dev[:1])
    assert json.loads(model.asked[-1].messages[2].content) == {"answer": 'say "so"'}


def test_a_model_that_keeps_the_form_only_where_it_sees_it_is_shown_it() -> None:
    def reply(request: Generate) -> str:
        seen = any(m.role == "assistant" and m.content.startswith("{") for m in request.messages)
        asked = next(q for q in known if q in question(request))
        return json.dumps({"answer": known[asked]}) if seen else "I do not write JSON."

    on, _ = bench(reply)
    known = targets(on)
    made = improved("structured(retries=0)", on)
    assert len(made.demos) == 2
    assert {d.example_id for d in made.demos} <= {e.id for e in on.train}
    assert all(a.valid for a in on.answer(made, on.dev))
    assert not improved("structured(retries=0, examples=0)", on).demos
    with_own = improved("few_shot(k=1, draws=1) + structured(retries=0)", on)
    assert len(with_own.demos) == 1
    assert not improved("structured(retries=0)", replace(on, train=())).demos


def test_classes_are_the_only_values_and_are_read_out_of_the_json() -> None:
    on, _ = bench(lambda r: '{"answer": "Refund"}' if len(r.messages) < 4 else '{"answer": "refund"}', "classification")
    made = improved("structured(retries=1)", on)
    schema = json.loads(made.decoding.schema)
    assert schema["properties"]["answer"]["enum"] == list(on.labels)
    (answer,) = on.answer(made, on.dev[:1])
    assert (answer.text, answer.valid, len(answer.completions)) == ("refund", True, 2)
    assert not answer.label_scores


def test_a_schema_of_ones_own(tmp_path: Any) -> None:
    own = {"type": "object", "required": ["days"], "properties": {"days": {"type": "integer"}}}
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(own))
    on, _ = bench(lambda r: 'Sure: {"days": 14}')
    for given in (f"'{file}'", f"'{json.dumps(own)}'", repr(own)):
        made = improved(f"structured(schema={given})", on)
        assert json.loads(made.decoding.schema) == own
        (answer,) = on.answer(made, on.dev[:1])
        assert (answer.text, answer.valid) == ('{"days": 14}', True)


def test_a_limit_is_told_kept_and_measured() -> None:
    on, _ = bench(lambda r: "One two. Three four five six.", "generation")
    notes: list[Any] = []
    made = improved("shorten(words=4)", replace(on, note=lambda k, f: notes.append((k, f))))
    assert "at most 4 words" in made.prompt.instruction
    (answer,) = on.answer(made, on.dev[:1])
    assert answer.text == "One two."
    assert ("longer on dev", {"words": 4, "cut": len(on.dev), "n": len(on.dev)}) in notes
    assert "a class is" in str(
        why_not("shorten", tiny_bench("classification").first("fake:"), on.task, frozenset({"generate"}))
    )


def test_what_must_not_be_said_is_told_asked_for_anew_and_found() -> None:
    on, model = bench(lambda r: "So sorry!" if len(r.messages) < 4 else "Room 4", "generation")
    made = improved("avoid(words=('Sorry', 'cannot'), must_not='name prices')", on)
    assert 'Do not name prices. Do not use these words: "Sorry", "cannot".' in made.prompt.instruction
    (answer,) = on.answer(made, on.dev[:1])
    assert (answer.text, answer.findings, len(answer.completions)) == ("Room 4", (), 2)
    assert question(model.asked[-1]).startswith("That cannot be used: it must not hold 'Sorry'.")
    stubborn, _ = bench(lambda r: "sorry", "generation")
    (answer,) = stubborn.answer(made, stubborn.dev[:1])
    assert (answer.text, answer.findings) == ("sorry", ("it must not hold 'Sorry'",))


def test_a_chain_keeps_what_its_steps_wrote_also_in_worked_examples() -> None:
    def reply(request: Generate) -> str:
        return f"{request.purpose} of {request.messages[-1].content[-20:]}"

    on, model = bench(reply)
    made = improved(
        "chain(steps=(('facts', 'Facts: {question}'), ('sure', 'Sure? {facts}'))) + few_shot(k=1, draws=1)", on
    )
    assert [s.name for s in made.steps] == ["facts", "sure"]
    ((name, wrote), _) = made.demos[0].steps
    assert (name, wrote) == ("facts", f"facts of {made.demos[0].question[-20:]}")
    (answer,) = on.answer(made, on.dev[:1])
    assert list(answer.steps) == ["facts", "sure"]
    assert question(model.asked[-1]) == (
        f"Facts:\n{answer.steps['facts']}\n\nSure:\n{answer.steps['sure']}\n\n{on.dev[0].question}"
    )
    assert model.asked[-1].messages[1].content.startswith(f"Facts:\n{wrote}\n\n")
    twice = improved("chain + chain", on)
    assert [s.name for s in twice.steps] == ["facts", "facts_2"]


def test_a_step_back_is_searched_for_or_answered() -> None:
    on, model = bench(lambda r: "What are rooms like?" if r.purpose == "general_question" else "said")
    made = improved("step_back", on)
    assert [s.name for s in made.steps] == ["general_question", "background"]
    on.answer(made, on.dev[:1])
    _, background, last = model.asked[-3:]
    assert question(background).startswith("What are rooms like?\n\n")
    assert question(last) == f"Background:\nsaid\n\n{on.dev[0].question}"
    on, model = bench(lambda r: "What are rooms like?", documents=True)
    made = improved("retrieve(k=1, how='bm25') + step_back", on)
    assert made.retriever is not None
    assert made.retriever.query == "{question}\n{general_question}"
    assert len(made.steps) == 1


def test_a_condition_that_is_not_met_is_said_and_nothing_else_is_asked() -> None:
    known: list[str] = []

    def reply(request: Generate) -> str:
        return (
            ("No, it is not." if known[0] in question(request) else "Yes") if request.purpose == "check" else "Room 4"
        )

    on, model = bench(reply)
    known.append(on.dev[0].question)
    notes: list[Any] = []
    does = "check_first(condition='It is about rooms.', text='Ask about rooms.')"
    made = improved(does, replace(on, note=lambda k, f: notes.append((k, f))))
    first, second = on.answer(made, on.dev[:2])
    assert (first.text, first.finish, first.steps) == ("Ask about rooms.", "refused", {"check": "No, it is not."})
    assert (second.text, second.finish) == ("Room 4", "stop")
    assert "Is this true of the request above: It is about rooms." in question(model.asked[0])
    ((_, facts),) = [n for n in notes if n[0] == "refused on dev"]
    assert (facts["refused with an answer"], facts["with an answer"]) == (1, len(on.dev))
    with pytest.raises(NotAvailable, match="nothing to check"):
        improved("check_first", on)


def test_a_question_is_rewritten_only_where_it_leans_on_turns_before() -> None:
    on, model = bench(lambda r: "What does a room for two cost?" if r.purpose == "standalone" else "40", "chat")
    made = improved("rewrite_history", on)
    turns = (Message("user", "What does a room cost?"), Message("assistant", "30"), Message("user", "And for two?"))
    (answer,) = on.answer(made, [Example("a", turns)])
    rewrite, last = model.asked[-2:]
    assert "user: What does a room cost?\nassistant: 30" in question(rewrite)
    assert [m.content for m in last.messages if m.role != "system"] == ["What does a room for two cost?"]
    assert answer.steps == {"standalone": "What does a room for two cost?"}
    model.asked.clear()
    (answer,) = on.answer(made, [Example("b", turns[:1])])
    (last,) = model.asked
    assert (question(last), answer.steps) == (turns[0].content, {"standalone": turns[0].content})
    single, _ = bench(lambda r: "so")
    for technique in ("rewrite_history", "history"):
        with pytest.raises(NotAvailable, match="no question has turns before it"):
            improved(technique, single)


def test_a_rewritten_question_is_searched_for_and_examples_keep_theirs() -> None:
    on, model = bench(
        lambda r: "What is the rent of the Elm room?" if r.purpose == "standalone" else "90", "chat", True
    )
    made = improved("retrieve(k=1, how='bm25') + rewrite_history", on)
    assert made.retriever is not None
    assert made.retriever.query == "{standalone}"
    shown = replace(made, demos=(Demo("What is it?", "So"),))
    on.answer(shown, [e for e in on.dev if len(e.messages) > 1][:1])
    assert "{" not in "".join(m.content for m in model.asked[-1].messages)


def test_no_more_turns_are_kept_than_help() -> None:
    on, _ = bench(lambda r: "so", "chat")
    assert improved("history", on).prompt.history == 0
    assert improved("history(turns=3)", on).prompt.history == 3


GERMAN = [
    ("Wie viel kostet der Raum im Erdgeschoss am Tag?", "vierzig Euro"),
    ("Welche Farbe haben die Wände in dem kleinen Raum?", "grün"),
    ("Wer ist für den großen Saal im Keller zuständig?", "Ines"),
    ("Wie viele Menschen passen in den Raum unter dem Dach?", "zwölf"),
]


def test_the_language_of_the_questions_is_told_and_shown() -> None:
    asked = [Example(f"g{i}", (Message("user", q),), (a,)) for i, (q, a) in enumerate(GERMAN)]
    on, model = bench(lambda r: "grün" if "Antworte auf Deutsch." in r.messages[0].content else "green")
    on = replace(on, train=tuple(asked[:3]), dev=tuple(asked[1:2]))
    english = Demo("What is the colour of the walls in the small room?", "green", (), "e")
    program = replace(on.first("fake:"), demos=(english, Demo(*GERMAN[0], (), "g0")))
    made = improved("own_language", on, program)
    assert made.prompt.instruction.endswith("Antworte auf Deutsch.")
    assert {d.example_id for d in made.demos} <= {"g0", "g1", "g2"}
    assert len(made.demos) == 2
    through = next(r for r in model.asked if r.purpose == "in_english")
    assert question(through).startswith("Translate into English.")
    other = improved("own_language(target='fr', through_english=False)", on)
    assert "French" in other.prompt.instruction or "français" in other.prompt.instruction
    mixed = replace(on, train=(*asked[:2], *tiny_bench().train[:2]))
    assert improved("own_language", mixed).prompt.instruction.endswith("Answer in the language of the question.")
    with pytest.raises(NotAvailable, match="all in English"):
        improved("own_language", bench(lambda r: "so")[0])


def test_what_counts_as_right_is_in_the_upper_half() -> None:
    on, _ = bench(lambda r: "")
    e = on.train[0]
    assert right(on, [e, e], [Answer(e.targets[0]), Answer("other")]) == [True, False]
    times = replace(on, metrics=[open_metric("seconds")])
    assert right(times, [e], [Answer(e.targets[0], seconds=1.0)]) == [False]


def voted(*logprobs: tuple[float, float]) -> Answer:
    """An answer of several votes, each a thought and what the model told of the classes a and b (2 and 1 tokens)."""
    said: list[Completion] = []
    for n, each in enumerate(logprobs):
        said += [Completion(f"thought {n}"), Completion("a", tokens=(2, 1), logprobs=each, ranked=True)]
    return Answer("a", "a", {"a": -1.0, "b": -2.0}, completions=tuple(said), reasoning="thought 0", votes=len(logprobs))


def test_the_rule_of_classes_is_applied_to_every_vote() -> None:
    answer = voted((-2.0, -1.5), (-2.0, -1.6), (-1.0, -3.0))
    decoding = Decoding(choices=("a", "b"), votes=3)
    assert len(rankings(answer)) == 3
    summed = again(answer, decoding)
    assert (summed.text, summed.votes, summed.reasoning) == ("b", 2, "thought 0")
    assert summed.label_scores == {"a": pytest.approx(-5 / 3), "b": pytest.approx(-6.1 / 3)}
    each = again(answer, replace(decoding, per_token=True))
    assert (each.text, each.votes) == ("a", 3)
    program = System("m", decoding=decoding, reasoning=Reasoning())
    made = rules(program, [answer, Answer("", error="gone")])
    assert [p.decoding.per_token for p, _ in made] == [False, True]
    assert made[0][1][1].error == "gone"


def test_the_rule_of_classes_takes_the_ranking_and_not_the_thought_before_it() -> None:
    thought = Completion("a thought", tokens=(1, 2), logprobs=(-9.0, -9.0))
    told = Completion("b", tokens=(1, 1), logprobs=(-2.0, -1.0), ranked=True)
    answer = Answer("b", "b", {"a": -2.0, "b": -1.0}, completions=(thought, told), reasoning="a thought")
    assert again(answer, Decoding(choices=("a", "b"))).text == "b"
    assert again(answer, Decoding(choices=("a", "b"), priors=(-2.0, 0.0), prior_weight=1.0)).text == "a"


def test_the_likelihoods_of_each_thought_are_asked_for() -> None:
    on, _ = bench(lambda r: f"thought {r.decoding.seed}", "classification")
    made = improved("reason(ask='Think.') + vote(n=3)", on)
    answers = on.answer(made, on.dev)
    assert all(len(rankings(a)) == 3 for a in answers)
    assert isinstance(on.score(made).values[0], float)

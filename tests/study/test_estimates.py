"""Estimates rest on the prompts that arms will really have, and on what the loop will really compute."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sharpen import tuning
from sharpen.config import Arm
from sharpen.study.calls import METHODS, Calls, tried, writes
from sharpen.study.estimates import Asked, Draft, Estimator, Sketch, estimate, fit
from sharpen.study.speeds import Speeds
from sharpen.techniques import Counts, open_technique
from sharpen.techniques.lora import conversations
from sharpen.testing import tiny_bench

SPEEDS = Speeds(
    load_seconds=1,
    tuned_load_seconds=4,
    prompt=100,
    answer=10,
    answer_alone=5,
    answer_context=0.0001,
    answer_tokens=6,
    shot_tokens=5,
    label_tokens=50,
    embed=10,
    train=20,
    train_step=0.5,
    train_start=2,
    memory_answering=1,
    memory_training=2,
    memory_token=0.001,
    measuring_seconds=3,
)


def draw(task: str = "question-answering", model: str = "fake:") -> Sketch:
    bench = tiny_bench(task)
    return Sketch(bench, bench.engines.model(model), test=10)


def asked(speeds: Speeds, sketch: Sketch) -> dict[str, Asked]:
    return {"fake:": Asked(speeds, sketch)}


def test_training_without_passages_is_counted_exactly() -> None:
    sketch = draw()
    bench, model = sketch.bench, sketch.model
    program = bench.first("fake:")
    rows, dev = (
        [model.render(m) for m in conversations(program, examples, bench, 0.0)[0]]
        for examples in (bench.train, bench.dev)
    )
    options = tuning.TrainOptions(num_train_epochs=3, per_device_train_batch_size=4)
    found = sketch.work(Draft(program.prompt, 6), {"num_train_epochs": 3, "per_device_train_batch_size": 4}, Counts())
    assert found == tuning.workload(rows, dev, options)


def test_epochs_follow_the_budget() -> None:
    sketch = draw()
    draft = Draft(sketch.bench.first("fake:").prompt, 6)
    whole = sketch.work(draft, {}, Counts())
    half = sketch.work(draft, {}, Counts(epochs=0.5))
    assert half.tokens == pytest.approx(whole.tokens / 2, rel=0.2)


def test_what_prompts_share_is_computed_once() -> None:
    sketch = draw()
    draft = Draft(sketch.bench.first("fake:").prompt, 6)
    shots = replace(draft, demos=3)
    assert sketch.load(draft).computed < sketch.load(draft).whole
    assert sketch.load(shots).whole > sketch.load(draft).whole + 20
    assert sketch.load(shots).computed == pytest.approx(sketch.load(draft).computed, abs=3)


def test_passages_make_prompts_longer_and_questions_on_one_passage_share_it() -> None:
    sketch = draw()
    draft = Draft(sketch.bench.first("fake:").prompt, 6)
    one, two = (sketch.load(replace(draft, k=k)) for k in (1, 2))
    assert sketch.load(draft).whole < one.whole < two.whole
    assert one.computed < one.whole / 2


def test_steps_that_two_arms_share_are_counted_with_the_first() -> None:
    sketch = draw()
    arms = [Arm(does=d) for d in ("baseline", "retrieve", "retrieve + lora")]
    rows, seconds = estimate(asked(SPEEDS, sketch), arms, Counts())
    assert seconds > sum(r["seconds"] for r in rows), "the oracles are asked too"
    assert "retrieve" in rows[1]["why"]
    assert "retrieve" not in rows[2]["why"]


def test_what_takes_hardly_any_time_is_not_said_to_take_none() -> None:
    quick = replace(SPEEDS, prompt=1e9, answer=1e9, answer_alone=1e9, answer_context=0.0)
    (row,), _ = estimate(asked(quick, draw()), [Arm(does="baseline")], Counts())
    assert "dev and test under 1 s, latency under 1 s" in row["why"]


def test_memory_of_a_training_follows_its_largest_pass() -> None:
    """A row longer than a pass has one for itself: where the longest had 1,050 tokens a pass of 768 was put down."""
    sketch = draw()
    work = sketch.work(Draft(sketch.bench.first("fake:").prompt, 6), {}, Counts())
    arms = [Arm(does="baseline"), Arm(does="lora")]
    for each in (0.001, 0.01):
        rows, _ = estimate(asked(replace(SPEEDS, memory_token=each), sketch), arms, Counts())
        assert rows[0]["memory_gb"] == 1
        assert rows[1]["memory_gb"] == pytest.approx(2 + each * work.largest_pass)
    answering = replace(SPEEDS, memory_answering=9)
    assert estimate(asked(answering, sketch), arms, Counts())[0][1]["memory_gb"] == 9, "it answers, too"


def test_each_arm_is_estimated_by_the_speeds_of_its_own_model() -> None:
    slow = replace(SPEEDS, prompt=50, answer=5, answer_alone=2.5, memory_answering=4, memory_training=9)
    models = {"fake:": Asked(SPEEDS, draw()), "fake:coin": Asked(slow, draw(model="fake:coin"))}
    retrieve, other = Arm(does="retrieve"), Arm(does="retrieve", model="fake:coin", name="other")
    alone = [estimate(asked(s, draw()), [a], Counts()) for s, a in ((SPEEDS, retrieve), (slow, Arm(does="retrieve")))]
    rows, seconds = estimate(models, [retrieve, other], Counts())
    assert rows[0]["seconds"] == pytest.approx(alone[0][0][0]["seconds"])
    assert rows[1]["memory_gb"] == 4
    index = len(draw().passages) / SPEEDS.embed  # built once for both
    assert rows[1]["seconds"] == pytest.approx(alone[1][0][0]["seconds"] - index)
    assert seconds > sum(r["seconds"] for r in rows) + 2 * SPEEDS.measuring_seconds


def test_steps_and_the_start_of_a_training_cost_beside_its_tokens() -> None:
    sketch = draw()
    work = sketch.work(Draft(sketch.bench.first("fake:").prompt, 6), {}, Counts())
    free = replace(SPEEDS, train_step=0.0, train_start=0.0)
    with_them, without = (estimate(asked(s, sketch), [Arm(does="lora")], Counts())[1] for s in (SPEEDS, free))
    assert with_them - without == pytest.approx(2 + work.steps * 0.5)


def test_labels_cost_their_own_tokens() -> None:
    sketch = draw("classification")
    ranked = estimate(asked(SPEEDS, sketch), [Arm(does="baseline")], Counts())[1]
    sketch.labels *= 2
    assert estimate(asked(SPEEDS, sketch), [Arm(does="baseline")], Counts())[1] > ranked


def test_a_model_that_tells_no_likelihoods_writes_its_label() -> None:
    """A hosted model's classification cost two billion seconds, and every budget cut its search down."""
    sketch, hosted = draw("classification"), replace(SPEEDS, label_tokens=0.0)
    rows, seconds = estimate(asked(hosted, sketch), [Arm(does="baseline"), Arm(does="few_shot")], Counts())
    assert seconds < 1_000
    written = estimate(asked(hosted, draw("question-answering")), [Arm(does="baseline")], Counts())[0][0]["seconds"]
    assert 0.2 * written < rows[0]["seconds"] < 5 * written
    assert fit(60, asked(hosted, sketch), [Arm(does="baseline")])[0] == Counts()


def test_a_budget_takes_trials_first_then_dev_questions_then_epochs() -> None:
    sketch = draw()
    arms = [Arm(does=d) for d in ("baseline", "few_shot", "retrieve + lora")]
    whole = estimate(asked(SPEEDS, sketch), arms, Counts())[1]
    assert fit(None, asked(SPEEDS, sketch), arms) == (Counts(), "")
    assert fit(whole / 60 + 1, asked(SPEEDS, sketch), arms)[0] == Counts()
    tight, why = fit(whole / 60 * 0.8, asked(SPEEDS, sketch), arms)
    assert tight != Counts()
    assert "minutes" in why
    assert "will be exceeded" in fit(0.001, asked(SPEEDS, sketch), arms)[1]


def test_every_call_of_an_answer_is_counted() -> None:
    sketch = draw()
    draft, estimator = Draft(sketch.bench.first("fake:").prompt, 6), Estimator(SPEEDS, sketch, Counts())
    load = sketch.load(draft)
    each, read = 1 / 10 + 0.0001 * load.whole, load.computed / 100

    def seconds(**calls: object) -> float:
        return estimator.ask(replace(draft, calls=Calls(**calls)), 1)

    assert seconds() == pytest.approx(read + 6 * each)
    assert seconds(steps=(30, 10)) == pytest.approx(2 * read + 40 * each + read + 0.4 + 6 * each)
    assert seconds(votes=3) == pytest.approx(read + 18 * each), "what is asked several times is read once"
    assert seconds(tries=1.5, form=8) == pytest.approx(1.5 * read + 1.5 * 14 * each)
    assert seconds(thoughts=20, votes=3) == pytest.approx(read + 60 * each + 3 * (read + 0.2) + 18 * each)


def test_techniques_of_several_calls_cost_more_and_say_how_many() -> None:
    sketch = draw()
    does = ["baseline", "reason", "reason + vote(n=5)", "chain(kind='parts')", "structured", "few_shot + reason"]
    rows, _ = estimate(asked(SPEEDS, sketch), [Arm(does=d) for d in does], Counts())
    seconds = dict(zip(does, (r["seconds"] for r in rows), strict=True))
    assert seconds["baseline"] < min(seconds[d] for d in does[1:])
    assert seconds["reason + vote(n=5)"] > 2 * seconds["baseline"]
    why = dict(zip(does, (r["why"] for r in rows), strict=True))
    assert "(2 calls an answer)" in why["reason"]
    assert "(10 calls an answer)" in why["reason + vote(n=5)"]
    assert "chain (3 calls an answer)" in why["chain(kind='parts')"] or "(3 calls" in why["chain(kind='parts')"]
    assert not any("not known" in r["why"] for r in rows)


@pytest.mark.parametrize("step", sorted(METHODS))
def test_the_calls_of_a_technique_are_those_of_its_program(step: str) -> None:
    """The drafts of an estimate are checked with what the technique really makes."""
    task = "chat" if "history" in step else "question-answering"
    bench = replace(tiny_bench(task), counts=Counts(trials=1))
    options = {"check_first": {"condition": "It is about rooms."}, "own_language": {"source": "de"}}.get(step, {})
    made = open_technique(step, options)(bench.first("fake:"), bench)
    calls = tried(step, options, Calls(), retrieves=False)
    assert len(made.steps) in {len(c.steps) for c in calls}
    assert {c.votes for c in calls} == {made.decoding.votes}
    assert {c.thoughts for c in calls} == {made.reasoning.max_new_tokens if made.reasoning else 0}
    assert {c.tries for c in calls} == {1 + made.decoding.retries / 2}
    assert {c.written for c in calls} == {bool(made.decoding.schema)}
    assert writes([step]) == any(c.steps or c.thoughts or c.written for c in calls)

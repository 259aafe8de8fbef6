"""The fake model: deterministic, it reads what it is given, and it learns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sharpen.errors import UserError
from sharpen.models import open_model
from sharpen.models.fake import FakeModel
from sharpen.testing import check_model
from sharpen.types import Completion, Decoding, Generate, Likelihoods, Message, Rank

CONTEXT = "The rent of the Elm room is 90.\n\nThe colour of the Elm room is blue."
ASK = "What is the colour of the Elm room?"


def turns(*contents: str) -> tuple[Message, ...]:
    return tuple(Message("user" if i % 2 == 0 else "assistant", c) for i, c in enumerate(contents))


def said(model: FakeModel, *contents: str, new: int = 48) -> Completion:
    ((_, completion),) = model.generate([Generate("fake:", (), turns(*contents), Decoding(new))])
    return completion


def ranked(model: FakeModel, question: str, *choices: str, before: tuple[str, ...] = ()) -> Likelihoods:
    ((_, likelihoods),) = model.score([Rank("fake:", (), turns(*before, question), choices)])
    return likelihoods


def test_it_keeps_the_contract_of_models() -> None:
    check_model(FakeModel())
    check_model(open_model("fake:coin?p=0.3"))


def test_it_knows_nothing_by_itself() -> None:
    assert said(FakeModel(), ASK).text == "I think that the answer is unknown, as far as I know."


def test_it_reads_a_given_text() -> None:
    assert (
        said(FakeModel(), f"{CONTEXT}\n\nQuestion: {ASK}").text == "I think that the answer is blue, as far as I know."
    )


def test_worked_examples_make_it_brief() -> None:
    assert said(FakeModel(), "What is up?", "the sky", f"{CONTEXT}\n\nQuestion: {ASK}").text == "blue"


def test_it_copies_the_answer_of_an_example_that_resembles_the_question() -> None:
    assert said(FakeModel(), "What colour has the Elm room?", "pink", ASK).text == "pink"
    assert said(FakeModel(), "What is the weather today in town?", "rain", ASK).text == "unknown"


def test_it_learns_rows_and_is_opened_with_them(tmp_path: Path) -> None:
    FakeModel().learn([(turns(ASK), "blue"), (turns("What is the rent?"), "90")], tmp_path)
    tuned = open_model("fake:", adapters=[tmp_path])
    assert said(tuned, ASK).text == "blue"  # type: ignore[arg-type]
    assert said(tuned, "Who keeps lions?").text == "unknown"  # type: ignore[arg-type]
    assert tuned.identity != FakeModel().identity


def test_two_adapters_add_up(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        FakeModel().learn([(turns(f"What is {name}?"), name)], tmp_path / name)
    both = open_model("fake:", adapters=[tmp_path / "one", tmp_path / "two"])
    assert [said(both, f"What is {n}?").text for n in ("one", "two")] == ["one", "two"]  # type: ignore[arg-type]


def test_a_limit_of_new_tokens_cuts() -> None:
    cut = said(FakeModel(), ASK, new=3)
    assert (cut.text, cut.finish, cut.completion_tokens) == ("I think that", "length", 3)
    assert said(FakeModel(), ASK).finish == "stop"


def test_choices_resemble_examples_or_the_question() -> None:
    even = ranked(FakeModel(), "hello there", "refund", "delivery")
    assert even.logprobs[0] == even.logprobs[1]
    assert np.exp(even.logprobs).sum() == pytest.approx(1)
    names = ranked(FakeModel(), "a refund please", "refund", "delivery")
    assert names.logprobs[0] > names.logprobs[1]
    shown = ranked(FakeModel(), "money back now", "refund", "delivery", before=("money back", "refund"))
    assert shown.logprobs[0] > shown.logprobs[1]
    assert ranked(FakeModel(), "x", "lost or stolen", "a").tokens == (3, 1)


def test_embeddings_are_unit_and_alike_for_alike_texts() -> None:
    vectors = FakeModel().embed(["the red lamp", "a red lamp", "blue desk", ""])
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-6)
    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-6)
    assert vectors[0] @ vectors[2] < 0.5


def test_the_coin_is_right_as_often_as_it_says() -> None:
    questions = [f"question {i}? gold{i}" for i in range(4000)]

    def share(ref: str, instruction: str = "") -> float:
        model = open_model(ref)
        head = (Message("system", instruction),) if instruction else ()
        requests = [Generate(ref, (), (*head, Message("user", q)), Decoding()) for q in questions]
        return sum(c.text == f"gold{i}" for i, c in model.generate(requests)) / len(questions)

    assert share("fake:coin?p=0.3") == pytest.approx(0.3, abs=0.03)  # 4 standard errors
    assert share("fake:coin?p=0.3", "help=0.2") == pytest.approx(0.5, abs=0.03)
    assert share("fake:coin?p=0.3", "help=-0.3") == 0
    assert share("fake:coin") == pytest.approx(0.5, abs=0.03)
    assert share("fake:coin?p=0.3") == share("fake:coin?p=0.3", "an instruction that says nothing")
    assert share("fake:coin?p=0.3", "salt=a") == pytest.approx(0.3, abs=0.03)


def test_a_salted_coin_agrees_with_the_plain_one_on_most_questions() -> None:
    """Three in ten tosses are new ones, of which p (1 - p) * 2 differ: 0.3 * 0.5 = 15%."""
    model = FakeModel("fake:coin?p=0.5")
    differ = 0
    for i in range(3000):
        ask = Message("user", f"question {i}? gold{i}")
        requests = [Generate("", (), (*head, ask), Decoding()) for head in ((), (Message("system", "salt=b"),))]
        texts = [c.text for _, c in model.generate(requests)]
        differ += texts[0] != texts[1]
    assert differ / 3000 == pytest.approx(0.15, abs=0.03)


@pytest.mark.parametrize("ref", ["fake:coin?p=often", "fake:dice", "fake:x?y"])
def test_a_strange_reference_is_a_sentence(ref: str) -> None:
    with pytest.raises(UserError, match="fake"):
        open_model(ref)


def test_it_says_the_same_in_every_process() -> None:
    code = (
        "from sharpen.models.fake import FakeModel; from sharpen.types import *\n"
        "m = FakeModel('fake:coin?p=0.5')\n"
        "ms = [(Message('user', f'q {i} g{i}'),) for i in range(50)]\n"
        "print(m.identity, [c.text for _, c in m.generate([Generate('', (), x, Decoding()) for x in ms])],\n"
        "      m.render(ms[0]).ids, FakeModel().embed(['a b c']).nonzero()[1].tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "7")
    }
    assert len(outputs) == 1

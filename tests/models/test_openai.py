"""Hosted models against a server that misbehaves, and against a real one with the real model."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers import Hosted, serving

from sharpen.errors import UserError
from sharpen.models import open_model
from sharpen.models.openai import OpenAIModel, Patience
from sharpen.types import Completion, Decoding, Generate, Message, Rank

KEY = "sk-very-secret"
QUICK = Patience(at_once=4, tries=4, pause=0.001, timeout=0.5)


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    monkeypatch.setenv("SHARPEN_OPENAI_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Hosted()
    with serving(server.handler()) as address:
        server.address = f"openai:{address}/v1#big"  # type: ignore[attr-defined]
        yield server


def opened(hosted: Hosted, **patience: Any) -> OpenAIModel:
    return OpenAIModel(hosted.address, Patience(**{**vars(QUICK), **patience}))  # type: ignore[attr-defined]


def ask(model: OpenAIModel, n: int = 1, **decoding: Any) -> list[Completion]:
    wanted = [Generate("", (), (Message("user", f"hello {i}"),), Decoding(**decoding)) for i in range(n)]
    found = dict(model.generate(wanted))
    assert sorted(found) == list(range(n))
    return [found[i] for i in range(n)]


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_comes_with_its_counts(hosted: Hosted, stream: bool) -> None:
    hosted.stream = stream
    (completion,) = ask(opened(hosted), max_new_tokens=9, stop=("x",))
    assert completion.text == "HELLO 0"
    assert completion.finish == "stop"
    assert (completion.prompt_tokens, completion.completion_tokens) == ((7, 3) if stream else (5, 2))
    assert completion.seconds is not None
    assert (completion.first_seconds is not None) == stream
    (call,) = hosted.calls
    assert call["model"] == "big"
    assert call["messages"] == [{"role": "user", "content": "hello 0"}]
    assert (call["max_tokens"], call["temperature"], call["stop"]) == (9, 0.0, ["x"])
    assert "seed" not in call
    assert hosted.keys == [f"Bearer {KEY}"]


def test_the_reason_to_finish_is_kept(hosted: Hosted) -> None:
    hosted.moods = ["long"]
    assert ask(opened(hosted))[0].finish == "length"


FAULTS = [429, 500, 503, 408, "hang", "cut", "not json", "no choices", "close", "broken event"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_tried_again(hosted: Hosted, fault: Any) -> None:
    hosted.stream = fault not in {"not json", "no choices"}
    hosted.moods = [fault, fault]
    (completion,) = ask(opened(hosted))
    assert completion.text == "HELLO 0"
    assert completion.error is None
    assert len(hosted.calls) == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lasting_fault_is_the_error_of_its_answer(hosted: Hosted, fault: Any) -> None:
    hosted.moods = [fault] * 3
    (completion,) = ask(opened(hosted, tries=3, timeout=0.2))
    assert completion.finish == "error"
    assert "3 times in a row" in str(completion.error)
    assert KEY not in str(completion)
    assert len(hosted.calls) == 3


def test_one_that_fails_does_not_hold_up_the_others(hosted: Hosted) -> None:
    hosted.moods = [500, "cut", 429, "hang", "not json", "close", "no choices", 502]
    found = ask(opened(hosted, tries=9), 12)
    assert [c.text for c in found] == [f"HELLO {i}" for i in range(12)]


def test_pauses_grow_and_retry_after_is_honoured(hosted: Hosted) -> None:
    model, pauses = opened(hosted, tries=5, pause=1.0), list[float]()
    model._pause = lambda _, seconds: bool(pauses.append(seconds))  # type: ignore[func-returns-value]
    hosted.moods = [500, 500, 500]
    ask(model)
    assert [n * 0.5 <= p <= n for n, p in zip((1, 2, 4), pauses, strict=True)] == [True] * 3
    pauses.clear()
    hosted.moods, hosted.retry_after = [429], "7"
    ask(model)
    assert pauses == [7.0]
    pauses.clear()
    hosted.moods, hosted.retry_after = [429], time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    ask(model)
    assert 25 < pauses[0] <= 31
    pauses.clear()
    hosted.moods, hosted.retry_after = [429], "86400"
    ask(model)
    assert pauses == [60.0]  # nobody is kept waiting for a day


def test_calls_run_at_once_and_come_as_they_finish(hosted: Hosted) -> None:
    hosted.slow = 0.05
    wanted = [Generate("", (), (Message("user", f"hello {i}"),), Decoding()) for i in range(12)]
    found = list(opened(hosted, at_once=4).generate(wanted))
    assert hosted.most_at_once == 4
    assert sorted(i for i, _ in found) == list(range(12))
    assert all(c.text == f"HELLO {i}" for i, c in found)


def test_who_stops_listening_stops_asking(hosted: Hosted) -> None:
    hosted.slow = 0.02
    wanted = [Generate("", (), (Message("user", "hi"),), Decoding()) for _ in range(60)]
    answers = opened(hosted, at_once=2).generate(wanted)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(hosted.calls) < 10


@pytest.mark.parametrize(
    ("mood", "says", "do"),
    [
        (401, "refuses the key", "SHARPEN_OPENAI_KEY"),
        (403, "refuses the key", "SHARPEN_OPENAI_KEY"),
        (404, "no 'big'", "/v1"),
    ],
)
def test_what_no_retry_mends_stops_the_run(hosted: Hosted, mood: int, says: str, do: str) -> None:
    hosted.moods = [mood] * 20
    with pytest.raises(UserError) as e:
        ask(opened(hosted), 3)
    assert says in str(e.value)
    assert do in str(e.value)
    assert KEY not in str(e.value)


def test_a_refused_request_is_the_error_of_its_answer(hosted: Hosted) -> None:
    hosted.moods = [400]
    (completion,) = ask(opened(hosted))
    assert "refused the request (400)" in str(completion.error)
    assert KEY not in str(completion.error)  # though the server repeats it
    assert "[key]" in str(completion.error)
    assert len(hosted.calls) == 1


def test_servers_that_know_another_name_of_the_limit(hosted: Hosted) -> None:
    hosted.moods = [(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")]
    model = opened(hosted)
    assert ask(model)[0].text == "HELLO 0"
    assert ask(model)[0].text == "HELLO 0"
    assert ["max_completion_tokens" in c for c in hosted.calls] == [False, True, True]


def test_drawn_answers_send_their_seed(hosted: Hosted) -> None:
    ask(opened(hosted), temperature=0.7, top_p=0.9, seed=3)
    assert {k: hosted.calls[0][k] for k in ("temperature", "top_p", "seed")} == {
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 3,
    }


def test_where_nothing_listens_everything_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    model = OpenAIModel("openai:http://127.0.0.1:9/v1#m", Patience(tries=6, pause=30.0))
    started = time.monotonic()
    with pytest.raises(UserError, match="could not be reached") as e:
        ask(model, 20)
    assert time.monotonic() - started < 2
    assert "what was answered is kept" in str(e.value)


def test_a_server_that_goes_away_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Hosted()
    with serving(server.handler()) as address:
        model = OpenAIModel(f"openai:{address}/v1#m", QUICK)
        ask(model)
    pauses: list[float] = []
    model._pause = lambda _, seconds: bool(pauses.append(seconds))  # type: ignore[func-returns-value]
    with pytest.raises(UserError, match="could not be reached"):
        ask(model)
    assert len(pauses) == QUICK.tries - 1  # it may only have been started anew


def test_one_failure_after_the_other_stops_the_run(hosted: Hosted) -> None:
    hosted.mood = 503
    with pytest.raises(UserError, match="answered with status 503"):
        ask(opened(hosted), 30)
    assert len(hosted.calls) < 60


def test_questions_that_alone_fail_do_not_stop_the_run(hosted: Hosted) -> None:
    def moody(body: dict[str, Any], handler: Any) -> None:
        text = body["messages"][-1]["content"]
        handler.send(*((500, {}) if text.startswith("hello") else (200, completion(text))))

    hosted.mood = moody
    found = ask(opened(hosted), 20)
    assert all("answered with status 500" in str(c.error) for c in found)


def completion(text: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], **more}


def streamed(*pieces: Any, **last: Any) -> bytes:
    """Raw events, without the escapes that Python would write."""
    events = [{"choices": [{"delta": {"content": p}}]} for p in pieces]
    events.append({"choices": [{"delta": {}, "finish_reason": "stop"}], **last})
    return b"".join(
        b"data: " + json.dumps(e, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n\n" for e in events
    )


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (streamed("one\u2028two\x85three", "\u2029"), "one\u2028two\x85three\u2029"),
        (streamed("a").replace(b"\n", b"\r\n"), "a"),
        (streamed("a").rstrip(b"\n"), "a"),
        (streamed("a", usage=[]), "a"),
        (streamed("a", usage={"completion_tokens": "n/a", "prompt_tokens_details": 3, "prompt_tokens": 1e999}), "a"),
        (streamed([{"type": "text", "text": "a"}, {"type": "image"}], None, "b"), "ab"),
        (b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n' + streamed("x"), "\ufffdx"),
        (
            b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n'
            b'data: {"choices": [{"delta": {"content": "\\ude42"}, "finish_reason": "stop"}]}\n',
            "\U0001f642",
        ),
    ],
    ids=[
        "other ends of lines",
        "crlf",
        "no last newline",
        "usage",
        "counts",
        "parts",
        "half a character",
        "two halves",
    ],
)
def test_unusual_answers_are_read(hosted: Hosted, said: bytes, read: str) -> None:
    hosted.moods = [said]
    (found,) = ask(opened(hosted))
    assert (found.text, found.error) == (read, None)
    assert len(hosted.calls) == 1
    found.text.encode()


def test_unusual_whole_answers_are_read(hosted: Hosted) -> None:
    hosted.stream = False
    hosted.moods = [json.dumps(completion([{"type": "text", "text": "a"}], usage="none")).encode()]
    assert ask(opened(hosted))[0].text == "a"
    hosted.moods = [json.dumps(completion(7)).encode()] * 3
    assert "not a chat completion" in str(ask(opened(hosted, tries=3))[0].error)


def test_servers_that_let_nobody_choose_the_temperature(hosted: Hosted) -> None:
    said = (
        "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."
    )
    limit = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    hosted.moods = [(400, limit), (400, said)]
    model = opened(hosted)
    assert [c.text for c in ask(model)] == ["HELLO 0"]
    assert [c.text for c in ask(model)] == ["HELLO 0"]
    assert ["temperature" in c for c in hosted.calls] == [True, True, False, False]
    hosted.moods = [(400, said)] * 2
    assert "refused" in str(ask(model)[0].error)  # nothing is left to leave out


LEAVES = """
import sys
from sharpen.models.openai import OpenAIModel, Patience
from sharpen.types import Decoding, Generate, Message
model = OpenAIModel(sys.argv[1], Patience(at_once=2, timeout=60))
answers = model.generate([Generate("", (), (Message("user", f"hello {i}"),), Decoding()) for i in range(4)])
print(next(answers)[1].text, flush=True)
answers.close()
"""


@pytest.mark.parametrize("mood", ["hang", 503])
def test_who_leaves_does_not_wait_for_a_slow_server(hosted: Hosted, mood: Any) -> None:
    """Neither for an answer nor for a pause."""
    hosted.retry_after, hosted.hangs = "60", 30.0
    hosted.moods, hosted.mood = ["well"], mood
    command = [sys.executable, "-c", LEAVES, hosted.address]  # type: ignore[attr-defined]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline().startswith("HELLO")
        started = time.monotonic()
        assert child.wait(30) == 0
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("ref", ["openai:http://host:port/v1#m", "openai:#m", "openai:ftp://h#m"])
def test_what_is_no_address_is_a_sentence(ref: str) -> None:
    with pytest.raises(UserError, match="is not a hosted model"):
        open_model(ref)


def test_what_it_can_and_who_it_is(hosted: Hosted) -> None:
    model = open_model(hosted.address)  # type: ignore[attr-defined]
    assert model.can == {"generate"}
    assert model.identity == open_model(hosted.address).identity  # type: ignore[attr-defined]
    assert model.identity != open_model("openai:http://127.0.0.1:1/v1#big").identity
    assert KEY not in json.dumps([str(vars(model)), model.identity, model.ref])
    assert json.loads(model.render((Message("user", "hi"),)).text) == [{"role": "user", "content": "hi"}]
    with pytest.raises(UserError, match="no log-likelihood"):
        list(model.score([Rank("", (), (Message("user", "hi"),), ("a",))]))
    with pytest.raises(UserError, match="cannot carry an adapter"):
        open_model(hosted.address, adapters=["a"])  # type: ignore[attr-defined, list-item]


def test_the_general_key_is_used_where_ours_is_not_set(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARPEN_OPENAI_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-general")
    ask(opened(hosted))
    monkeypatch.delenv("OPENAI_API_KEY")
    ask(opened(hosted))
    assert hosted.keys == ["Bearer sk-general", None]


@pytest.mark.full
def test_a_real_server_with_the_real_model_answers_as_the_model_does(
    smol: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastAPI and uvicorn around the transformers engine; the hosted model says what the local one says."""
    fastapi, uvicorn = pytest.importorskip("fastapi"), pytest.importorskip("uvicorn")
    app, lock = fastapi.FastAPI(), threading.Lock()

    @app.post("/v1/chat/completions")
    def complete(body: dict[str, Any]) -> Any:
        messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
        decoding = Decoding(body["max_tokens"], body["temperature"], stop=tuple(body.get("stop", ())))
        with lock:
            completion = dict(smol.generate([Generate("", (), messages, decoding)]))[0]

        def events() -> Iterator[str]:
            for word in completion.text.splitlines(keepends=True):
                yield "data: " + json.dumps({"choices": [{"delta": {"content": word}}]}) + "\n\n"
            usage = {"prompt_tokens": completion.prompt_tokens, "completion_tokens": completion.completion_tokens}
            last = {"choices": [{"delta": {}, "finish_reason": completion.finish}], "usage": usage}
            yield "data: " + json.dumps(last) + "\n\ndata: [DONE]\n\n"

        return fastapi.responses.StreamingResponse(events(), media_type="text/event-stream")

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        model = open_model(f"openai:http://127.0.0.1:{port}/v1#smol")
        asked = ["What is the capital of France?", "Name three colours.", "Who wrote Hamlet?"]
        wanted = [Generate("", (), (Message("user", q),), Decoding(max_new_tokens=24)) for q in asked]
        hosted, local = dict(model.generate(wanted)), dict(smol.generate(wanted))
        for i in range(len(asked)):
            assert hosted[i].error is None
            assert hosted[i].text == local[i].text
            assert hosted[i].finish == local[i].finish
            assert hosted[i].prompt_tokens == local[i].prompt_tokens
    finally:
        server.should_exit = True
        thread.join(10)

"""Hosted models against a server that misbehaves, and against a real one with the real model."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers import Hosted, serving

from sharpen.errors import UserError
from sharpen.models import open_model
from sharpen.models.openai import BRIEF, OpenAIModel, Patience
from sharpen.study.preflight import reach_problems
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


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_ends_before_its_stop_string_even_where_the_server_sends_it(hosted: Hosted, stream: bool) -> None:
    hosted.stream, hosted.moods = stream, ["long"]
    (completion,) = ask(opened(hosted), stop=("O", "LO"))
    assert (completion.text, completion.finish) == ("HEL", "stop")


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


def test_a_refusal_with_half_a_character_can_be_written(hosted: Hosted) -> None:
    hosted.moods = [(400, "no \ud83d")]
    (found,) = ask(opened(hosted))
    assert str(found.error).encode().endswith("no \ufffd".encode())


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


def test_a_schema_is_sent_to_servers_that_hold_replies_to_it_and_left_out_elsewhere(hosted: Hosted) -> None:
    model = opened(hosted)
    ask(model, schema='{"type": "object"}')
    ask(model)
    sent = {"type": "json_schema", "json_schema": {"name": "reply", "schema": {"type": "object"}}}
    assert [c.get("response_format") for c in hosted.calls] == [sent, None]
    hosted.moods = [(400, "response_format of the type json_schema is not supported")]
    assert [c.text for c in ask(model, schema='{"type": "object"}')] == ["HELLO 0"]
    ask(model, schema='{"type": "object"}')
    assert ["response_format" in c for c in hosted.calls[2:]] == [True, False, False]


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "sharpen.models"]


@pytest.mark.parametrize(
    "mood", ["pings", "empty deltas", "interim replies", "slow headers", "slow json", "slow refusal"]
)
def test_an_answer_has_a_time_in_which_it_has_to_be_whole(
    hosted: Hosted, caplog: pytest.LogCaptureFixture, mood: str
) -> None:
    """The time between two bytes never ran out, and a study waited for ever."""
    hosted.mood, hosted.hangs = mood, 3.0
    started = time.monotonic()
    (found,) = ask(opened(hosted, tries=2, answer=0.3, at_once=8), max_new_tokens=0)
    assert "did not finish its answer within 0.3 seconds, 2 times in a row" in str(found.error)
    assert time.monotonic() - started < 2
    assert len(hosted.calls) == 2
    said = lines_of(caplog)
    assert any("has not answered for" in s or "did not finish an answer within 0.3 seconds" in s for s in said)
    assert all(s.startswith("127.0.0.1:") and KEY not in s for s in said)


def test_more_tokens_have_more_time(hosted: Hosted) -> None:
    hosted.mood, hosted.hangs = "pings", 1.0
    (found,) = ask(opened(hosted, tries=1, answer=0.1), max_new_tokens=512)
    assert "within 0.3 seconds" in str(found.error)


def test_a_passing_slowness_is_tried_again(hosted: Hosted) -> None:
    hosted.moods, hosted.hangs = ["pings", "slow headers"], 3.0
    assert [c.text for c in ask(opened(hosted, answer=0.3), 3)] == ["HELLO 0", "HELLO 1", "HELLO 2"]


@pytest.mark.parametrize("mood", ["deltas", "thoughts", "one line", "json"])
def test_an_answer_has_a_size_that_it_may_have(hosted: Hosted, mood: str) -> None:
    """Text without end filled the memory. One try is enough: the next would be as long."""
    hosted.mood, hosted.hangs = mood, 5.0
    started = time.monotonic()
    (found,) = ask(opened(hosted, room=1000))
    assert "sent more than" in str(found.error)
    assert "for one short answer." in str(found.error)
    assert time.monotonic() - started < 4
    assert len(hosted.calls) == 1


@pytest.mark.parametrize("body", [b'{"detail": "it is pinned"}', b'{"error": {"code": 7}}', b'{"error": null}', b"[1]"])
def test_a_refusal_in_other_words_is_told_as_it_came(hosted: Hosted, body: bytes) -> None:
    hosted.mood = lambda _, handler: handler.raw(400, "application/json", body)
    assert f"refused the request (400): {body.decode()}" in str(ask(opened(hosted))[0].error)


def test_of_an_endless_refusal_the_beginning_is_read(hosted: Hosted) -> None:
    hosted.mood, hosted.hangs = "refusal", 5.0
    started = time.monotonic()
    assert "refused the request (400): no no no" in str(ask(opened(hosted))[0].error)
    assert time.monotonic() - started < 4


def test_a_server_that_never_ends_an_answer_stops_the_run(hosted: Hosted) -> None:
    hosted.mood = "deltas"
    with pytest.raises(UserError, match="sent more than"):
        ask(opened(hosted, room=100), 30)


def test_long_answers_within_what_was_asked_are_read(hosted: Hosted) -> None:
    hosted.moods = [streamed(*["word "] * 4000)]
    (found,) = ask(opened(hosted, room=0), max_new_tokens=4000)
    assert (found.error, len(found.text)) == (None, 20_000)


def packed(body: bytes, how: str = "gzip") -> Any:
    def mood(_: Any, handler: Any) -> None:
        handler.send_response(200)
        for name, value in {
            "Content-Type": "text/event-stream",
            "Content-Encoding": how,
            "Content-Length": str(len(body)),
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return mood


def test_packed_answers_are_read_and_bombs_are_not_unpacked(hosted: Hosted) -> None:
    text = streamed(*[f"word {i} " for i in range(9000)])
    hosted.moods = [packed(gzip.compress(text)), packed(zlib.compress(text), "deflate")]
    for _ in range(2):
        (found,) = ask(opened(hosted, tries=1))
        assert (found.error, found.text[-10:]) == (None, "word 8999 ")
    hosted.moods = [packed(gzip.compress(text) + b"what a server has sent behind the end")]
    (found,) = ask(opened(hosted, tries=1))
    assert (found.error, found.text[-10:]) == (None, "word 8999 ")
    bomb = gzip.compress(b"data: " + b"a" * 200_000_000, 1)
    hosted.moods = [packed(bomb)]
    tracemalloc.start()
    try:
        (found,) = ask(opened(hosted, room=1000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "sent more than" in str(found.error)
    assert peak < 20_000_000
    for how in ("br", "gzip, gzip"):
        hosted.moods = [packed(b"x", how)]
        assert ask(opened(hosted))[0].text == "HELLO 0"
    hosted.moods = [packed(b"not packed at all")]
    assert ask(opened(hosted))[0].text == "HELLO 0"


@pytest.mark.parametrize(
    ("asks", "waits"),
    [
        ("100000", 60.0),
        ("1e300", 60.0),
        ("inf", None),
        ("-inf", None),
        ("nan", None),
        ("-5", None),
        ("1e999", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 60.0),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 -2359", None),
        ("Mon, 01 Jan 2024 00:00:00 +999999", None),
        ("Wed, 3 Apr 2002 12.34.56.78+0800", None),
        ("9" * 5000, None),
        (", , ,", None),
    ],
)
def test_whatever_the_server_asks_to_wait(
    hosted: Hosted, caplog: pytest.LogCaptureFixture, asks: str, waits: float | None
) -> None:
    model, pauses = opened(hosted), list[float]()
    model._pause = lambda _, seconds: bool(pauses.append(seconds))  # type: ignore[func-returns-value]
    hosted.moods, hosted.retry_after = [429], asks
    assert ask(model)[0].text == "HELLO 0"
    assert pauses[0] == waits if waits else pauses[0] < 0.01
    assert len(lines_of(caplog)) == bool(waits)


def test_who_is_waited_for_is_said_and_not_too_often(hosted: Hosted, caplog: pytest.LogCaptureFixture) -> None:
    model = opened(hosted, timeout=30.0, at_once=4)
    model._pause = lambda *_: False
    hosted.moods, hosted.retry_after = [429] * 8, "60"
    assert [c.error for c in ask(model, 4)] == [None] * 4
    (said,) = lines_of(caplog)
    host = hosted.address.removeprefix("openai:http://").partition("/")[0]  # type: ignore[attr-defined]
    assert said == f"{host} asks to wait 60 s (try 1 of 4)"
    caplog.clear()
    model._said, hosted.moods, hosted.retry_after = 0.0, [429], "100000"
    ask(model)
    assert lines_of(caplog) == [f"{host} asks to wait 100000 s; it is asked again after 60 s (try 1 of 4)"]
    caplog.clear()
    model._said, hosted.moods, hosted.retry_after = 0.0, [429], "1"
    ask(model)
    assert lines_of(caplog) == []


def test_a_server_that_says_nothing_is_said(hosted: Hosted, caplog: pytest.LogCaptureFixture) -> None:
    hosted.moods = ["hang", "hang"]
    assert ask(opened(hosted, timeout=0.3))[0].text == "HELLO 0"
    said = lines_of(caplog)
    assert any(re.fullmatch(r"127\.0\.0\.1:\d+ has not answered for \d+ s \(try 1 of 4\)", s) for s in said)
    assert any("(try 2 of 4)" in s for s in said)


def test_refusals_between_good_answers_end_in_answers(hosted: Hosted) -> None:
    hosted.moods, hosted.retry_after = [429, "well"] * 20, "0"
    assert [c.text for c in ask(opened(hosted, tries=20), 20)] == [f"HELLO {i}" for i in range(20)]


RAW = {
    "nothing": b"",
    "garbage": bytes(range(256)) * 64,
    "garbage without a line": b"a" * 200_000,
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a header": b"HTTP/1.1 200 O",
    "no such length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "less than its length": b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{}",
    "no chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    "words without letters": b"HTTP/1.1 500 \xff\xfe\r\nContent-Type: text/html; charset=rot13\r\n\r\n\xff\xfe",
    "a deep refusal": b"HTTP/1.1 500 No\r\n\r\n" + b"[" * 60_000,
    "an odd cookie": b"HTTP/1.1 500 No\r\nSet-Cookie: a=\xaf\r\n\r\n",
    "a place that is none": b"HTTP/1.1 500 No\r\nLocation: http://[\r\nRetry-After: \xff\r\n\r\n",
}


@pytest.mark.parametrize("half", [True, False], ids=["half-closed", "closed"])
@pytest.mark.parametrize("said", RAW.values(), ids=RAW)
def test_garbage_ends_in_a_sentence(hosted: Hosted, said: bytes, half: bool) -> None:
    """Also where the server closes its own side alone and goes on listening."""

    def mood(_: Any, handler: Any) -> None:
        handler.close_connection = True
        handler.connection.sendall(said)
        handler.connection.shutdown(socket.SHUT_WR if half else socket.SHUT_RDWR)
        if half:
            handler.connection.settimeout(2.0)
            handler.connection.recv(1)

    hosted.moods = [mood] * 2
    assert ask(opened(hosted))[0].text == "HELLO 0"
    hosted.mood = mood
    (found,) = ask(opened(hosted, tries=2))
    assert "2 times in a row; try again later." in str(found.error)


def test_a_connection_that_is_reset_is_tried_again(hosted: Hosted) -> None:
    def mood(_: Any, handler: Any) -> None:
        handler.close_connection = True
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    hosted.moods = [mood] * 3
    assert ask(opened(hosted))[0].text == "HELLO 0"


@pytest.mark.parametrize(
    ("mood", "says"),
    [
        ("pings", "did not finish its answer within 0.4 seconds, 2 times in a row"),
        ("hang", "did not answer within 0.3 seconds, 2 times in a row"),
        (429, "answered with status 429 and asks to wait 100000 s, 2 times in a row"),
        ("deltas", "sent more than"),
    ],
)
def test_a_check_asks_with_less_patience(hosted: Hosted, monkeypatch: pytest.MonkeyPatch, mood: Any, says: str) -> None:
    """It took minutes to say that a server does not answer."""
    assert BRIEF.tries <= 2
    assert max(BRIEF.timeout, BRIEF.answer) <= 30
    assert BRIEF.longest <= 10
    quick = replace(BRIEF, pause=0.001, longest=0.05, timeout=0.3, answer=0.4, room=100)
    monkeypatch.setattr("sharpen.models.openai.BRIEF", quick)
    hosted.mood, hosted.retry_after = mood, "100000"
    started = time.monotonic()
    (problem,) = reach_problems(hosted.address)  # type: ignore[attr-defined]
    assert problem.what.startswith(f"does not answer: the model's server {says}")
    assert time.monotonic() - started < 2
    hosted.mood = "well"
    assert reach_problems(hosted.address) == []  # type: ignore[attr-defined]


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


@pytest.fixture
def independent(smol: Any, tmp_path: Path) -> Iterator[str]:
    """``transformers serve`` with the model's weights, in a process of its own: its address as a reference."""
    for package in ("openai", "fastapi", "uvicorn"):
        pytest.importorskip(package)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = str(smol.local.folder)
    serve = "from transformers.cli.transformers import main; main()"
    options = ["--dtype", "float32", "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    log = tmp_path / "served"
    with log.open("w") as said, subprocess.Popen(
        [sys.executable, "-c", serve, "serve", folder, *options],
        env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=said, stderr=said,
    ) as server:  # fmt: skip
        try:
            for _ in range(1200):
                assert server.poll() is None, log.read_text()[-2000:]
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"openai:http://127.0.0.1:{port}/v1#{folder}"
        finally:
            server.terminate()


ASKED = [
    "What is the capital of France?",
    "Name three colours.",
    "Who wrote Hamlet?",
    "What is 12 plus 30?",
    "Translate 'good morning' into Spanish.",
    "Write a short poem about the sea.",
    "Is the earth flat? Answer yes or no.",
    "What is photosynthesis?",
]


@pytest.mark.full
def test_a_server_that_others_wrote_answers_as_the_model_does(
    smol: Any, independent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the protocol nor the engine behind it is ours: a misreading of ours would not stand on both sides."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    system = Message("system", "Answer in a few words.")
    wanted = []
    for n, question in enumerate(ASKED):
        asked = Message("user", question)
        stop = ("\n",) if n in (1, 5) else ()
        wanted.append(Generate("", (), (system, asked) if n % 2 else (asked,), Decoding(max_new_tokens=16, stop=stop)))
    model = OpenAIModel(independent, Patience(at_once=4, timeout=300))
    hosted, local = dict(model.generate(wanted)), dict(smol.generate(wanted))
    assert "Paris" in hosted[0].text
    for i in range(len(wanted)):
        assert hosted[i].error is None
        assert (hosted[i].text, hosted[i].finish) == (local[i].text, local[i].finish)
        assert hosted[i].prompt_tokens == local[i].prompt_tokens
        assert hosted[i].completion_tokens == local[i].completion_tokens
    assert {hosted[i].finish for i in hosted} == {"stop", "length"}
    (refused,) = ask(OpenAIModel(independent + "-other", QUICK))
    assert "refused the request (400)" in str(refused.error)
    assert "Server is pinned to" in str(refused.error)

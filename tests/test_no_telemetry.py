"""Nothing phones home: opening models and answering, on either engine, makes no connection to other machines.

Each case runs in a process of its own, with a home folder of its own, under an audit hook that sees every connection,
look-up and datagram that Python code tries, notes it and refuses it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GUARD = """
import json, os, sys
WATCHED = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
WATCHED |= {"socket.getaddrinfo": 0, "socket.gethostbyname": 0}
LOG = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def guard(event, args):
    if event not in WATCHED:
        return
    address = args[WATCHED[event]]
    if not isinstance(address, tuple) and WATCHED[event]:
        return  # a socket of this machine, or one already connected, which was seen then
    host = str(address[0] if isinstance(address, tuple) else address)
    if host in {"localhost", "None", "::1"} or host.startswith("127."):
        return
    os.write(LOG, (json.dumps([event, str(address)]) + chr(10)).encode())  # at once: forked children have it too
    raise OSError(f"refused by the guard: {event} {address}")
sys.addaudithook(guard)
"""

ANSWER = """
from sharpen.models import open_model
from sharpen.types import Decoding, Generate, Message
for engine in {engines}:
    model = open_model(sys.argv[2], engine=engine)
    asked = [Generate("", (), (Message("user", "What is 2 and 2?"),), Decoding(max_new_tokens=4))]
    assert [c.completion_tokens for _, c in model.generate(asked)] == [4], engine
"""

CONVERT = """
import numpy, openvino, torch, time
openvino.convert_model(torch.nn.Linear(2, 2), example_input=torch.zeros(1, 2))
time.sleep(2)  # it is sent from a thread
"""


def surroundings(tmp_path: Path) -> dict[str, str]:
    """A home of its own, and nothing that this process has switched off for its children too."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    keep = {k: v for k, v in os.environ.items() if k.startswith(("PATH", "LD_", "PYTHON", "VIRTUAL_ENV", "SYSTEMROOT"))}
    env = {**keep, "HOME": str(home), "USERPROFILE": str(home), "SHARPEN_MODELS": str(tmp_path / "models")}
    return {**env, "OMP_NUM_THREADS": "1"}


def attempts(code: str, tmp_path: Path, *args: str) -> list[list[str]]:
    """Run code under the guard and return what it tried."""
    env = surroundings(tmp_path)
    said = tmp_path / "tried.jsonl"
    said.unlink(missing_ok=True)
    command = [sys.executable, "-c", GUARD + code, str(said), *args]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in said.read_text().splitlines()]


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tiny_model import write

    return str(write(tmp_path / "tiny"))


def test_the_guard_sees_an_attempt(tmp_path: Path) -> None:
    code = """
import multiprocessing, socket, threading, urllib.request
def ask():
    try: urllib.request.urlopen("http://telemetry.invalid/", timeout=2)
    except OSError: pass
thread = threading.Thread(target=ask); thread.start(); thread.join()
child = multiprocessing.get_context("fork").Process(target=ask); child.start(); child.join()
for port in (9, 10):
    with socket.socket() as s:
        s.settimeout(1)
        try: s.connect(("192.0.2.1", port))
        except OSError: pass
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    try: s.sendto(b"x", ("192.0.2.1", 9))
    except OSError: pass
with socket.socket() as s:
    s.settimeout(1)
    s.connect_ex(("127.0.0.1", 9))
"""
    tried = attempts(code, tmp_path)
    assert [event for event, _ in tried] == [
        *["socket.getaddrinfo"] * 2,  # from a thread, from a child
        *["socket.connect"] * 2,
        "socket.sendto",
    ]


@pytest.mark.full
def test_transformers_sends_nothing(tmp_path: Path, tiny: str) -> None:
    assert attempts(ANSWER.format(engines=["transformers"]), tmp_path, tiny) == []


@pytest.mark.full
def test_openvino_sends_nothing(tmp_path: Path, tiny: str) -> None:
    pytest.importorskip("openvino_genai")
    assert attempts(ANSWER.format(engines=["openvino"]), tmp_path, tiny) == []
    assert not (tmp_path / "home" / "intel").exists()  # where it keeps the number that it knows a user by


@pytest.mark.full
def test_a_whole_study_sends_nothing(tmp_path: Path, tiny: str) -> None:
    """Training, retrieval, answering, comparing, exporting."""
    pytest.importorskip("peft")
    from towns_data import write_towns

    towns = write_towns(tmp_path / "towns")
    towns.write_text(towns.read_text().replace('model: "fake:"', f"model: {tiny}\nmax_new_tokens: 4"))
    code = """
import sharpen
report = sharpen.run(sys.argv[2], settings=["arms=[baseline, 'retrieve(k=1) + lora(max_steps=1)']", "racing=false"])
assert report.arm("retrieve(k=1) + lora(max_steps=1)")["status"] == "tested", report
sharpen.export(report.path, "exported", "hf", "retrieve(k=1) + lora(max_steps=1)")
"""
    assert attempts(code, tmp_path, str(towns)) == []


@pytest.mark.full
def test_openvino_sends_nothing_even_where_it_reports_by_default(tmp_path: Path, tiny: str) -> None:
    pytest.importorskip("openvino_genai")
    pytest.importorskip("openvino_telemetry")
    reported = attempts(CONVERT, tmp_path)
    assert any("google-analytics" in address for _, address in reported)  # the danger is real
    (tmp_path / "home").rename(tmp_path / "reporting-home")
    assert attempts(ANSWER.format(engines=["openvino", "transformers"]) + CONVERT, tmp_path, tiny) == []
    assert not (tmp_path / "home" / "intel").exists()


@pytest.mark.full
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_not_even_past_python(tmp_path: Path, tiny: str) -> None:
    """What native code does is seen by its system calls: a whole study as it is typed, on both engines."""
    pytest.importorskip("openvino_genai")
    pytest.importorskip("peft")
    pytest.importorskip("gguf")
    if subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")
    from towns_data import write_towns

    towns = write_towns(tmp_path / "towns")
    settings = f"model: {tiny}\nengine: openvino\nracing: false\nmax_new_tokens: 2"
    towns.write_text(towns.read_text().replace('model: "fake:"', settings))
    tuned = "retrieve(k=1) + lora(max_steps=1)"
    env, log = surroundings(tmp_path), tmp_path / "calls"
    # --seccomp-bpf: all other calls run at full speed.
    trace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(log)]

    def leaves(*words: str) -> list[str]:
        done = subprocess.run(
            [*trace, sys.executable, *words],
            env=env, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return [line for line in log.read_text().splitlines() if "AF_INET" in line]

    (seen,) = leaves("-c", "import socket; socket.socket().connect_ex(('127.0.0.1', 9))")
    assert "connect(" in seen
    sharpen = ("-m", "sharpen")
    arms = f"arms=[baseline, '{tuned}']"
    assert leaves(*sharpen, "run", str(towns), "--set", arms, "--out", "run") == []
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert [arm["status"] for arm in report["arms"]] == ["tested", "tested"]
    assert report["environment"]["engine"] == "openvino"
    assert (tmp_path / "run" / "engine_check.json").is_file()  # the other engine has answered too
    assert leaves(*sharpen, "export", "run", "--to", "out", "--format", "gguf", "--arm", tuned) == []
    assert (tmp_path / "out" / "model.gguf").is_file()
    assert leaves(*sharpen, "ask", "run", "What colour is the tower town1 painted?", "--arm", tuned) == []
    assert not (tmp_path / "home" / "intel").exists()

"""What all tests share.

``pytest`` runs the fast ring. Tests marked ``full`` (real models, servers, kills, minutes) are left out unless

* ``--full`` is given: all of them;
* ``--full --tenth=N``: the N-th tenth of them alone;
* ``--tenth=N`` (0 to 9) or ``--tenth=auto``: the N-th tenth of them, beside the fast ring. A test belongs to a tenth by
  the hash of its name; ``auto`` counts commits, so that ten pushes in a row run them all;
* ``-m`` names ``full``: then the expression decides.

Public data sets are looked for below the folder ``SHARPEN_DATA``; a test that needs one that is absent is skipped, and
skipped tests are counted by reason at the end.
"""

from __future__ import annotations

import datetime
import gc
import hashlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from warm_worker import Warm

ROOT = Path(__file__).resolve().parent.parent
# Where nothing compiled is kept, each of the hundreds of processes that tests start compiles all of sharpen anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Helpers of these rooms (tiny models, servers, use cases) serve the tests of others too.
sys.path += [str(ROOT / "tests" / room) for room in ("models", "study")]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sharpen")
    group.addoption("--full", action="store_true", help="run the tests marked full too")
    group.addoption("--tenth", metavar="N", help="run the N-th tenth (0 to 9, or auto) of the tests marked full too")


def pytest_configure(config: pytest.Config) -> None:
    # What a shell starts in the background is deaf to Ctrl-C, and processes that tests interrupt would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    tenth = config.getoption("--tenth")
    if tenth is not None and tenth != "auto" and tenth not in "0123456789":
        raise pytest.UsageError(f"--tenth={tenth}: give a number from 0 to 9, or auto")


def tenth_of(nodeid: str) -> int:
    """The tenth that a test belongs to, the same on every machine."""
    return int(hashlib.sha256(nodeid.encode()).hexdigest(), 16) % 10


def chosen_tenth(option: str) -> int:
    """The tenth that ``--tenth`` means; ``auto`` moves on with every commit, or every day where there is no git."""
    if option != "auto":
        return int(option)
    done = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    count = int(done.stdout) if done.returncode == 0 else datetime.date.today().toordinal()
    return count % 10


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tenth = config.getoption("--tenth")
    if "full" in (config.getoption("-m") or "") or (config.getoption("--full") and tenth is None):
        return
    number = None if tenth is None else chosen_tenth(tenth)
    full = [item for item in items if item.get_closest_marker("full")]
    out = {item for item in full if number is None or tenth_of(item.nodeid) != number}
    if config.getoption("--full"):
        out |= set(items) - set(full)
    if out:
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=list(out))
    if number is not None:
        config.stash[SAID] = f"tenth {number} of the full tests: {sum(i not in out for i in full)} of {len(full)} here"
    elif out:
        config.stash[SAID] = f"{len(out)} full tests left out; --full runs them all, --tenth=N a tenth"


SAID = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    why = Counter(str(r.longrepr[2] if isinstance(r.longrepr, tuple) else r.longrepr) for r in skipped)
    for reason, n in why.most_common():
        terminalreporter.write_line(f"skipped {n}: {reason.removeprefix('Skipped: ')}")
    if SAID in config.stash:
        terminalreporter.write_line(config.stash[SAID])


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of each test's own for artefacts, so that no test sees what another (or a user) has made."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SHARPEN_HOME", str(folder))
    return folder


def pytest_collection_finish() -> None:
    gc.freeze()  # a study collects what it lets go; what thousands of tests hold need not be looked through each time


@pytest.fixture(scope="session", autouse=True)
def _workers_are_forked(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the fast ring only: see ``warm_worker``."""
    if request.config.getoption("--full") or not hasattr(os, "fork"):
        yield
        return
    from sharpen.data import dataset

    warm = Warm()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "subprocess", warm.namespace())
        yield
    warm.stop()


@pytest.fixture(scope="session", autouse=True)
def _pages_are_compiled_once() -> Iterator[None]:
    """Compiling the page's templates takes as long as a small study, and hundreds of tests write a page."""
    from jinja2 import Environment

    compiled: dict[Any, Any] = {}
    compile_ = Environment.compile

    def known(self: Environment, source: Any, name: Any = None, filename: Any = None, *rest: Any, **named: Any) -> Any:
        if rest or named or type(self) is not Environment or "sharpen" not in str(filename):
            return compile_(self, source, name, filename, *rest, **named)
        if (source, name) not in compiled:
            compiled[source, name] = compile_(self, source, name, filename)
        return compiled[source, name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", known)
        yield


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """``data("xquad_en")`` is the folder of a public data set; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        root = os.environ.get("SHARPEN_DATA")
        if not root:
            pytest.skip("SHARPEN_DATA is not set")
        folder = Path(root) / name
        if not folder.exists():
            pytest.skip(f"SHARPEN_DATA holds no {name}")
        return folder

    return find


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny llama with a chat template."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tiny_model import write

    return write(tmp_path_factory.mktemp("tiny-llama"))

"""The annotation page: driven over HTTP, and in a real browser where there is one."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sharpen.data.labels.annotate import LARGEST, Annotating, annotate
from sharpen.data.labels.queue import Item, Queue
from sharpen.errors import UserError

EVIL = "</script><script>alert(1)</script>\"'&{nonce}"
ITEMS = [
    Item("a", EVIL, f"see {EVIL}", EVIL, EVIL),
    Item("b", "second?"),
    Item("c", "third?", "yes, yes", "yes", meta={"at": 5}),
]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Annotating]:
    queue = Queue(tmp_path / "q.sqlite")
    queue.add(ITEMS)
    with annotate(queue, ["anna <b>", "ben"]) as made:
        yield made


def ask(
    made: Annotating, path: str, row: Any = None, who: str = "ben", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    """GET, or POST where ``row`` is given (bytes are sent as they are)."""
    line = http.client.HTTPConnection("127.0.0.1", made.port, timeout=10)
    place = made.links[who].partition(str(made.port))[2] + path if not path.startswith("/") else path
    body = row if isinstance(row, bytes | None) else json.dumps(row).encode()
    sent = {"Content-Type": "application/json", **(headers or {})} if row is not None else headers or {}
    line.request("POST" if row is not None else "GET", place, body, sent)
    reply = line.getresponse()
    found = reply.status, dict(reply.getheaders()), reply.read().decode()
    line.close()
    return found


def state(made: Annotating, path: str, row: Any = None, who: str = "ben") -> dict[str, Any]:
    status, _, body = ask(made, path, row, who)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_person_goes_through_the_queue(serving: Annotating) -> None:
    first = state(serving, "next")
    assert first["who"] == "ben"
    assert (first["item"]["id"], first["item"]["text"], first["left"]) == ("a", EVIL, 3)
    second = state(serving, "decide", {"item": "a", "action": "accept"})
    assert (second["item"]["id"], second["left"], second["done"]["accept"]) == ("b", 2, 1)
    assert state(serving, "undo", {})["item"]["id"] == "a"
    state(serving, "decide", {"item": "a", "action": "skip"})
    third = state(serving, "decide", {"item": "b", "action": "edit", "value": "ß 𝄞", "text": "second, then?"})
    assert third["item"]["id"] == "c"
    last = state(serving, "decide", {"item": "c", "action": "refuse"})
    assert last["item"] is None
    assert last["done"] == {"accept": 0, "edit": 1, "refuse": 1, "skip": 1}
    found = [(d.item, d.who, d.action, d.value, d.text) for d in serving.queue.decisions()]
    assert found == [
        ("a", "ben", "skip", None, None),
        ("b", "ben", "edit", "ß 𝄞", "second, then?"),
        ("c", "ben", "refuse", None, None),
    ]
    assert state(serving, "next", who="anna <b>")["item"]["id"] == "a", "what ben skipped"


def test_the_page_is_whole_and_holds_no_text_of_the_queue(serving: Annotating) -> None:
    status, headers, page = ask(serving, "")
    assert status == 200
    assert "alert(1)" not in page
    assert "anna" not in page
    assert not re.search(r"""(src|href)=["'](?!data:,)|https?://|@import|url\(""", page), "nothing from elsewhere"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bon\w+=", page)
    nonces = set(re.findall(r'nonce="([^"]+)"', page))
    assert len(nonces) == 1
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'nonce-" + nonces.pop())
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert set(re.findall(r'nonce="([^"]+)"', ask(serving, "")[2])).isdisjoint(nonces), "a new one each time"


def test_only_who_has_a_token_gets_in(serving: Annotating) -> None:
    for path in ("/", "/next", "//next", "/x/next", "/%C3%A9/next", "/None/", "/../"):
        assert ask(serving, path)[0] == 404
        assert ask(serving, path, {"item": "a", "action": "accept"})[0] == 404
    assert ask(serving, "else")[0] == 404
    assert ask(serving, "else", {})[0] == 404
    tokens = {link.split("/")[3] for link in serving.links.values()}
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 32
    assert not serving.queue.decisions()


def test_other_hosts_and_other_pages_are_refused(serving: Annotating) -> None:
    row = {"item": "a", "action": "accept"}
    assert ask(serving, "next", headers={"Host": f"evil.example:{serving.port}"})[0] == 403
    assert ask(serving, "next", headers={"Host": f"localhost:{serving.port}"})[0] == 200
    assert ask(serving, "decide", row, headers={"Origin": "https://evil.example"})[0] == 403
    assert ask(serving, "decide", row, headers={"Origin": "null"})[0] == 403
    assert ask(serving, "decide", row, headers={"Content-Type": "text/plain"})[0] == 415
    assert not serving.queue.decisions()
    assert ask(serving, "decide", row, headers={"Origin": f"http://127.0.0.1:{serving.port}"})[0] == 200
    assert serving.links["ben"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 50_000, 400),
        (b"\xff", 400),
        (b"{}", 400),
        (b'{"item": "zzz", "action": "accept"}', 400),
        (b'{"item": "a", "action": "destroy"}', 400),
        (b'{"item": "a", "action": ["accept"]}', 400),
        (b'{"item": "b", "action": "accept"}', 400),
        (b'{"item": "a", "action": "edit", "value": ""}', 400),
        (b'{"item": "a", "action": "edit", "value": "\\ud800"}', 400),
        (b'{"item": "\\ud800", "action": "accept"}', 400),
        (b" " * (LARGEST + 1), 413),
    ],
)
def test_what_makes_no_sense_is_refused_and_the_server_goes_on(serving: Annotating, body: bytes, status: int) -> None:
    try:
        found, _, said = ask(serving, "decide", body)
        assert (found, bool(json.loads(said)["error"])) == (status, True)
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413, "refused before all of it was sent"
    assert not serving.queue.decisions()
    assert state(serving, "next")["item"]["id"] == "a"


def test_half_a_request_does_not_stop_the_others(serving: Annotating) -> None:
    with socket.create_connection(("127.0.0.1", serving.port)) as half:
        half.sendall(b"POST /x HTTP/1.1\r\nContent-Le")
        assert state(serving, "next")["left"] == 3
    with socket.create_connection(("127.0.0.1", serving.port)) as odd:
        odd.sendall(b"\x00\xff\r\n\r\n")
    assert state(serving, "next")["left"] == 3


def test_mistakes_of_starting_are_said(serving: Annotating) -> None:
    for names, port, said in (([], 0, "need names"), (["a", "a"], 0, "need names"), ([" "], 0, "need names")):
        with pytest.raises(UserError, match=said):
            annotate(serving.queue, names, port)
    with pytest.raises(UserError, match="cannot be used"):
        annotate(serving.queue, ["x"], serving.port)
    with pytest.raises(UserError, match="cannot be used"):
        annotate(serving.queue, ["x"], 99999)


@pytest.fixture
def classes(tmp_path: Path) -> Iterator[Annotating]:
    """A page that asks which of 40 classes a text is of; two of its three items have a guess."""
    queue = Queue(tmp_path / "classes.sqlite")
    queue.keep("classes", [f"class_{n}" for n in range(38)] + ["lost card", EVIL])
    likely = ["class_7", "class_3", "nonsense"]
    queue.add([Item("a", "first?", "", "class_7", "guess of x", {"likely": likely, "sure": 0.5}), Item("b", "second?")])
    queue.add([Item("c", "third?", "", EVIL, "column label")])
    with annotate(queue, ["ben"]) as made:
        yield made


def test_a_class_is_named_and_naming_the_guess_accepts_it(classes: Annotating) -> None:
    first = state(classes, "next")
    assert (len(first["classes"]), first["item"]["likely"][0], first["item"]["sure"]) == (40, "class_7", 0.5)
    state(classes, "decide", {"item": "a", "action": "edit", "value": "class_7"})
    state(classes, "decide", {"item": "b", "action": "edit", "value": "lost card", "text": "another text"})
    status, _, said = ask(classes, "decide", {"item": "c", "action": "edit", "value": "no class"})
    assert (status, "that is no class" in said) == (400, True)
    found = [(d.item, d.action, d.value, d.text) for d in classes.queue.decisions()]
    assert found == [("a", "accept", "class_7", None), ("b", "edit", "lost card", None)]


CHROMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "chrome-headless-shell")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that keys can be pressed in."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        found = next((b for name in CHROMES if (b := shutil.which(name))), None)
        try:
            browser = p.chromium.launch(executable_path=found)
        except playwright.Error:
            pytest.skip("no Chromium is installed")
        yield browser
        browser.close()


@pytest.mark.full
def test_in_a_real_browser(serving: Annotating) -> None:
    """What the browser makes of the page: the first item's text as text, and no script of it run."""
    browser = next((b for name in CHROMES if (b := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    done = subprocess.run(
        [browser, *flags, serving.links["ben"]], capture_output=True, text=True, timeout=60, check=True
    )
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in done.stdout
    assert "0 done, 3 left" in done.stdout


@pytest.mark.full
def test_keys_in_a_real_browser(serving: Annotating) -> None:
    """Accept, edit, skip and undo by keys alone."""
    with chromium() as browser:
        page = browser.new_page()
        problems: list[str] = []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("dialog", lambda d: problems.append(d.message))
        page.goto(serving.links["ben"])
        page.wait_for_function("() => document.getElementById('text').textContent !== ''")
        assert page.text_content("#text") == EVIL
        page.keyboard.press("a")
        page.wait_for_function("() => document.getElementById('text').textContent === 'second?'")
        page.keyboard.press("a")  # nothing is proposed
        page.keyboard.press("e")
        page.keyboard.type("area")  # letters that are keys elsewhere
        page.keyboard.press("Control+Enter")
        page.wait_for_function("() => document.getElementById('text').textContent === 'third?'")
        assert page.inner_html("#passage") == "yes, <mark>yes</mark>"
        page.keyboard.press("s")
        page.wait_for_selector("#empty:not([hidden])")
        page.keyboard.press("u")
        page.wait_for_function("() => document.getElementById('text').textContent === 'third?'")
        page.keyboard.press("r")
        page.wait_for_selector("#empty:not([hidden])")
    assert problems == []
    assert [(d.item, d.action, d.value) for d in serving.queue.decisions()] == [
        ("a", "accept", EVIL),
        ("b", "edit", "area"),
        ("c", "refuse", None),
    ]


@pytest.mark.full
def test_classes_by_keys_in_a_real_browser(classes: Annotating) -> None:
    """The guess by Enter, another by its digit, one of many by typing, undo; nothing by mouse."""
    shown = "() => document.getElementById('text').textContent === '{}'"
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 640})
        problems: list[str] = []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("dialog", lambda d: problems.append(d.message))
        page.goto(classes.links["ben"])
        page.wait_for_function(shown.format("first?"))
        assert page.locator("#classes button").all_inner_texts() == ["1 class_7", "2 class_3"]
        assert page.inner_text("[aria-current]") == "1 class_7"
        assert "50% sure" in page.inner_text("#origin")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, "nothing stands out at the side"
        page.keyboard.press("2")
        page.wait_for_function(shown.format("second?"))
        page.keyboard.press("Enter")  # there is no guess
        page.keyboard.press("/")
        page.keyboard.type("class 3")
        page.keyboard.press("ArrowDown")
        assert page.inner_text("[aria-current]") == "class_13"
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type("card lost")
        page.keyboard.press("Enter")
        page.wait_for_function(shown.format("third?"))
        page.keyboard.press("u")
        page.wait_for_function(shown.format("second?"))
        page.keyboard.press("r")
        page.wait_for_function(shown.format("third?"))
        page.keyboard.press("Enter")
        page.wait_for_selector("#empty:not([hidden])")
    assert problems == []
    assert [(d.item, d.action, d.value) for d in classes.queue.decisions()] == [
        ("a", "edit", "class_3"),
        ("b", "refuse", None),
        ("c", "accept", EVIL),
    ]

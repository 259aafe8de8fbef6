"""A collection finds what a frozen index of the same documents finds, through any changes, kills and full disks."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpen.errors import UserError
from sharpen.models.fake import FakeModel
from sharpen.retrieval import Collection, Wording, build, create, load_index, take_out, update
from sharpen.store import Store
from sharpen.types import Document

SETTINGS = {"chunking": {"size": 20, "longest": 40}, "embeddings": "fake:"}
WORDS = ("amber", "basil", "cedar", "delta", "ember", "flint", "grove", "heron", "inlet", "jetty", "knoll", "maple")
QUERIES = ["amber basil", "where is the heron", "cedar", "nothing of it", "knoll maple jetty"]


class Counting:
    """The fake model's embeddings, and how many texts were embedded."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, texts: Sequence[str], query: bool = False) -> Any:
        self.n += 0 if query else len(texts)
        return FakeModel().embed(texts)


def document(source: str, seed: int) -> Document:
    rng = random.Random(seed)
    lines = [" ".join(rng.choices(WORDS, k=12)).capitalize() + "." for _ in range(rng.randint(1, 9))]
    return Document(source, f"# {source}\n\n" + "\n\n".join(lines), source)


def files(documents: Iterable[Document]) -> dict[str, list[Document]]:
    return {d.source: [d] for d in documents}


@pytest.fixture
def made(tmp_path: Path) -> Collection:
    """An empty collection."""
    create(tmp_path / "c.sqlite", SETTINGS)
    return Collection(tmp_path / "c.sqlite")


def frozen(folder: Path, documents: Iterable[Document], wording: Wording | None = None) -> Any:
    from sharpen.retrieval import Chunking

    store = Store(folder / "store")
    ordered = sorted(documents, key=lambda d: d.source)
    ref = build(ordered, store, Counting(), Chunking(**SETTINGS["chunking"]), wording)  # type: ignore[arg-type]
    return load_index(store.path(ref), Counting())


def same(collection: Collection, index: Any, **more: Any) -> bool:
    found, _ = collection.index(None, Counting(), **more)
    return found.passages == index.passages and all(
        found.search(QUERIES, 7, how) == index.search(QUERIES, 7, how) for how in ("bm25", "dense", "hybrid")
    )


def test_it_finds_what_a_frozen_index_of_the_same_documents_finds(made: Collection, tmp_path: Path) -> None:
    """Same passages, same order, same scores, after every one of many changes; in a process that held the ones before
    and in one that opens the file now."""
    rng = random.Random(7)
    now: dict[str, Document] = {}
    for step in range(6):
        put = {f"d{rng.randrange(14)}.md": rng.randrange(999) for _ in range(rng.randint(1, 6))}
        out = set(rng.sample(sorted(now), min(len(now), rng.randrange(3)))) - set(put)
        new = {s: document(s, seed) for s, seed in put.items()}
        update(made, files(new.values()), Counting(), lambda s, _, out=out: s in out)  # type: ignore[misc]
        now = {s: d for s, d in now.items() if s not in out} | new
        index = frozen(tmp_path, now.values())
        assert same(made, index), step
        assert same(Collection(made.path), index), step
    stems = Wording(stems=True)
    assert same(made, frozen(tmp_path, now.values(), stems), wording=stems)


def test_only_what_changed_is_cut_and_embedded_and_only_a_change_raises_the_version(made: Collection) -> None:
    embed = Counting()
    first = [document(f"d{n}.md", n) for n in range(9)]
    change = update(made, files(first), embed)
    assert (change.version, len(change.added), change.embedded) == (1, 9, embed.n)
    assert embed.n == made.db.execute("SELECT count(DISTINCT content) FROM passages").fetchone()[0]
    before = embed.n
    again = update(made, files(first), embed)
    assert (bool(again), again.version, again.unchanged, embed.n) == (False, 1, 9, before)
    other = Document("d3.md", first[3].text + "\n\nOne more paragraph that nobody has read before.", "d3.md")
    change = update(made, files([*first[:3], other, *first[4:]]), embed)
    assert (change.changed, change.added, change.removed, change.version) == (("d3.md",), (), (), 2)
    assert embed.n - before in (1, 2), "passages of it that did not change keep their vectors"
    assert take_out(made, ["d3.md"]).removed == ("d3.md",)
    assert made.version == 3
    assert made.db.execute(
        "SELECT count(*) FROM vectors WHERE content NOT IN (SELECT content FROM passages)"
    ).fetchone() == (0,)


def test_documents_of_a_file_that_holds_fewer_now_are_gone(made: Collection) -> None:
    update(made, {"a.zip": [document("a.zip/x", 1), document("a.zip/y", 2)], "b.md": [document("b.md", 3)]}, Counting())
    assert update(made, {"a.zip": [document("a.zip/y", 2)]}, Counting()).removed == ("a.zip/x",)
    assert list(made.known()) == ["a.zip/y", "b.md"]
    with pytest.raises(UserError, match="two documents are called x"):
        update(made, {"a": [document("x", 1)], "b": [document("x", 2)]}, Counting())


SECRET = "Zanzibar marmalade is kept in the blue cupboard"


def left(path: Path) -> list[str]:
    """The files of a collection that hold the secret's text."""
    return [p.name for p in path.parent.iterdir() if p.is_file() and b"marmalade" in p.read_bytes()]


def test_nothing_of_a_removed_document_stays_in_the_file(made: Collection) -> None:
    many = [document(f"d{n:03}.md", n) for n in range(120)]
    secret = Document("secret.md", f"# Where\n\n{SECRET}.", "Where")
    update(made, files([*many, secret]), Counting())
    assert left(made.path) == ["c.sqlite"]
    _, name = made.index(None, Counting())
    made.keep_answer("k", f'"{SECRET}"', name)
    assert made.answer("k")
    take_out(made, ["secret.md"])
    assert left(made.path) == []
    assert made.answer("k") is None
    made.keep_answer("k", f'"{SECRET}"', name)  # one that was under way while it was removed
    assert made.answer("k") is None
    assert left(made.path) == []


def test_nothing_of_what_a_changed_document_said_stays_in_the_file(made: Collection) -> None:
    rng = random.Random(3)
    many = [document(f"d{n:03}.md", n) for n in range(60)]
    for n in range(9):
        at = rng.randrange(len(many))
        said = Document(many[at].source, many[at].text + f"\n\n{SECRET} number {n}. " * rng.randint(1, 30), "t")
        update(made, files([said]), Counting())
        assert left(made.path)
        update(made, files([many[at]]), Counting())
        assert left(made.path) == [], n


def test_readers_see_one_version_or_the_other(made: Collection) -> None:
    """Every document of a version says its number: no reader ever finds two of them."""

    def whole(n: int) -> dict[str, list[Document]]:
        return files(Document(f"d{i}.md", f"version{n} of amber {i}.", "t") for i in range(12))

    update(made, whole(0), Counting())
    seen: list[set[str]] = []
    ended = threading.Event()

    def read() -> None:
        mine = Collection(made.path)
        while not ended.is_set():
            index, _ = mine.index(None, Counting())
            seen.append({p.text.split()[0] for p in index.search(["amber"], 12, "bm25")[0]})

    readers = [threading.Thread(target=read) for _ in range(3)]
    for r in readers:
        r.start()
    for n in range(1, 9):
        update(made, whole(n), Counting())
    ended.set()
    for r in readers:
        r.join()
    assert {len(s) for s in seen} == {1}
    assert len({tuple(s) for s in seen}) > 1


def in_child(act: Callable[[], None]) -> int:
    """Do something in a process of its own and return how that ended."""
    child = os.fork()
    if not child:
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def killed(path: Path, change: Callable[[Collection], None], after: int, every: int = 200) -> bool:
    """Make a change in another process, which is killed after so many steps of the database; whether it was."""

    def act() -> None:
        collection = Collection(path)
        left = [after]

        def step(*_: Any) -> int:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        collection.db.set_progress_handler(step, every)
        collection.db.set_trace_callback(step)  # at the beginning of every statement, COMMIT and VACUUM among them
        change(collection)

    return in_child(act) == signal.SIGKILL


EVERY = [pytest.param(1, marks=pytest.mark.full), 11]
"""Of the moments at which a kill is tried, each or each eleventh."""


@pytest.mark.parametrize("apart", EVERY)
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_version(tmp_path: Path, apart: int) -> None:
    old = [document(f"d{n}.md", n) for n in range(8)]
    new = [*old[:3], document("d3.md", 77), *old[4:6], document("e.md", 78), Document("f.md", f"{SECRET}.", "f")]
    before, after = frozen(tmp_path, old), frozen(tmp_path, new)

    def change(collection: Collection) -> None:
        update(collection, files(new), Counting(), lambda source, _: True)

    fresh = tmp_path / "fresh.sqlite"
    create(fresh, SETTINGS)
    first = Collection(fresh)
    update(first, files([*old, Document("f.md", f"{SECRET}.", "f")]), Counting())
    take_out(first, ["f.md"])
    first.close()
    path, outcomes, kills = tmp_path / "c.sqlite", set(), 0
    for point in range(0, 400, apart):
        for file in tmp_path.glob("c.sqlite*"):
            file.unlink()
        path.write_bytes(fresh.read_bytes())
        dead = killed(path, change, point)
        kills += dead
        collection = Collection(path)
        assert collection.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        is_new = collection.version > 2
        assert same(collection, after if is_new else before), point
        outcomes.add(is_new)
        embed = Counting()
        update(collection, files(new), embed, lambda source, _: True)  # goes on from there
        assert same(collection, after), point
        collection.close()
        if not dead:
            break
    assert kills > 40 / apart
    assert outcomes == {True, False}


@pytest.mark.parametrize("apart", EVERY)
def test_a_removal_that_was_killed_is_finished_by_the_next_change(tmp_path: Path, apart: int) -> None:
    fresh = tmp_path / "fresh.sqlite"
    create(fresh, SETTINGS)
    first = Collection(fresh)
    update(
        first, files([*(document(f"d{n}.md", n) for n in range(8)), Document("f.md", f"{SECRET}.", "f")]), Counting()
    )
    first.close()
    folder = tmp_path / "one"
    folder.mkdir()
    path, committed = folder / "c.sqlite", 0
    for point in range(0, 400, apart):
        for file in folder.glob("c.sqlite*"):
            file.unlink()
        path.write_bytes(fresh.read_bytes())
        dead = killed(path, lambda c: bool(take_out(c, ["f.md"])) and None, point)
        collection = Collection(path)
        there = "f.md" in collection.known()
        committed += dead and not there
        take_out(collection, ["f.md"])
        assert left(path) == [], point
        collection.close()
        if not dead:
            break
    assert committed > 0, "some kills fell between the change and the end of its clearing up"


def test_vectors_that_were_made_before_a_kill_are_not_made_again(made: Collection) -> None:
    many = files(document(f"d{n}.md", n) for n in range(200))

    def dies(texts: Sequence[str], query: bool = False) -> Any:
        if dies_at.n >= 300:
            os.kill(os.getpid(), signal.SIGKILL)
        return dies_at(texts)

    dies_at = Counting()
    assert in_child(lambda: bool(update(Collection(made.path), many, dies)) and None) == signal.SIGKILL  # type: ignore[arg-type]
    assert made.version == 0
    embed = Counting()
    total = update(made, many, embed).embedded
    everything = made.db.execute("SELECT count(*) FROM vectors").fetchone()[0]
    assert embed.n == total == everything - 384, "three batches of 128 were kept"


def test_a_full_disk_leaves_the_collection_as_it_was(made: Collection, tmp_path: Path) -> None:
    old = [document(f"d{n}.md", n) for n in range(8)]
    update(made, files(old), Counting())
    many = files(document(f"e{n}.md", n) for n in range(300))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (made.path.stat().st_size + 60_000, hard))
    try:
        with pytest.raises(UserError, match=r"cannot be written.*Free some space"):
            update(made, many, Counting())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert made.version == 1
    assert same(made, frozen(tmp_path, old))
    assert same(Collection(made.path), frozen(tmp_path, old))
    assert len(update(made, many, Counting()).added) == 300


def test_two_writers_take_turns(made: Collection) -> None:
    def write(n: int) -> None:
        mine = Collection(made.path)
        for i in range(5):
            update(mine, files([document(f"w{n}-{i}.md", i)]), Counting())

    writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    assert made.version == 15
    assert len(made.known()) == 15


def test_what_is_no_collection_is_said(tmp_path: Path) -> None:
    text, other, gone = tmp_path / "a.sqlite", tmp_path / "b.sqlite", tmp_path / "none.sqlite"
    text.write_text("no database at all" * 99)
    sqlite3.connect(other).execute("CREATE TABLE x (y)").connection.close()
    for path, what in (
        (text, "is no collection, or damaged"),
        (other, "is no collection"),
        (gone, "no such collection"),
    ):
        with pytest.raises(UserError, match=what):
            Collection(path)
    with pytest.raises(UserError, match="is there already"):
        create(text, SETTINGS)


def test_vectors_are_float32_of_the_model(made: Collection) -> None:
    update(made, files([document("a.md", 1)]), Counting())
    index, _ = made.index(None, Counting())
    assert index.vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(index.vectors, axis=1), 1)


COMMAND = """
import sys
from pathlib import Path
from sharpen.models.fake import FakeModel
from sharpen.retrieval import Collection, update
from sharpen.types import Document
folder, path = Path(sys.argv[1]), Path(sys.argv[2])
texts = {p.name: p.read_text() for p in sorted(folder.glob("*.md"))}
print("ready", flush=True)
update(Collection(path), {n: [Document(n, t, n)] for n, t in texts.items()}, FakeModel().embed, lambda s, _: True)
"""


@pytest.mark.full
def test_kill_9_at_random_times_of_an_update_loses_nothing(tmp_path: Path) -> None:
    """A process of its own is killed from outside, wherever it is; the same update then goes on to its end."""
    sources = tmp_path / "docs"
    sources.mkdir()
    path, rng, whole = tmp_path / "c.sqlite", random.Random(5), 1.0
    create(path, SETTINGS)
    now: dict[str, Document] = {}
    kills = 0
    for turn in range(40):
        new = dict(now) | {f"d{rng.randrange(400)}.md": document("x", rng.randrange(10**6)) for _ in range(150)}
        new = {s: Document(s, d.text, s) for s, d in new.items() if rng.random() > 0.1}
        for old in sources.glob("*.md"):
            old.unlink()
        for name, d in new.items():
            (sources / name).write_text(d.text)
        command = [sys.executable, "-c", COMMAND, str(sources), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            began = time.monotonic()
            if turn % 4:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(rng.random() * whole)
                process.kill()
            killed_it = process.wait() != 0
        if not turn % 4:
            whole = time.monotonic() - began
        kills += killed_it
        collection = Collection(path)
        assert collection.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        is_new = collection.known().keys() == new.keys()
        assert same(collection, frozen(tmp_path, (new if is_new else now).values())), turn
        now = new if is_new else now
        collection.close()
    assert kills > 10

"""Artefacts by content: the whole of one or nothing, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sharpen.errors import UserError
from sharpen.store import STALE_SECONDS, Store, clear, hash_file, hash_folder, locked, replacing, write_text
from sharpen.study.folder import RunFolder


def put(text: str, name: str = "a.txt"):
    def fill(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / name).write_text(text)
        (folder / "b.bin").write_bytes(bytes(range(256)))

    return fill


def files_below(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def test_same_content_same_ref(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ref = store.keep("adapter", put("one"))
    assert ref == store.keep("adapter", put("one")) == Store(tmp_path / "other").keep("adapter", put("one"))
    assert ref != store.keep("adapter", put("two"))
    assert ref != store.keep("adapter", put("one", "c.txt"))
    assert store.has(ref)
    assert store.path(ref) == tmp_path / "adapter" / ref.partition(":")[2]
    assert (store.path(ref) / "deep" / "a.txt").read_text() == "one"
    assert len(list(store.refs())) == 3
    assert hash_folder(store.path(ref)) == ref.partition(":")[2]


def test_hash_file_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert hash_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_fill_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fill(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        store.keep("index", fill)
    assert files_below(tmp_path) == []
    assert list(store.refs()) == []


def test_a_kill_in_the_middle_leaves_no_artefact(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from sharpen.store import Store\n"
        "def fill(folder):\n"
        "    (folder / 'half').write_text('half'); print('writing', flush=True); time.sleep(60)\n"
        "Store(sys.argv[1]).keep('index', fill)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "writing\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    store = Store(tmp_path)
    assert list(store.refs()) == []
    left = list(tmp_path.glob("index/.new-*"))
    assert len(left) == 1
    store.gc([])
    assert left[0].exists(), "it may belong to a process that still writes"
    old = time.time() - STALE_SECONDS - 1
    os.utime(left[0], (old, old))
    store.gc([])
    assert not left[0].exists()


FULL = """
import resource, sys
from pathlib import Path
from sharpen.store import Store, write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
root = Path(sys.argv[1])
for act in (lambda: Store(root).keep("index", lambda f: (f / "big").write_bytes(b"x" * 1_000_000)),
            lambda: write_text(root / "report.json", "y" * 1_000_000)):
    try:
        act()
    except OSError as e:
        print(type(e).__name__)
"""


def test_a_disk_that_takes_no_more_corrupts_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "report.json", "the old one")
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["OSError", "OSError"]
    assert (tmp_path / "report.json").read_text() == "the old one"
    assert files_below(tmp_path) == [tmp_path / "report.json"]
    assert list(Store(tmp_path).refs()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_corrupts_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        write_text(disk / "report.json", "the old one")
        store = Store(disk)
        kept = store.keep("index", put("small"))
        with pytest.raises(OSError, match="No space left"):
            store.keep("index", lambda f: (f / "big").write_bytes(b"x" * 4_000_000) and None)
        with pytest.raises(OSError, match="No space left"):
            write_text(disk / "report.json", "y" * 4_000_000)
        assert (disk / "report.json").read_text() == "the old one"
        assert list(store.refs()) == [kept]
        assert store.verify(kept)
        assert not list(disk.glob("*/.new-*"))
        store.keep("index", put("there is room again"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_verify_detects_one_changed_byte(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ref = store.keep("adapter", put("one"))
    assert store.verify(ref)
    file = store.path(ref) / "b.bin"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    assert not store.verify(ref)
    content[100] ^= 1
    file.write_bytes(content)
    assert store.verify(ref)
    (store.path(ref) / "more").write_text("")
    assert not store.verify(ref)


def test_gc_keeps_what_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    wanted, loose = store.keep("adapter", put("one")), store.keep("index", put("two"))
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.txt").write_text("not an artefact")
    assert store.gc([wanted]) == [], "a study under way may have just made it"
    old = time.time() - STALE_SECONDS - 1
    for ref in (wanted, loose):
        os.utime(store.path(ref), (old, old))
    assert store.gc([wanted]) == [loose]
    assert list(store.refs()) == [wanted]
    assert store.verify(wanted)
    assert (tmp_path / "work" / "notes.txt").exists()


def test_what_killed_processes_left_is_cleared(tmp_path: Path) -> None:
    """Of what others may still be writing nothing; of what this process holds the lock of everything."""
    ends = ("0123abcd", "0123456789abcdef")
    theirs = {f".1.0.{end}" for end in ends} | {f".1.0.1.{end}" for end in ends} | {".new-0123456789abcdef"}
    kept = {".1.0.lock", ".parts-0123abcd", "1.0.0123abcd", ".0123abcd"}

    def left() -> set[str]:
        return {path.name for path in tmp_path.iterdir()}

    for name in theirs | kept:
        (tmp_path / name).touch() if name.endswith("abcd") else (tmp_path / name).mkdir()
    clear(tmp_path)
    assert left() == theirs | kept
    clear(tmp_path, "1.0")
    assert left() == (theirs | kept) - {f".1.0.{end}" for end in ends}
    old = time.time() - STALE_SECONDS - 1
    for path in tmp_path.iterdir():
        os.utime(path, (old, old))
    clear(tmp_path)
    assert left() == kept


@pytest.mark.parametrize(
    "ref", ["adapter:", ":", "", "adapter", "adapter:..", "../x:" + "a" * 64, "adapter:" + "0" * 64]
)
def test_a_ref_that_is_not_here_is_a_sentence(tmp_path: Path, ref: str) -> None:
    store = Store(tmp_path / "store")
    store.keep("adapter", put("one"))
    assert not store.has(ref)
    with pytest.raises(UserError, match="Run the study again"):
        store.path(ref)


def test_many_at_once_keep_one(tmp_path: Path) -> None:
    store, refs, gate = Store(tmp_path), [], threading.Barrier(8)

    def fill(folder: Path) -> None:
        put("same")(folder)
        gate.wait(10)  # all are written before any is put into place

    threads = [threading.Thread(target=lambda: refs.append(store.keep("index", fill))) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(refs) == 8
    assert len(set(refs)) == 1
    assert list(store.refs()) == [refs[0]]
    assert store.verify(refs[0])


def test_what_is_written_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "report.html", "x")
        store = Store(tmp_path / "store")
        assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o644
        assert store.path(store.keep("index", put("x"))).stat().st_mode & 0o777 == 0o755
    finally:
        os.umask(before)


def test_replacing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_text(path, "1")

    def half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_text() == "1"
    assert files_below(tmp_path) == [path]


def test_a_damaged_artefact_is_said_and_kept_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ref = store.keep("adapter", put("one"))
    (tmp_path / "adapter" / ref.partition(":")[2] / "b.bin").write_bytes(b"")
    assert store.has(ref)
    assert not store.whole(ref)
    with pytest.raises(UserError, match="its content is not what its name says.*Run the study again"):
        store.path(ref)
    assert store.keep("adapter", put("one")) == ref
    assert store.verify(ref)
    assert store.path(ref).is_dir()
    assert not list(tmp_path.glob("*/.new-*"))


def test_an_artefact_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    ref = store.keep("adapter", put("one"))
    store.path(ref)
    monkeypatch.setattr("sharpen.store.hash_folder", lambda _: pytest.fail("it was read again"))
    assert store.path(ref).is_dir()
    assert list(store.refs()) == [ref]
    assert store.loose([ref]) == []


def test_who_finds_a_lock_held_says_so_and_waits(tmp_path: Path) -> None:
    waits, got = threading.Event(), threading.Event()

    def second() -> None:
        with locked(tmp_path / "work" / "x", waits.set):
            got.set()

    with locked(tmp_path / "work" / "x"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(20)
        assert not got.is_set()
    thread.join(20)
    assert got.is_set()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"), locked(tmp_path / "file" / "x"):
        pass


def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(UserError, match="cannot be locked: No locks available"), locked(tmp_path / "x"):
        pass
    with pytest.raises(UserError, match=r"cannot be locked: No locks available.*--out"), RunFolder(tmp_path).locked():
        pass


def test_a_file_that_cannot_be_written_is_called_by_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as e:
        write_text(tmp_path, "x")
    assert e.value.filename == str(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="[Nn]ot a directory|File exists") as other:
        write_text(tmp_path / "file" / "out.txt", "x")
    assert str(other.value.filename).startswith(str(tmp_path / "file"))
    disk = tmp_path / "gone"
    with pytest.raises(FileNotFoundError) as late, replacing(disk / "out.txt") as temporary:
        temporary.unlink()
    assert late.value.filename == str(disk / "out.txt")
    assert list(disk.iterdir()) == []

"""A part by its name: ours, another package's, and a file of the user's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sharpen import parts
from sharpen.cli.main import app
from sharpen.errors import MissingExtra, PluginError, UserError

KINDS = {
    "task": {"question_answering", "classification", "summarization", "generation", "chat"},
    "metric": {"exact_match", "token_f1", "contains", "accuracy", "macro_f1", "rouge_l", "seconds", "tokens"},
    "reader": {"jsonl", "csv", "markdown", "text", "html", "pdf", "docx", "parquet"},
    "recogniser": {"email", "phone", "card", "iban", "us_ssn", "ip", "person"},
    "cleaner": {"normalise", "encoding", "markup", "boilerplate", "quality", "lengths", "missing", "language"},
    "model": {"fake", "transformers"},
    "technique": {"instruct", "few_shot", "nearest_shots", "retrieve", "lora"},
    "augmentation": {"synonym", "deletion", "typos", "paraphrase", "synthetic_qa", "mixture"},
    "sampler": {"oversample", "undersample", "reweight"},
    "floor": {"majority", "tfidf_linear", "embedding_linear", "best_sentence", "first_sentences"},
}


@pytest.mark.parametrize("kind", parts.ROOMS)
def test_the_parts_of_a_kind(kind: str) -> None:
    found = parts.all_parts(kind)
    assert KINDS[kind] <= set(found)
    for name, part in found.items():
        assert part.name == name
        assert part.summary, f"{name} has no page"
        assert len(part.summary) < 140
        assert all(extra for extra in part.needs.values())
        assert callable(parts.factory(kind, name)), name


def test_helpers_are_no_parts() -> None:
    for kind, helpers in {"metric": {"judging", "parsing"}, "technique": {"bench"}, "model": {"_chat"}}.items():
        assert not helpers & set(parts.all_parts(kind))


def test_hyphens_are_underscores() -> None:
    assert parts.find("task", "question-answering").name == "question_answering"


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("technique", "retreive", "there is no technique called 'retreive'. Did you mean retrieve or tune_retriever?"),
        ("metric", "exact-macth", "Did you mean exact_match?"),
        ("floor", "zzzz", "There are: "),
        ("task", "", "There are: "),
        ("task", "./q.jsonl", "One of your own is named by its path: ./q.py"),
        ("task", "zzzz", "One of your own is named by its path: ./zzzz.py"),
        ("technique", "none.py", "there is no file none.py. Paths of a technique are relative to the use-case file."),
    ],
)
def test_a_name_that_is_not_there(kind: str, name: str, says: str) -> None:
    with pytest.raises(UserError) as e:
        parts.factory(kind, name)
    assert says in str(e.value)


MINE = '''"""Says hello."""
NEEDS = {}
def mine(n=1):
    return lambda program, bench: (program, n)
'''


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    part = parts.find("technique", "./mine.py", tmp_path)
    assert (part.name, part.summary, part.origin) == ("mine", "Says hello.", str(tmp_path / "mine.py"))
    assert parts.factory("technique", "mine.py", tmp_path)(n=3)("p", None) == ("p", 3)


def test_a_file_that_was_edited_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    assert parts.find("technique", "mine.py", tmp_path).summary == "Says hello."
    path.write_text(MINE.replace("hello", "goodbye"))
    assert parts.find("technique", "mine.py", tmp_path).summary == "Says goodbye."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"def mine(:\n", "mine.py, line 1: is not Python"),
        (b"x = 1\ndef mine()\n    pass\n", "mine.py, line 2: is not Python"),
        (b"x = 1\n", "has no function mine"),
        (b"\xff\xfe\x00", "mine.py"),
        (b"a = '\x00'\n", "mine.py"),
    ],
)
def test_a_file_that_is_no_part(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "mine.py").write_bytes(content)
    with pytest.raises(UserError) as e:
        parts.factory("technique", "mine.py", tmp_path)
    assert says in str(e.value)


def test_a_file_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise ValueError('oh')\ndef mine(): ...\n")
    with pytest.raises(PluginError) as e:
        parts.factory("technique", "mine.py", tmp_path)
    assert str(e.value) == f"technique mine (from {tmp_path / 'mine.py'}) failed with ValueError: oh"


def test_a_file_of_ones_own_may_define_dataclasses(tmp_path: Path) -> None:
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    (tmp_path / "mine.py").write_text(head + "@dataclass\nclass mine:\n    n: int = 1\n")
    assert parts.factory("technique", "mine.py", tmp_path)(n=2).n == 2


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    needs = 'NEEDS = {"json": "local", "no_such_package.sub": "cuda"}'
    (tmp_path / "mine.py").write_text(MINE.replace("NEEDS = {}", needs) + "import no_such_package\n")
    with pytest.raises(MissingExtra) as e:
        parts.factory("technique", "mine.py", tmp_path)
    assert "pip install 'sharpen[cuda]'" in str(e.value)
    assert "no_such_package.sub" in str(e.value)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path that looks like an installed distribution with parts."""
    info = tmp_path / "acme_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[sharpen.technique]\nacme-hello = acme_parts.hello:make\nretrieve = acme_parts.hello:make\n"
        "acme_broken = acme_parts.broken:acme_broken\nacme_absent = acme_parts.hello:absent\n"
        "acme_gone = acme_nowhere:gone\nacme_leaves = acme_parts.leaves:acme_leaves\n"
    )
    package = tmp_path / "acme_parts"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "hello.py").write_text('"""Greets.\n\nAt length."""\n\ndef make(n=1):\n    return lambda p, b: (p, n)\n')
    (package / "leaves.py").write_text('"""Leaves."""\nraise SystemExit(0)\n')
    (package / "broken.py").write_text('"""Breaks."""\nimport no_such_package\n')
    monkeypatch.syspath_prepend(tmp_path)
    parts.all_parts.cache_clear()
    yield tmp_path
    parts.all_parts.cache_clear()
    for name in [m for m in sys.modules if m.startswith("acme_")]:
        del sys.modules[name]


def test_parts_of_another_package(plugins: Path) -> None:
    part = parts.find("technique", "acme-hello")
    assert (part.name, part.origin, part.summary) == ("acme_hello", "acme-parts", "Greets.")
    assert part.page == "Greets.\n\nAt length."
    assert "acme_parts" not in sys.modules, "listing imports nothing"
    assert parts.factory("technique", "acme_hello")(n=2)("p", None) == ("p", 2)


def test_what_a_part_consists_of(plugins: Path, tmp_path: Path) -> None:
    """Who edits what a part imports, or upgrades its package, has another part."""
    assert parts.content(parts.find("technique", "retrieve")) == ""
    theirs = parts.find("technique", "acme_hello")
    seen = {parts.content(theirs)}
    (plugins / "acme_parts" / "leaves.py").write_text("x = 1\n")
    seen.add(parts.content(theirs))
    own = tmp_path / "mine.py"
    own.write_text("import helper\nfrom other import thing\nimport json\n\ndef mine():\n    pass\n")
    mine = parts.find("technique", str(own))
    seen.add(parts.content(mine))
    (tmp_path / "helper.py").write_text("import further\n")
    seen.add(parts.content(mine))
    (tmp_path / "further.py").write_text("import helper\n")
    seen.add(parts.content(mine))
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    assert parts.content(mine) in seen
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "deep.py").write_text("x = 1\n")
    seen.add(parts.content(mine))
    assert len(seen) == 6
    (tmp_path / "helper.py").write_text("def (\n")
    with pytest.raises(PluginError, match=r"mine\.py.*SyntaxError"):
        parts.content(mine)


@pytest.mark.parametrize("name", ["rtf", "broken"])
def test_a_reader_of_another_package_is_asked_or_named(name: str, plugins: Path) -> None:
    """Data are read in a process of their own, where whatever fails must come back as a sentence."""
    points = f"[sharpen.reader]\nacme_{name} = acme_parts.{name}:{name}\n"
    (plugins / "acme_parts-1.0.dist-info" / "entry_points.txt").write_text(points)
    (plugins / "acme_parts" / "rtf.py").write_text(
        '"""Reads RTF."""\nfrom sharpen.data.reading import DocumentReader\nfrom sharpen.types import Document\n'
        'SUFFIXES = (".rtf",)\n\n'
        'def rtf():\n    return DocumentReader(lambda path, source: [Document(source, "Hello.")])\n'
    )
    (plugins / "docs").mkdir()
    (plugins / "docs" / "a.rtf").write_text("{\\rtf1 Hello.}")
    (plugins / "q.jsonl").write_text("".join(f'{{"question": "Is it {i}?", "answers": "{i}"}}\n' for i in range(60)))
    code = (
        "import sys; from pathlib import Path; from sharpen import data; from sharpen.inputs import Data\n"
        "base = Path(sys.argv[1])\n"
        "made = data.examine(Data(examples='q.jsonl', documents='docs', near_duplicates=1.0), base, base / 'store')\n"
        "print(made.folder and data.load(made.folder).documents, *made.problems)"
    )
    command = [sys.executable, "-c", code, str(plugins)]
    env = {**os.environ, "PYTHONPATH": f"{plugins}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert (
        "Document(source='a.rtf'" if name == "rtf" else "reader acme_broken (from acme-parts) failed"
    ) in done.stdout


def test_ours_come_first(plugins: Path) -> None:
    assert parts.find("technique", "retrieve").origin == "sharpen"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("acme_broken", "No module named 'no_such_package'"),
        ("acme_absent", "it has no function absent"),
        ("acme_gone", "No module named 'acme_nowhere'"),
        ("acme_leaves", "SystemExit: 0"),
    ],
)
def test_a_plug_in_that_fails_is_named(plugins: Path, name: str, says: str) -> None:
    with pytest.raises(PluginError) as e:
        parts.factory("technique", name)
    assert str(e.value).startswith(f"technique {name} (from acme-parts) failed")
    assert says in str(e.value)


def test_plug_ins_are_listed_with_their_origin(plugins: Path) -> None:
    out = CliRunner().invoke(app, ["parts", "technique"]).stdout
    assert "acme_hello" in out
    assert "Greets. [acme-parts]" in out


# The command.


def sharpen(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sharpen", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_listing_showing_and_copying(tmp_path: Path) -> None:
    run = CliRunner().invoke
    everything = run(app, ["parts"]).stdout
    assert all(name in everything for names in KINDS.values() for name in names)
    assert run(app, ["parts", "metrics"]).stdout == run(app, ["parts", "metric"]).stdout
    shown = run(app, ["parts", "show", "few_shot"]).stdout
    assert shown.startswith("technique few_shot (sharpen)")
    target = tmp_path / "mine.py"
    assert "is yours" in run(app, ["parts", "copy", "few-shot", "--to", str(target)]).stdout
    ours = parts.find("technique", "few_shot").path.read_text()  # type: ignore[union-attr]
    assert target.read_text() == ours.replace("def few_shot(", "def mine(")
    assert callable(parts.factory("technique", str(target))())


def test_a_copy_works_under_its_own_name(tmp_path: Path) -> None:
    done = sharpen("parts", "copy", "few_shot", cwd=tmp_path)
    assert done.returncode == 0
    assert "./few_shot.py" in done.stdout
    made = parts.factory("technique", "./few_shot.py", tmp_path)
    assert made.__code__.co_filename == str(tmp_path / "few_shot.py")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("parts", "nonsense"), "there is no kind 'nonsense'"),
        (("parts", "copy", "nonsense"), "there is no part called 'nonsense'"),
        (("parts", "copy"), "cannot read: parts copy. Write: "),
        (("parts", "a", "b", "c"), "cannot read: parts a b c."),
        (("parts", "copy", "few_shot", "--to", "/proc/none/x.py"), "/proc/none"),
        (("parts", "copy", "few_shot", "--to", "my-part.py"), "my-part.py: is no name for a part's file."),
        (("parts", "copy", "few_shot", "--to", "mine"), "mine: is no name for a part's file."),
    ],
)
def test_mistakes_end_with_status_two_and_a_sentence(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = sharpen(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "few_shot.py").write_text("mine")
    done = sharpen("parts", "copy", "few_shot", cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert (tmp_path / "few_shot.py").read_text() == "mine"


def test_a_file_of_ones_own_is_compiled_as_it_stands(tmp_path: Path) -> None:
    """Python takes what it has compiled for a file of the same second and size."""
    file = tmp_path / "mine.py"
    for number in range(5):
        file.write_text(f"VALUE = {number}\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert number == parts.load_file("mine", str(file)).VALUE

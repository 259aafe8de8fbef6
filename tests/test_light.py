"""The front door is light: what a listing or a help text imports, and how long it takes."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "openvino", "openvino_genai", "pandas", "sklearn", "sentence_transformers", "scipy"}
HEAVY |= {"peft", "datasets", "pyarrow", "bm25s", "pypdfium2", "docx", "lxml", "gguf", "safetensors", "tokenizers"}
HEAVY |= {"pptx", "openpyxl", "xlrd", "olefile", "sqlalchemy", "charset_normalizer", "pattern", "ray"}
NUMPY = {"numpy"}

REPORT = """
import sys
try:
    {code}
except SystemExit as e:
    assert not e.code, e.code
finally:
    sys.stderr.write("\\nLOADED " + " ".join(sorted({{m.partition(".")[0] for m in sys.modules}})))
"""


def loaded(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", REPORT.format(code=code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("LOADED ")[2].split())


def command(*words: str) -> str:
    return f"sys.argv[:] = {['sharpen', *words]!r}; from sharpen.cli import main; main()"


@pytest.mark.parametrize("code", ["import sharpen", command("--help"), command("run", "--help")])
def test_help_and_import_load_nothing_heavy(code: str) -> None:
    assert not loaded(code) & (HEAVY | NUMPY)


@pytest.mark.parametrize("words", [("parts",), ("parts", "technique"), ("parts", "show", "lora"), ("schema",)])
def test_listings_load_nothing_heavy(words: tuple[str, ...]) -> None:
    assert not loaded(command(*words)) & HEAVY


@pytest.mark.parametrize(
    "room",
    [
        "tasks",
        "models",
        "data",
        "prompts",
        "retrieval",
        "metrics",
        "guards",
        "runtime",
        "tuning",
        "techniques",
        "floors",
        "evaluation",
    ],
)
def test_a_room_is_entered_without_anything_heavy(room: str) -> None:
    assert not loaded(f"import sharpen.{room}") & HEAVY


def test_help_takes_under_half_a_second_of_cpu() -> None:
    script = Path(sys.executable).with_name("sharpen")
    typed = [str(script), "--help"] if script.exists() else [sys.executable, "-m", "sharpen", "--help"]

    def cpu() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(typed, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert statistics.median(cpu() for _ in range(5)) < 0.5

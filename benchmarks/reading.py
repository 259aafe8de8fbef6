"""Reading PDFs, Office files, pages and books beside markitdown: ``python benchmarks/reading.py --work DIR``.

The files of ``ingest_samples`` that ``reading.json`` lists, each with phrases and table rows in their order: written
down by hand from what the file shows. Some were chosen after our own text had been seen, which favours ours; the
share found says more of the other program's tables than of ours. Text that is a picture is not in it. Both programs
read all files in a process of their own, in turns, ``--repeats`` times; starting Python, importing and one warm
reading of each kind of file are not counted. markitdown is installed below DIR, in an environment of its own. For
each file and kind: seconds and megabytes a second of both, and as ``times_as_fast`` the median over repeats of
markitdown's seconds by ours. ``found`` is the share of what is listed that stands in the text in order: phrases
anywhere, letters and signs compared without Markdown's marks; a row where its cells, empty ones passed over, follow
each other on one line, apart by ``|``. A demand is that ours finds no smaller share than ``LEAST`` and than
markitdown, and is at least ``LEAST`` times as fast. Written to ``results/reading.json``; status 1 where a demand is
not met. With ``--repeats`` below 3 nothing is written.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sharpen.study.environment import code_hash, machine, packages

HERE = Path(__file__).parent
PEER = ("markitdown[all]==0.1.8",)
LEAST = {"found": 0.95, "pdf": 2.0, "office": 1.0, "pages": 1.0}
"""The share that is found, and times as fast by kind."""

KINDS = {"pdf": (".pdf",), "office": (".docx", ".pptx", ".xlsx", ".xls", ".msg"), "pages": (".html", ".epub")}
Listed = str | list[str]

PROGRAM = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
import logging
logging.disable(logging.CRITICAL)
{imports}
files, out = json.loads(sys.argv[1]), sys.argv[2]
warm = {{}}
for f in sorted(files, key=os.path.getsize, reverse=True):
    warm[f.rpartition(".")[2]] = f
for f in warm.values():
    read(f)
made = {{}}
for f in files:
    begin = time.perf_counter()
    text = read(f)
    made[f] = {{"seconds": time.perf_counter() - begin, "text": text}}
with open(out, "w", encoding="utf-8") as to:
    json.dump(made, to)
"""
IMPORTS = {
    "sharpen": """
from pathlib import Path
from sharpen.data.documents import read_document
from sharpen.types import Document
def read(f):
    return "".join(x.text for x in read_document(Path(f), f) if isinstance(x, Document))
""",
    "markitdown": """
from markitdown import MarkItDown
engine = MarkItDown()
def read(f):
    return engine.convert(f).text_content
""",
}


def plain(text: str) -> str:
    """Text without Markdown's marks and with single blanks, so that both programs' texts can be compared."""
    text = re.sub(r"!?\[([^\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)", r"\1", text)
    text = re.sub(r"\\([-_*#.!()\[\]|])", r"\1", text)
    text = re.sub(r"^[ \t]*(?:#+|>|[*-])[ \t]+", "", text, flags=re.M)
    return " ".join(re.sub(r"\*\*|(?<!\w)[*_]|[*_](?!\w)|`", "", text).split())


def places(text: str, listed: Sequence[Listed]) -> list[list[int]]:
    """Where in a text each of what is listed stands, by character of the plain text."""
    lines, at = [], 0
    whole = plain(text)
    rows: list[tuple[int, list[str]]] = []
    for line in text.split("\n"):
        said = plain(line)
        found = whole.find(said, at) if said else -1
        at = found if found >= 0 else at
        lines.append(at)
        cells = [plain(c.strip()) for c in line.split("|") if c.strip()]
        if len(cells) > 1 and not all(set(c) <= set("-: ") and len(c) > 2 for c in cells):
            rows.append((at, cells))
    out = []
    for each in listed:
        if isinstance(each, str):
            wanted = plain(each)
            out.append([m.start() for m in re.finditer(re.escape(wanted), whole)])
        else:
            wanted_cells = [plain(c) for c in each]
            n = len(wanted_cells)
            out.append([p for p, cells in rows if any(cells[i : i + n] == wanted_cells for i in range(len(cells)))])
    return out


def in_order(found: Sequence[Sequence[int]]) -> int:
    """The most of the listed that stand one after the other, each at one of its places."""
    best: list[tuple[int, int]] = []  # (place of the last, how many)
    for each in found:
        made = [(p, 1 + max((n for q, n in best if q <= p), default=0)) for p in each]
        best += made
    return max((n for _, n in best), default=0)


def python_of(work: Path) -> str:
    """markitdown's own Python, made where it is missing."""
    folder = work / "markitdown"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", *PEER], check=True)
        (folder / "ready").touch()
    return str(folder / "bin" / "python")


def run(name: str, python: str, files: Sequence[Path], work: Path) -> dict[str, dict[str, Any]]:
    """One reading of all files in a process of its own."""
    out = work / f"reading-{name}.json"
    program = PROGRAM.format(imports=IMPORTS[name])
    typed = [python, "-c", program, json.dumps([str(f) for f in files]), str(out)]
    subprocess.run(
        typed, check=True, env={**os.environ, "PATH": os.defpath if name == "markitdown" else os.environ["PATH"]}
    )
    made: dict[str, dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return made


def kind_of(name: str) -> str:
    """The kind of a file by its suffix."""
    return next(kind for kind, ends in KINDS.items() if name.endswith(ends))


def told(names: Sequence[str], sizes: Sequence[int], runs: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Speed over some files: ``runs`` holds, by program and repeat, the seconds of each file."""
    sums = {name: [sum(each) for each in repeats] for name, repeats in runs.items()}
    ratios = [b / a for a, b in zip(sums["sharpen"], sums["markitdown"], strict=True)]
    found: dict[str, Any] = {"files": len(names), "bytes": sum(sizes)}
    for name, seconds in sums.items():
        middle = statistics.median(seconds)
        found[name] = {
            "seconds_per_file": round(middle / len(names), 5),
            "megabytes_per_second": round(sum(sizes) / middle / 1e6, 3),
        }
    found["times_as_fast"] = round(statistics.median(ratios), 2)
    found["spread"] = [round(min(ratios), 2), round(max(ratios), 2)]
    return found


def judged(kinds: dict[str, Any], found: dict[str, dict[str, Any]]) -> dict[str, tuple[bool, str]]:
    """Each demand, whether it is met, and by what."""
    ours, theirs = (found[name]["share"] for name in ("sharpen", "markitdown"))
    verdicts = {
        "share found": (ours >= max(LEAST["found"], theirs), f"{ours}, at least {LEAST['found']}; markitdown {theirs}")
    }
    for kind, each in kinds.items():
        ratio = each["times_as_fast"]
        verdicts[f"speed of {kind}"] = (ratio >= LEAST[kind], f"{ratio} times as fast, at least {LEAST[kind]}")
    return verdicts


def main() -> None:
    """Read in turns, compare, write and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for markitdown's environment")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    root = Path(os.environ["SHARPEN_DATA"]) / "ingest_samples"
    listed: dict[str, list[Listed]] = json.loads((HERE / "reading.json").read_text(encoding="utf-8"))
    files = [root / name for name in listed]
    sizes = [f.stat().st_size for f in files]
    pythons = {"sharpen": sys.executable, "markitdown": python_of(work)}
    runs: dict[str, list[list[float]]] = {name: [] for name in pythons}
    texts: dict[str, dict[str, str]] = {}
    for _ in range(args.repeats):
        for name, python in pythons.items():
            made = run(name, python, files, work)
            runs[name].append([made[str(f)]["seconds"] for f in files])
            texts[name] = {n: made[str(f)]["text"] for n, f in zip(listed, files, strict=True)}
    result: dict[str, Any] = {"machine": machine(), "packages": packages(), "peer": PEER, "code": code_hash()}
    result["repeats"] = args.repeats
    result["files"], found = {}, {name: {"found": 0, "listed": 0} for name in pythons}
    for i, (name, each) in enumerate(listed.items()):
        held = {p: in_order(places(texts[p][name], each)) for p in pythons}
        one = told([name], [sizes[i]], {p: [[r[i]] for r in runs[p]] for p in pythons})
        result["files"][name] = one | {"listed": len(each), "found": held}
        for p in pythons:
            found[p] = {"found": found[p]["found"] + held[p], "listed": found[p]["listed"] + len(each)}
        print(f"{name}: {one['times_as_fast']} times as fast; of {len(each)} found: {held}")
    for p in pythons:
        found[p]["share"] = round(found[p]["found"] / found[p]["listed"], 4)
    result["found"] = found
    result["kinds"] = {}
    for kind in KINDS:
        at = [i for i, name in enumerate(listed) if kind_of(name) == kind]
        some = {p: [[r[i] for i in at] for r in runs[p]] for p in pythons}
        result["kinds"][kind] = told([list(listed)[i] for i in at], [sizes[i] for i in at], some)
        print(kind, json.dumps(result["kinds"][kind]))
    print(json.dumps(found))
    verdicts = judged(result["kinds"], found)
    for name, (ok, why) in verdicts.items():
        print(f"{'met' if ok else 'NOT MET'}: {name} ({why})")
    result["demands"] = {name: {"met": ok, "by": why} for name, (ok, why) in verdicts.items()}
    if args.repeats >= 3:
        (HERE / "results" / "reading.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(not all(ok for ok, _ in verdicts.values()))


if __name__ == "__main__":
    main()

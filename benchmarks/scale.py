"""A million rows on two cores: ``python benchmarks/scale.py --work DIR``; with ``--rows 50000`` a try.

Made: texts of 170 words on average (1 GB for a million rows) drawn with Zipf frequencies from 200,000 invented words,
some of them not ASCII; 3% are exact copies but for case and white space, 9% near-duplicates with 1 to 8 words replaced
(more than 5% at or above the threshold), whose true Jaccard similarity of word 3-grams is computed and written beside
them; in 9% stands one of 40 boilerplate sentences, with a word of its own in a tenth of the cases; 1% are no prose.
Making them is not counted.

Then, each in order and from file to file: normalising and quality rules; exact and near duplicates of documents;
sentences that stand in at least 10 documents, exactly and nearly; splitting by hash of the content into 70/15/15. Known
by what was planted: ``recall`` is the share of near-duplicates at or above the threshold that were found, ``missed``
counts the others, ``false_merges`` are rows that were joined with a row of another origin, and
``joined_below_the_threshold`` those of the same origin and a lower similarity (a chain over another copy is right).
With ``--apart`` repeated spans and masking of personal data are measured by themselves, the latter with an address,
a card, an IBAN and a telephone number put into every 20th row, and on every ``--every``-th row where that is said.

One process does it all. Each step writes what it found and its seconds to ``steps-ROWS.json`` when it is done, so that
a measurement that was stopped goes on with the next; ``--again`` begins anew, as a change of the code does.
``peak_gib`` is that of the process so far. Written to ``results/scale.json`` for a million rows, printed otherwise. The
status is 1 where a demand is not met.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.data.alike import Duplicates, RepeatedSentences, RepeatedSpans, Rule
from sharpen.data.cleaning import Cleaned, Cleaning
from sharpen.guards import Protector
from sharpen.store import write_text
from sharpen.study.environment import code_hash, machine, packages

HERE = Path(__file__).parent
THRESHOLD = 0.8
BATCH = 2_000
DEMANDS = {"minutes": 10.0, "memory_gib": 2.0, "recall": 0.99}
MARK = "\x1e"  # between rows of a file


@cache
def vocabulary(size: int = 200_000) -> tuple[list[str], np.ndarray]:
    """Invented words and how often each is drawn."""
    draw = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = {"".join(draw.choices(letters, weights=range(27, 1, -1), k=draw.randint(2, 10))) for _ in range(size)}
    words = sorted(words)
    draw.shuffle(words)
    common = re.findall(r"\w+", "the of and to in is that it for was on are as with be at this by have from")
    words = common + [w + "é" if i % 500 == 0 else w for i, w in enumerate(words) if w not in common]
    weights = 1 / (np.arange(len(words)) + 20)
    return words, np.cumsum(weights / weights.sum())


def shingled(tokens: list[str]) -> set[tuple[str, ...]]:
    return set(zip(tokens, tokens[1:], tokens[2:], strict=False))


class Maker:
    """Draws rows; the same seed makes the same."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.random = np.random.default_rng(0)
        self.words, self.weights = vocabulary()
        self.lines = [self.sentence(8 + n % 8) for n in range(40)]
        self.held: list[tuple[int, list[str]]] = []  # rows that are copied further on

    def tokens(self, n: int) -> list[str]:
        return [self.words[i] for i in np.searchsorted(self.weights, self.random.random(n))]

    def sentence(self, n: int) -> str:
        return " ".join(self.tokens(n)).capitalize() + "."

    def all(self) -> Iterator[tuple[str, int, float]]:
        """Each row with the row that it is a copy of (its own number otherwise) and the similarity to it."""
        for at in range(self.rows):
            kind = self.random.random()
            if kind < 0.01:
                yield "# - " * 100, at, 0.0
            elif kind < 0.13 and self.held:
                origin, tokens = self.held[int(self.random.integers(len(self.held)))]
                if kind < 0.04:
                    yield self.written(tokens).upper() + "  \n", origin, 1.0
                else:
                    other = list(tokens)
                    for place in self.random.choice(len(other), 1 + int(self.random.integers(8)), replace=False):
                        other[place] = f"q{int(self.random.integers(1 << 40)):x}"
                    a, b = shingled(tokens), shingled(other)
                    yield self.written(other), origin, len(a & b) / len(a | b)
            else:
                tokens = self.tokens(int(np.clip(self.random.lognormal(4.95, 0.45), 40, 900)))
                text = self.written(tokens)
                if self.random.random() >= 0.1:  # it stands as it is, so it can be copied
                    if len(self.held) < 20_000:
                        self.held.append((at, tokens))
                    elif at % 20 == 0:
                        self.held[int(self.random.integers(20_000))] = (at, tokens)
                else:
                    line = self.lines[int(self.random.integers(40))]
                    text += "\n" + (line if self.random.random() < 0.9 else line[:-1] + f" {at}.")
                yield text, at, 0.0

    def written(self, tokens: list[str]) -> str:
        """Words as sentences of 12."""
        parts = (" ".join(tokens[k : k + 12]) for k in range(0, len(tokens), 12))
        return ". ".join(p[:1].upper() + p[1:] for p in parts) + "."


def make(rows: int, folder: Path) -> Path:
    """Write the rows and what is planted in them, once."""
    path = folder / f"rows-{rows}.txt"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    origins, similarities = np.zeros(rows, np.int64), np.zeros(rows)
    with path.with_suffix(".new").open("w", encoding="utf-8") as f:
        for at, (text, origin, similarity) in enumerate(Maker(rows).all()):
            f.write(text + MARK)
            origins[at], similarities[at] = origin, similarity
    np.save(folder / f"origins-{rows}.npy", origins)
    np.save(folder / f"similarities-{rows}.npy", similarities)
    path.with_suffix(".new").rename(path)
    return path


def read(path: Path) -> Iterator[str]:
    """The rows of a file, in bounded memory."""
    rest = ""
    with path.open(encoding="utf-8", newline="") as f:
        while piece := f.read(1 << 22):
            *whole, rest = (rest + piece).split(MARK)
            yield from whole


def batches(path: Path, size: int = BATCH) -> Iterator[list[str]]:
    """The rows of a file, so many at a time."""
    rows = read(path)
    while batch := list(islice(rows, size)):
        yield batch


def cleaned(path: Path, out: Path) -> dict[str, Any]:
    """Normalise, and drop what is no prose; ``out`` has the rows that are left, ``.places`` where they stood."""
    cleaning = Cleaning({"normalise": {}, "quality": {}})
    into, first, places = Cleaned(), 0, []
    with out.open("w", encoding="utf-8") as f, out.with_suffix(".dropped").open("w", encoding="utf-8") as dropped:
        for batch in batches(path):
            cleaning.batch([{"text": t} for t in batch], first, into)
            f.write("".join(r["text"] + MARK for r in into.kept))
            dropped.write("".join(f"{g.at}\t{g.rule}\t{g.reason}\n" for g in into.dropped))
            places.append(np.asarray(into.places, dtype=np.int64))
            first += len(batch)
            into.kept.clear()
            into.places.clear()
            into.dropped.clear()
    np.save(out.with_suffix(".places.npy"), np.concatenate(places))
    return {name: n for name, n in into.counts.items() if n}


def documents(path: Path, out: Path, work: Path) -> dict[str, Any]:
    """Drop exact and near duplicates of whole rows; ``out`` has the first of each cluster."""
    search = Duplicates(work / "documents", Rule(THRESHOLD))
    for batch in batches(path):
        search.add(batch)
    found = search.find()
    np.save(out.with_suffix(".twin.npy"), found.twin)
    np.save(out.with_suffix(".how.npy"), found.how)
    kept, at = found.kept, 0
    with out.open("w", encoding="utf-8") as f:
        for batch in batches(path):
            f.write("".join(t + MARK for t, keep in zip(batch, kept[at : at + len(batch)], strict=True) if keep))
            at += len(batch)
    return {**found.counts, "compared": found.compared, "uncompared": found.uncompared}


def repeated(path: Path, out: Path, work: Path) -> dict[str, Any]:
    """Take out sentences that stand in at least 10 rows, near-duplicates of them included."""
    search = RepeatedSentences(work / "sentences", 10, THRESHOLD)
    for batch in batches(path):
        search.add(batch)
    found = search.find()
    at = 0
    with out.open("w", encoding="utf-8") as f:
        for batch in batches(path):
            f.write("".join(t + MARK for t in found.strip(batch, at)))
            at += len(batch)
    return {"sentences": len(found.gone), "exact": found.exact, "near": found.near}


def split(path: Path, work: Path) -> dict[str, Any]:
    """Hand each row to a split by a hash of its content: 70/15/15."""
    counts = {"train": 0, "dev": 0, "test": 0}
    files = {name: (work / f"{name}.txt").open("w", encoding="utf-8") for name in counts}
    for text in read(path):
        share = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") / 2**64
        name = "train" if share < 0.7 else "dev" if share < 0.85 else "test"
        files[name].write(text + MARK)
        counts[name] += 1
    for f in files.values():
        f.close()
    return counts


def judged(work: Path, rows: int, places: np.ndarray, twin: np.ndarray) -> dict[str, Any]:
    """What was planted, and what was found of it."""
    origins = np.load(work / f"origins-{rows}.npy")
    similarity = np.load(work / f"similarities-{rows}.npy")
    place = np.full(rows, -1)
    place[places] = np.arange(len(places))
    planted = np.flatnonzero((origins != np.arange(rows)) & (place >= 0) & (place[origins] >= 0))
    joined = twin[place[planted]] == twin[place[origins[planted]]]
    alike = similarity[planted] >= THRESHOLD - 1e-9
    near = alike & (similarity[planted] < 1)
    first = origins[places]  # copies are of originals alone, so this names the true group
    strange = first[np.arange(len(places))] != first[twin]
    chained = ~alike & joined  # below the threshold, and yet joined: a chain over another copy, or wrongly
    return {
        "planted_exact": int(np.sum(alike & ~near)),
        "planted_near": int(np.sum(near)),
        "planted_below": int(np.sum(~alike)),
        "recall_exact": float(joined[alike & ~near].mean()),
        "recall": float(joined[near].mean()),
        "missed": int(np.sum(near & ~joined)),
        "false_merges": int(np.sum(strange)),
        "joined_below_the_threshold": int(np.sum(chained)),
    }


PERSONAL = (
    " Write to {name}@example.org or call +49 30 9018 {number:04}."
    " Card 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00."
)
TYPES = ("EMAIL", "PHONE", "CARD", "IBAN")


def masked(path: Path, every: int) -> dict[str, Any]:
    """Personal data masked in every so many rows, and whether what was put in is gone."""
    protector, found = Protector("mask"), Counter[str]()
    rows = characters = planted = left = 0
    with path.with_suffix(".masked").open("w", encoding="utf-8") as f:
        for at, text in enumerate(read(path)):
            if at % every:
                continue
            if rows % 20 == 0:
                text += PERSONAL.format(name=f"jo{at}", number=at % 10_000)
                planted += len(TYPES)
            made, findings = protector.text(text)
            if rows % 20 == 0:
                left += sum(f"[{t}]" not in made for t in TYPES)
            f.write(made + MARK)
            found.update(each.type for each in findings)
            rows, characters = rows + 1, characters + len(text)
    return {"rows": rows, "every": every, "characters": characters, "planted": planted, "left": left, "found": found}


def apart(path: Path, work: Path) -> dict[str, Any]:
    """Repeated spans of 50 words, by itself."""
    search = RepeatedSpans(work / "spans")
    for batch in batches(path):
        search.add(batch)
    found = search.find()
    return {"spans": len(found), "words": sum(s.end - s.start for s in found)}


def memory() -> float:
    """The most memory that this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def measure(rows: int, work: Path, with_apart: bool, every: int = 1) -> dict[str, Any]:
    """All steps, with the seconds that each took; those that were done are not done again."""
    path = work / f"rows-{rows}.txt"
    names = {n: work / f"{n}-{rows}.txt" for n in ("cleaned", "documents", "sentences")}
    todo: list[tuple[str, str, Callable[[], dict[str, Any]]]] = [
        ("normalise and quality", "", lambda: cleaned(path, names["cleaned"])),
        ("documents", "documents", lambda: documents(names["cleaned"], names["documents"], work)),
        ("sentences", "sentences", lambda: repeated(names["documents"], names["sentences"], work)),
        ("split", "", lambda: split(names["sentences"], work)),
    ]
    if with_apart:
        todo.append(("repeated spans (apart)", "spans", lambda: apart(names["cleaned"], work)))
        todo.append(("masking (apart)", "", lambda: masked(names["cleaned"], every)))
    steps = done(work, rows)
    for name, folder, step in todo:
        if name in steps and steps[name].get("every", every) == every:
            continue
        if folder:  # what a stopped step left
            shutil.rmtree(work / folder, ignore_errors=True)
        wall, cpu = time.perf_counter(), time.process_time()
        found = step()
        took = {"seconds": round(time.perf_counter() - wall, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
        steps[name] = {**took, "peak_gib": round(memory(), 3), **found}
        write_text(work / f"steps-{rows}.json", json.dumps({"code": code_hash(), "steps": steps}, indent=1))
        print(name, json.dumps(steps[name]), file=sys.stderr, flush=True)
    places = np.load(names["cleaned"].with_suffix(".places.npy"))
    twin = np.load(names["documents"].with_suffix(".twin.npy"))
    counted = [s for n, s in steps.items() if "apart" not in n]
    return {
        "rows": rows,
        "bytes": path.stat().st_size,
        "seconds": round(sum(s["seconds"] for s in counted), 1),
        "cpu_seconds": round(sum(s["cpu_seconds"] for s in counted), 1),
        "memory_gib": max(s["peak_gib"] for s in steps.values()),
        "steps": steps,
        "found": judged(work, rows, places, twin),
    }


def done(work: Path, rows: int) -> dict[str, dict[str, Any]]:
    """The steps that this code has done on these rows."""
    file = work / f"steps-{rows}.json"
    held = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    steps: dict[str, dict[str, Any]] = held["steps"] if held.get("code") == code_hash() else {}
    return steps


def main() -> int:
    """Make, measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder with 8 GB left")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--apart", action="store_true", help="measure repeated spans and masking, too")
    parser.add_argument("--every", type=int, default=1, help="mask every so many rows")
    parser.add_argument("--again", action="store_true", help="begin anew")
    parser.add_argument("--make", action="store_true", help="only make the rows")
    args = parser.parse_args()
    work = args.work.resolve()
    if args.make:  # in a process of its own, so that the memory it takes is not counted
        make(args.rows, work)
        return 0
    if not (work / f"rows-{args.rows}.txt").exists():
        subprocess.run([sys.executable, __file__, "--work", str(work), "--rows", str(args.rows), "--make"], check=True)
    if args.again:
        (work / f"steps-{args.rows}.json").unlink(missing_ok=True)
    found = measure(args.rows, work, args.apart, args.every)
    result = {"machine": machine(), "packages": packages(), "code": code_hash(), **found}
    result["demands"] = {
        "minutes": found["seconds"] / 60 < DEMANDS["minutes"],
        "memory_gib": found["memory_gib"] < DEMANDS["memory_gib"],
        "recall": found["found"]["recall"] >= DEMANDS["recall"],
        "false_merges": found["found"]["false_merges"] == 0,
    }
    if args.rows == parser.get_default("rows"):
        (HERE / "results" / "scale.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0 if all(result["demands"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())

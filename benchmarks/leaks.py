"""Planted leaks in a mix of real sets, and false alarms: ``python benchmarks/leaks.py --work DIR``.

Five public sets (xquad, policyqa, banking77, clinc150, 800 documents of medquad, bitext) are split by ``prepare``.
Then questions of dev and test are planted into train, everything is prepared again as three given files, and what was
dropped or told is compared with what was planted:

* exact: other case, white space, punctuation or width; with its source, without, or with another source's name;
* near: one to three words replaced, words put in, neighbours swapped. The true Jaccard similarity of word 3-grams is
  computed here, by other code (a product of sparse matrices); those at or above ``data.near_duplicates`` must be found,
  those below are counted apart;
* within: a question of 8 words or more inside a longer text;
* source: half of a source's questions stand in train, under its name, or under the name of a copy of its document; and
  copies in one file that is split, which have to stay together;
* passage: 13 to 40 words of a long answer or document, in a text of train (``sharpen.data.alike.contaminated``).

A row that was dropped or told though not planted is a false alarm unless this script's own comparison says that it is
what it was called; real sets hold real duplicates, and some of their ids are listed. Training rows of the sets as they
are that were kept although similar enough are counted too, with the reason. Written to ``results/leaks.json``; ends
with status 1 where a planted leak was missed. Minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import re
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from convert import policyqa, write_rows, xquad
from label_errors import folder

from sharpen import data
from sharpen.data.alike import contaminated
from sharpen.inputs import Data
from sharpen.study.environment import code_hash, machine, packages

HERE = Path(__file__).parent
THRESHOLD = 0.8
SPLITS = ("train", "dev", "test")
Row = dict[str, Any]
Grams = frozenset[tuple[str, ...]]


def said(text: str) -> list[str]:
    """The words of a text, by a pattern of this script's own."""
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


def grams(text: str, n: int = 3) -> Grams:
    """Word n-grams; a text that is shorter is its own only one."""
    w = said(text)
    return frozenset(tuple(w[i : i + n]) for i in range(len(w) - n + 1)) or frozenset([tuple(w)])


def nearest(texts: Sequence[str], others: Sequence[str]) -> list[list[tuple[int, float]]]:
    """For each text every other that shares a word 3-gram with it, and their Jaccard similarity."""
    from scipy.sparse import csr_matrix

    names: dict[tuple[str, ...], int] = {}

    def matrix(sets: Sequence[Grams]) -> tuple[list[int], list[int]]:
        pointers, columns = [0], list[int]()
        for s in sets:
            columns += [names.setdefault(g, len(names)) for g in s]
            pointers.append(len(columns))
        return pointers, columns

    a, b = [grams(t) for t in texts], [grams(t) for t in others]
    parts = [matrix(a), matrix(b)]
    x, y = (csr_matrix((np.ones(len(c), np.int32), c, p), (len(p) - 1, len(names))) for p, c in parts)
    found = []
    for start in range(0, len(a), 500):
        common = (x[start : start + 500] @ y.T).tocsr()
        for i in range(common.shape[0]):
            line = slice(common.indptr[i], common.indptr[i + 1])
            pairs = zip(common.indices[line].tolist(), common.data[line].tolist(), strict=True)
            found.append([(j, n / (len(a[start + i]) + len(b[j]) - n)) for j, n in pairs])
    return found


@dataclass
class Set:
    """A public set as a use case: rows, how they are split, documents by name."""

    name: str
    rows: list[Row]
    by: str
    documents: dict[str, str] = field(default_factory=dict)

    def write(self, place: Path, **files: list[Row]) -> None:
        """Write files of rows, and the documents."""
        for name, rows in files.items():
            write_rows(place / f"{name}.jsonl", rows)
        for name, text in self.documents.items():
            (place / "documents").mkdir(parents=True, exist_ok=True)
            (place / "documents" / name).write_text(text, encoding="utf-8")

    def settings(self, **more: Any) -> Data:
        """The ``data`` part of its use case."""
        documents = {"documents": "documents"} if self.documents else {}
        return Data(**documents, **more)


def converted(name: str, convert: Callable[[Path], None], work: Path) -> Set:
    """A set that ``convert.py`` knows, with its documents."""
    place = work / "converted" / name
    if not (place / "questions.jsonl").exists():
        convert(place)
    rows = [json.loads(line) for line in (place / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    papers = {p.name: p.read_text(encoding="utf-8") for p in sorted((place / "documents").iterdir())}
    return Set(name, rows, "source", papers)


def labelled(name: str, pairs: Sequence[tuple[str, str]]) -> Set:
    """Questions with classes, whose rows stand alone; a text that stands there twice stands there once."""
    first = {" ".join(text.split()): label for text, label in reversed(pairs)}
    rows = [{"id": f"{name}-{i}", "text": t, "label": first[t]} for i, t in enumerate(first)]
    return Set(name, rows, "row")


def banking77() -> Set:
    """All 13,083 questions."""
    pairs = []
    for file in ("train.csv", "test.csv"):
        with (folder("banking77") / file).open(encoding="utf-8", newline="") as f:
            pairs += [(r["text"], r["category"]) for r in csv.DictReader(f)]
    return labelled("banking77", pairs)


def clinc150() -> Set:
    """All requests in scope."""
    found = json.loads((folder("clinc150") / "data_full.json").read_text(encoding="utf-8"))
    return labelled("clinc150", [(t, label) for part in ("train", "val", "test") for t, label in found[part]])


def medquad(documents: int = 800) -> Set:
    """Questions on so many pages about health, drawn; the answers of a page are its document."""
    with gzip.open(folder("medquad") / "medquad_answered.jsonl.gz", "rt", encoding="utf-8") as f:
        pages = random.Random(0).sample([json.loads(line) for line in f], documents)
    made = Set("medquad", [], "source")
    for page in pages:
        name = page["doc_id"].replace("/", "_") + ".md"
        made.documents[name] = "\n\n".join(qa["answer"] for qa in page["qa"])
        made.rows += [
            {"id": f"{name}:{i}", "question": qa["question"], "answers": [qa["answer"]], "source": name}
            for i, qa in enumerate(page["qa"])
        ]
    return made


def bitext() -> Set:
    """Requests to a shop and what it answered."""
    file = folder("bitext_customer_support") / "bitext_2023-08-18_unique_responses.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as f:
        found = list(csv.DictReader(f))
    rows = [
        {"id": f"bitext-{i}", "question": r["instruction"], "answers": [r["response"]]} for i, r in enumerate(found)
    ]
    return Set("bitext", rows, "row")


SETS: Mapping[str, Callable[[Path], Set]] = {
    "xquad": lambda work: converted("xquad", xquad, work),
    "policyqa": lambda work: converted("policyqa", policyqa, work),
    "banking77": lambda work: banking77(),
    "clinc150": lambda work: clinc150(),
    "medquad": lambda work: medquad(),
    "bitext": lambda work: bitext(),
}


def asked(row: Row) -> str:
    """The question of a row."""
    return str(row.get("question") or row["text"])


def answers(row: Row) -> list[str]:
    """The answers or the class of a row."""
    return [row["label"]] if "label" in row else list(row["answers"])


def reworded(row: Row, question: str, name: str, source: str | None = None) -> Row:
    """A row with another question and id."""
    key = "text" if "text" in row else "question"
    made = {**row, key: question, "id": name}
    made.pop("gold", None)  # of another document it would be no place
    if source is not None and "source" in row:
        made["source"] = source
    return made


EXACT: Sequence[Callable[[str], str]] = (
    str.upper,
    str.lower,
    lambda t: "  ".join(t.split()) + " ",
    lambda t: "\n".join(t.split()),
    lambda t: t.rstrip("?.! ") + " ...",
    lambda t: f"«{t}»!",
    lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),  # full width
)


def nearly(text: str, rng: random.Random, stock: Sequence[str]) -> tuple[str, str]:
    """A text with a small change, and which one."""
    split = text.split()
    kind = rng.choice(("1 replaced", "2 replaced", "3 replaced", "1 put in", "2 put in", "swapped"))
    if kind == "swapped":
        at = rng.randrange(max(1, len(split) - 1))
        split[at : at + 2] = split[at : at + 2][::-1]
    for _ in range(int(kind[0]) if kind[0].isdigit() else 0):
        at = rng.choice((0, len(split) - 1, rng.randrange(len(split))))
        if "replaced" in kind:
            split[at] = rng.choice(stock)
        else:
            split.insert(at + rng.randrange(2), rng.choice(stock))
    return " ".join(split), kind


@dataclass
class Planted:
    """What was put into train: rows by kind, the source names, the documents' copies."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    how: dict[str, str] = field(default_factory=dict)
    torn: set[str] = field(default_factory=set)
    copies: dict[str, str] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)  # ids that are no longer judged


def plant(s: Set, parts: Mapping[str, list[Row]], n: int, seed: int) -> Planted:
    """Draw leaks of each kind, ``n`` of each."""
    rng, made = random.Random(f"{seed} {s.name}"), Planted()
    _sources(s, parts, rng, made)
    judged = [r for name in ("dev", "test") for r in parts[name] if r["id"] not in made.moved]
    rng.shuffle(judged)
    stock = [w for r in rng.sample(parts["train"], min(500, len(parts["train"]))) for w in asked(r).split()]
    names = sorted({r.get("source", "") for r in parts["train"]})
    drawn = iter(judged)
    for i, r in zip(range(n), drawn, strict=False):
        form = i % len(EXACT)
        source = (None, "", rng.choice(names))[i // len(EXACT) % 3]
        name = f"planted exact {i}"
        made.rows["exact"].append(reworded(r, EXACT[form](asked(r)), name, source))
        made.how[name] = f"form {form}, {'its own' if source is None else 'no' if not source else 'another'} source"
    for r in [*drawn, *judged] * 4:
        text, kind = nearly(asked(r), rng, stock)
        one, other = grams(text), grams(asked(r))
        share = len(one & other) / len(one | other)
        where = "near" if share >= THRESHOLD - 1e-9 else "less"
        if len(made.rows[where]) < n and text != asked(r):
            name = f"planted {where} {len(made.rows[where])}"
            # Those that stay tell no source: it would be told as one in two splits.
            made.rows[where].append(reworded(r, text, name, "" if where == "less" else None))
            made.how[name] = kind
    long = [r for r in judged if len(said(asked(r))) >= 8]
    for i, r in enumerate(rng.sample(long, min(n, len(long)))):
        filler = " ".join(rng.choice(stock) for _ in range(2 * len(asked(r).split()) + 20))
        made.rows["within"].append(reworded(r, f"{filler}. {asked(r)} {filler}", f"planted within {i}", ""))
    return made


def _sources(s: Set, parts: Mapping[str, list[Row]], rng: random.Random, made: Planted, each: int = 5) -> None:
    """Move half the rows of some judged sources into train, by their name or that of a copy of the document."""
    if s.by != "source":
        return
    for part in ("dev", "test"):
        of = defaultdict(list)
        for r in parts[part]:
            of[r["source"]].append(r)
        able = sorted(name for name, rows in of.items() if len(rows) > 1)
        for i, name in enumerate(rng.sample(able, min(2 * each, len(able) // 2))):
            other = name if i < each else f"copy of {name}"
            if other != name:
                made.copies[other] = name
                s.documents[other] = "\n" + s.documents[name].upper().replace("\n", " \n")
            made.torn.add(other)
            for r in of[name][: len(of[name]) // 2]:
                made.moved.add(r["id"])
                made.rows["source"].append(reworded(r, asked(r), f"planted {r['id']}", other))


def split(s: Set, place: Path) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """The rows of each split of a set as it is, and what was dropped and kept on the way, judged by this script."""
    s.write(place, rows=s.rows)
    made = data.prepare(s.settings(examples="rows.jsonl", split={"by": s.by}), place, place / "store")
    loaded, by_id = data.load(made), {r["id"]: r for r in s.rows}
    examples = {"train": loaded.train, "dev": loaded.dev, "test": data.load_sealed(loaded.seal)}
    parts = {name: [by_id[e.id] for e in found] for name, found in examples.items()}
    gone = [s.rows[int(d.place.removeprefix("line ")) - 1] for d in loaded.dropped if d.reason.startswith("leak")]
    later = [*parts["dev"], *parts["test"]]
    real = [max((x for _, x in f), default=0.0) for f in nearest(list(map(asked, gone)), list(map(asked, later)))]
    kept = missed(parts["train"], later, s.by)
    facts = {
        "rows": {name: len(rows) for name, rows in parts.items()},
        "real_leaks_dropped": len(gone),
        "dropped_wrongly": sum(x < THRESHOLD - 1e-9 for x in real),
        "real_leaks_shown": [r["id"] for r in gone[:10]],
        "kept_though_similar": dict(Counter(why for why, _ in kept)),
        "kept_shown": [name for _, name in kept[:5]],
        "told": _told(loaded.facts, s, made),
    }
    return parts, facts


def missed(train: list[Row], judged: list[Row], by: str) -> list[tuple[str, str]]:
    """Training rows that are similar enough to a judged one and were kept: why that may be, and the id."""
    found = []
    for r, pairs in zip(train, nearest(list(map(asked, train)), list(map(asked, judged))), strict=True):
        close = [judged[j] for j, x in pairs if x >= THRESHOLD - 1e-9]
        if not close:
            continue
        excused = by == "source" and all(
            len(said(asked(r))) <= 25
            and len(said(asked(o))) <= 25
            and r["source"] != o["source"]
            and not {tuple(said(a)) for a in answers(r)} & {tuple(said(a)) for a in answers(o)}
            for o in close
        )
        found.append(("short, of another source, with another answer" if excused else "MISSED", r["id"]))
    return found


def _told(facts: Mapping[str, Any], s: Set, folder: Path) -> dict[str, Any]:
    """What was told of a set as it is, and how much of it this script confirms."""
    torn, holding = facts["kin"]["torn"], facts["kin"]["holding"]
    lines = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "documents_that_are_copies": facts["kin"]["copies"],
        "sources_in_two_splits": len(torn),
        "of_them_not_alike": sum(not _alike(s, t["name"], t["other"]) for t in torn),
        "shown": [f"{t['name']} / {t['other']} ({t['split']}, {t['judge']})" for t in torn[:5]],
        "questions_within": len(holding),
        "questions_within_of_train": len(lines),
        "within_shown": holding[:5],
    }


def _alike(s: Set, name: str, other: str) -> bool:
    """Whether two names are of one source, or of documents that are near-duplicates."""
    if name == other or not {name, other} <= set(s.documents):
        return name == other
    one, two = grams(s.documents[name]), grams(s.documents[other])
    return len(one & two) >= THRESHOLD * len(one | two) - 1e-9


def judged_again(s: Set, parts: Mapping[str, list[Row]], planted: Planted, place: Path) -> dict[str, Any]:
    """Prepare with what was planted, as three files, and count."""
    put = [r for rows in planted.rows.values() for r in rows]
    files = {name: [r for r in parts[name] if r["id"] not in planted.moved] for name in SPLITS}
    files["train"] = [*files["train"], *put]
    s.write(place, **files)
    given = s.settings(train="train.jsonl", dev="dev.jsonl", test="test.jsonl", split={"by": s.by})
    loaded = data.load(data.prepare(given, place, place / "store"))
    kin = loaded.facts["kin"]
    dropped = {
        files["train"][int(d.place.removeprefix("line ")) - 1]["id"]: d.reason
        for d in loaded.dropped
        if d.file == "train.jsonl"
    }
    held = {files["train"][int(h.rpartition("line ")[2]) - 1]["id"] for h in kin["holding"]}
    leaks = {name for name, why in dropped.items() if why.startswith("leak")}
    known = {r["id"] for r in put}
    judged = [*files["dev"], *files["test"]]
    spared = [r for r in files["train"] if r["id"] in leaks - known]
    near = nearest(list(map(asked, spared)), list(map(asked, judged)))
    told = [t for t in kin["torn"] if t["split"] == "train"]
    torn = {t["name"] for t in told}
    others = [t for t in told if t["name"] not in planted.torn]
    text = {r["id"]: r for r in files["train"]}
    found: dict[str, Any] = {}
    for kind in ("exact", "near", "less", "within"):
        ids = [r["id"] for r in planted.rows[kind]]
        hit = leaks | held if kind == "within" else leaks
        found[kind] = counted(len(hit & set(ids)), len(ids), [i for i in ids if i not in hit and kind != "less"])
        found[kind]["missed_how"] = [planted.how.get(i, "") for i in found[kind]["missed"]]
    found["source"] = counted(len(planted.torn & torn), len(planted.torn), sorted(planted.torn - torn))
    found["false_alarms"] = {
        "rows_dropped_not_planted": len(spared),
        "of_them_no_near_duplicates": sum(max((x for _, x in f), default=0.0) < THRESHOLD - 1e-9 for f in near),
        "rows_not_planted": len(files["train"]) - len(put),
        "sources_told_not_planted": len({t["name"] for t in others}),
        "of_them_not_alike": len({t["name"] for t in others if not _alike(s, t["name"], t["other"])}),
        "sources_shown": [f"{t['name']} / {t['other']}" for t in others[:5]],
        "within_told_not_planted": len(held - known),
        "of_them_not_within": sum(not _holds(text[i], judged) for i in sorted(held - known)),
        "within_shown": sorted(held - known)[:5],
    }
    return found


def _holds(row: Row, judged: Sequence[Row]) -> bool:
    """Whether a row holds at least the threshold's share of the long n-grams of a judged question."""
    text = "\n".join([asked(row), *answers(row)])
    for n in (13, 8):
        mine = grams(text, n)
        for r in judged:
            w = len(said(asked(r)))
            if (w >= 13) == (n == 13) and w >= 8:
                theirs = grams(asked(r), n)
                if len(mine & theirs) >= THRESHOLD * len(theirs):
                    return True
    return False


def counted(found: int, n: int, missing: list[str]) -> dict[str, Any]:
    """A recall with its n and a 95% Wilson interval."""
    if not n:
        return {"found": 0, "n": 0, "missed": []}
    p, z = found / n, 1.96
    centre, half = p + z * z / 2 / n, z * (p * (1 - p) / n + z * z / 4 / n / n) ** 0.5
    low, high = ((centre + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return {"found": found, "n": n, "recall": round(p, 4), "low": round(low, 4), "high": round(high, 4)} | {
        "missed": missing[:10]
    }


def together(s: Set, place: Path, seeds: int = 3) -> dict[str, Any]:
    """Copies of documents in one file that is split: how many stay in their original's split."""
    kept = n = 0
    names = sorted({r["source"] for r in s.rows})
    for seed in range(seeds):
        chosen = random.Random(f"{seed} copies {s.name}").sample(names, min(8, len(names) // 3))
        twin = Set(s.name, list(s.rows), s.by, {**s.documents, **{f"copy of {c}": s.documents[c] for c in chosen}})
        halves = defaultdict(int)
        for i, r in enumerate(twin.rows):
            if r["source"] in chosen:
                halves[r["source"]] += 1
                if halves[r["source"]] % 2:
                    twin.rows[i] = reworded(r, asked(r), r["id"], f"copy of {r['source']}")
        at = place / f"copies-{seed}"
        twin.write(at, rows=twin.rows)
        made = data.load(data.prepare(twin.settings(examples="rows.jsonl", split={"seed": seed}), at, at / "store"))
        examples = {"train": made.train, "dev": made.dev, "test": data.load_sealed(made.seal)}
        of = {e.source: name for name, found in examples.items() for e in found}
        both = [c for c in chosen if c in of and f"copy of {c}" in of]
        kept, n = kept + sum(of[c] == of[f"copy of {c}"] for c in both), n + len(both)
    return counted(kept, n, [])


def passages(s: Set, parts: Mapping[str, list[Row]], n: int, seed: int) -> dict[str, Any]:
    """Runs of 13 to 40 words of what is judged on, planted into texts of train."""
    rng = random.Random(f"{seed} passages {s.name}")
    long = [a for name in ("dev", "test") for r in parts[name] for a in answers(r)]
    long += [
        s.documents[x]
        for x in sorted({r.get("source", "") for name in ("dev", "test") for r in parts[name]} & set(s.documents))
    ]
    long = [t for t in dict.fromkeys(long) if len(said(t)) >= 40]
    texts = ["\n".join([asked(r), *answers(r)]) for r in parts["train"]]
    if not long:
        return {}
    chosen = rng.sample(range(len(texts)), min(n, len(texts)))
    for i in chosen:
        split = rng.choice(long).split()
        length = rng.randint(13, 40)
        at = rng.randrange(max(1, len(split) - 40))
        run = split[at : at + length]
        while len(said(" ".join(run))) < 13 and at + length < len(split):  # a dash is no word
            length += 1
            run = split[at : at + length]
        own = texts[i].split()
        cut = rng.randrange(len(own) + 1)
        texts[i] = " ".join([*own[:cut], *run, *own[cut:]])
    truth = set().union(*(grams(t, 13) for t in long))
    real = {i for i, t in enumerate(texts) if len(said(t)) >= 13 and grams(t, 13) & truth}
    planted = set(chosen) & real  # a run at the end of its text may be too short
    flagged = {o.row for o in contaminated(texts, long)}
    told = counted(len(planted & flagged), len(planted), [parts["train"][i]["id"] for i in sorted(planted - flagged)])
    others = flagged - set(chosen)
    return {
        **told,
        "told_not_planted": len(others),
        "of_them_no_overlap": len(others - real),
        "of": len(texts) - len(chosen),
        "real_but_not_told": len(real - flagged),
        "shown": [parts["train"][i]["id"] for i in sorted(others)[:5]],
    }


def measured(s: Set, place: Path, n: int, seed: int) -> dict[str, Any]:
    """Everything about one set."""
    began = time.monotonic()
    parts, original = split(s, place / "as it is")
    found: dict[str, Any] = {"set": s.name, "as_it_is": original, "passage": passages(s, parts, n, seed)}
    if s.documents:
        found["copies_together"] = together(s, place)
    found |= judged_again(s, parts, plant(s, parts, n, seed), place / "planted")
    found["seconds"] = round(time.monotonic() - began, 1)
    return found


def summed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Recall of each kind over all sets."""
    made = {}
    for kind in ("exact", "near", "less", "within", "source", "copies_together", "passage"):
        some = [r[kind] for r in rows if r.get(kind)]
        made[kind] = counted(sum(x["found"] for x in some), sum(x["n"] for x in some), [])
    return made


def unmet(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What must not be: planted leaks that were missed, alarms that are false, real near-duplicates that stayed."""
    wrong = []
    for r in rows:
        for kind in ("exact", "near", "within", "source", "copies_together", "passage"):
            some = r.get(kind)
            if some and some["found"] < some["n"]:
                wrong.append(f"{r['set']}: {some['n'] - some['found']} of {some['n']} missed ({kind})")
        stayed = r["as_it_is"]["kept_though_similar"].get("MISSED", 0)
        if stayed:
            wrong.append(f"{r['set']}: {stayed} near-duplicates of its own were kept")
    return wrong


def main() -> int:
    """Measure, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the converted sets")
    parser.add_argument("--only", choices=SETS, action="append", help="measure less; nothing is written then")
    parser.add_argument("--n", type=int, default=105, help="planted of each kind in each set")
    args = parser.parse_args()
    work, rows = args.work.resolve(), []
    for name in args.only or SETS:
        rows.append(measured(SETS[name](work), work / name, args.n, 0))
        print(json.dumps(rows[-1]), flush=True)
    wrong, total = unmet(rows), summed(rows)
    print(json.dumps(total))
    result = {"threshold": THRESHOLD, "planted_of_each": args.n, "met": not wrong, "unmet": wrong, "all": total}
    result |= {"sets": rows, "machine": machine(), "packages": packages(), "code": code_hash()}
    if not args.only:
        (HERE / "results" / "leaks.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("met: every planted leak was found." if not wrong else "NOT MET: " + "; ".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

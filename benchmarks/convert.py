"""Make use-case data of public sets: ``python benchmarks/convert.py xquad OUT``, with the sets in ``$SHARPEN_DATA``.

What each set is, where it comes from and its licence stand in ``data.toml``; the hashes there are checked first. The
same set gives the same files, byte for byte.

========== ============================================================ =========================================
set        what is written                                              what was changed
========== ============================================================ =========================================
xquad      questions.jsonl (1,190), documents/ (48 articles)            paragraphs of an article are one document
policyqa   questions.jsonl, documents/ (20 policies)                    a question names its website; the same
                                                                        question on several segments of a policy
                                                                        is one row with all their answers
banking77  train.jsonl (10 an intent), dev.jsonl (5), test.jsonl (13)   sampled; no train or dev row is a
                                                                        near-duplicate of a row in a later split
doc2dial   questions.jsonl (turns that a passage answers), documents/   turns whose passage is not in its document
           (273)                                                        word for word are left out
tweetsumm  dialogues.jsonl (each with two summaries), person.jsonl      the last of a dialogue's summaries is the
                                                                        answer that a person gave, the others are
                                                                        the references
========== ============================================================ =========================================
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import random
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sharpen.data import near_duplicates
from sharpen.store import hash_file

HERE = Path(__file__).parent


def source(name: str) -> Path:
    """Return the folder of a public set after checking its files against ``data.toml``."""
    root = os.environ.get("SHARPEN_DATA")
    if not root:
        raise SystemExit("Set SHARPEN_DATA to the folder that holds the public sets; see benchmarks/data.toml.")
    described = tomllib.loads((HERE / "data.toml").read_text(encoding="utf-8"))[name]
    folder = Path(root) / name
    for file, wanted in described["files"].items():
        if not (folder / file).is_file():
            raise SystemExit(f"{folder / file} is missing. Get it from {described['source']}.")
        if hash_file(folder / file) != wanted:
            raise SystemExit(f"{folder / file} is not the version that data.toml describes: {described['version']}.")
    return folder


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


def articles(data: list[dict[str, Any]], out: Path) -> Iterable[tuple[str, str, dict[str, Any], int]]:
    """Write each article of a SQuAD file as one document; yield (title, document, question, paragraph's position)."""
    (out / "documents").mkdir(parents=True, exist_ok=True)
    for article in data:
        name = re.sub(r"[^\w.-]+", "_", article["title"]) + ".md"
        text = ""
        for paragraph in article["paragraphs"]:
            # A line break inside a paragraph becomes a space: blank lines stand between paragraphs only.
            begin = len(text)
            text += paragraph["context"].replace("\n", " ") + "\n\n"
            for asked in paragraph["qas"]:
                yield article["title"], name, asked, begin
        (out / "documents" / name).write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def gold(name: str, asked: dict[str, Any], begin: int) -> list[dict[str, Any]]:
    """Return the spans of a question's answers in its document."""
    places = dict.fromkeys((begin + a["answer_start"], len(a["text"])) for a in asked["answers"])
    return [{"source": name, "start": start, "end": start + length} for start, length in places]


def xquad(out: Path) -> None:
    """Write XQuAD's English questions, one document an article."""
    data = json.loads((source("xquad_en") / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    rows = []
    for _, name, asked, begin in articles(data, out):
        answers = list(dict.fromkeys(a["text"].strip() for a in asked["answers"]))
        row = {"id": asked["id"], "question": asked["question"].strip(), "answers": answers, "source": name}
        rows.append({**row, "gold": gold(name, asked, begin)})
    write_rows(out / "questions.jsonl", rows)


def policyqa(out: Path) -> None:
    """Write PolicyQA's questions, each with the name of its website; one row a question and website."""
    data = json.loads((source("policyqa") / "dev.json").read_text(encoding="utf-8"))["data"]
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for site, name, asked, begin in articles(data, out):
        question = f"About the privacy policy of {site}: {asked['question'].strip()}"
        empty = {"id": asked["id"], "question": question, "answers": [], "source": name, "gold": []}
        row = rows.setdefault((site, question), empty)
        row["answers"] = list(dict.fromkeys([*row["answers"], *(a["text"].strip() for a in asked["answers"])]))
        row["gold"] += [span for span in gold(name, asked, begin) if span not in row["gold"]]
    write_rows(out / "questions.jsonl", rows.values())


def doc2dial(out: Path) -> None:
    """Write the dialogues of doc2dial's validation part: each turn that a passage of its document answers."""
    folder = source("doc2dial_val")
    (out / "documents").mkdir(parents=True, exist_ok=True)
    texts: dict[str, str] = {}
    with gzip.open(folder / "docs.jsonl.gz", "rt", encoding="utf-8") as f:
        for doc in map(json.loads, f):
            texts[doc["id"]] = f"# {doc['title'].split('#')[0]}\n\n{doc['text']}"
            (out / "documents" / f"{doc['id']}.md").write_text(texts[doc["id"]], encoding="utf-8")
    rows = []
    with gzip.open(folder / "qa.jsonl.gz", "rt", encoding="utf-8") as f:
        for row in map(json.loads, f):
            said = [turn.split(":", 1) for turn in row["question"].split("\t")]
            roles = {"user": "user", "agent": "assistant"}
            messages = [{"role": roles[who], "content": text.strip()} for who, text in reversed(said)]
            answer = row["answers"][0].strip()
            start = texts[row["doc_id"]].find(answer)
            if start < 0 or messages[-1]["role"] != "user":
                continue
            name = f"{row['doc_id']}.md"
            spans = [{"source": name, "start": start, "end": start + len(answer)}]
            made = {"id": row["id"], "messages": messages, "answers": [answer], "source": name, "gold": spans}
            rows.append({**made, "group": row["dial_id"]})
    write_rows(out / "questions.jsonl", rows)


def banking77(out: Path, train: int = 10, dev: int = 5, test: int = 13, seed: int = 0) -> None:
    """Write so many rows an intent: test from test.csv; dev and train from train.csv, apart."""
    folder = source("banking77")
    chosen: list[dict[str, Any]] = []
    for split, file, wanted in (("test", "test.csv", test), ("dev", "train.csv", dev), ("train", "train.csv", train)):
        with (folder / file).open(encoding="utf-8", newline="") as f:
            rows = [{"id": f"{file[:-4]}-{n}", **row} for n, row in enumerate(csv.DictReader(f), 1)]
        taken = {i for i, _, _ in near_duplicates([r["text"] for r in rows], [r["text"] for r in chosen], 0.8)}
        by_label: dict[str, list[dict[str, Any]]] = defaultdict(list)
        seen = set()
        for i, row in enumerate(rows):
            row["text"] = " ".join(row["text"].split())
            if i not in taken and row["text"].casefold() not in seen:
                seen.add(row["text"].casefold())
                by_label[row["category"]].append(row)
        picked = []
        for label in sorted(by_label):
            draw = random.Random(hashlib.sha256(f"{seed}/{split}/{label}".encode()).hexdigest())
            some = sorted(by_label[label], key=lambda _: draw.random())[:wanted]
            if len(some) < wanted:
                raise SystemExit(f"{label} has only {len(some)} rows for {split}; {wanted} are wanted.")
            picked += some
        chosen += picked
        write_rows(out / f"{split}.jsonl", [{"id": r["id"], "text": r["text"], "label": r["category"]} for r in picked])


def tweetsumm(out: Path) -> None:
    """Write TweetSumm's dialogues with all summaries but one as references, and that one as a person's answer."""
    folder = source("tweetsumm")
    lines = [line for file in ("train", "valid") for line in (folder / f"{file}.jsonl").open(encoding="utf-8")]
    rows, person = [], []
    for row in map(json.loads, lines):
        turns = [" ".join(turn.split()) for turn in row["dialogue"].splitlines()]
        *references, last = (" ".join(s.split()) for s in row["summaries"])
        if references:
            rows.append({"id": row["dialog_id"], "question": "\n".join(filter(None, turns)), "answers": references})
            person.append({"id": row["dialog_id"], "answer": last})
    write_rows(out / "dialogues.jsonl", rows)
    write_rows(out / "person.jsonl", person)


SETS: dict[str, Callable[[Path], None]] = {
    "xquad": xquad,
    "policyqa": policyqa,
    "banking77": banking77,
    "tweetsumm": tweetsumm,
    "doc2dial": doc2dial,
}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SETS:
        raise SystemExit(f"usage: python benchmarks/convert.py {'|'.join(SETS)} OUT")
    SETS[sys.argv[1]](Path(sys.argv[2]))

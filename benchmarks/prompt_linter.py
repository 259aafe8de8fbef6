"""The prompt linter on prompts that were not written for it: ``python benchmarks/prompt_linter.py``.

Prompts are those of people in public sets: alpaca_en_demo, dpo_en_demo and kto_en_demo (instructions with their input,
first turns), the benign half of s-labs' prompt injections, and, as another group, glaive_toolcall_en_demo, xstest and
s-labs' validation file. Of the first group half (an even sha256) was looked at while rules were written.

``prompt_linter.json`` holds what a reader said; texts are known by the first 12 digits of their sha256:

* ``labelled``: 130 prompts of the other half, drawn by hash (40 alpaca, 40 kto, 25 dpo, 25 s-labs), read and labelled
  with the rules they break before the linter was run on any of them. One reader, who had read them before writing the
  rules, and who mended rules after the first run: what is printed for them now is no held-out figure;
* ``first``: hits of the first run on the other half, the first 20 of a rule by hash (10 of P002 to P006), right or not;
* ``fresh``: the same for the second group, after what ``first`` showed was mended.

Prints, by rule: hits, and how many of those that were read are right, as far as the rule still has them; how many of
the labelled prompts it finds, misses and blames wrongly; findings on the shipped library; and how many of faults that
are planted into the library's own prompts are found. Seconds. Written to ``results/prompt_linter.json``.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from convert import source

from sharpen.prompts import Brief, catalogue, find, lint, lint_text
from sharpen.prompts.linting import every_rule
from sharpen.study.environment import code_hash

HERE = Path(__file__).parent
READ = json.loads((HERE / "prompt_linter.json").read_text(encoding="utf-8"))
FORMULA = ("P002", "P003", "P004", "P005", "P006")


def name(text: str) -> str:
    """A text's name in the committed files."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def rows(path: Path) -> Any:
    """A gzipped JSON file."""
    return json.loads(gzip.decompress(path.read_bytes()))


def given(data: Path) -> Iterator[tuple[str, str]]:
    """The first group: its set and each text, once."""
    demo = data / "llamafactory_demo"
    for r in rows(demo / "alpaca_en_demo.json.gz"):
        yield "alpaca", r["instruction"] + (f"\n\n{r['input']}" if r["input"] else "")
    for r in rows(demo / "kto_en_demo.json.gz"):
        if r["messages"][0]["role"] == "user":
            yield "kto", r["messages"][0]["content"]
    for r in rows(demo / "dpo_en_demo.json.gz"):
        yield "dpo", r["conversations"][0]["value"]
    yield from (("s-labs", text) for text in benign(data / "prompt_injections" / "s-labs" / "train.csv"))


def benign(path: Path) -> Iterator[str]:
    """What is no injection."""
    with path.open(encoding="utf-8", newline="") as f:
        yield from (r["text"] for r in csv.DictReader(f) if r["label"] == "0")


def other(data: Path) -> Iterator[tuple[str, str]]:
    """The second group."""
    with (data / "xstest" / "xstest_prompts.csv").open(encoding="utf-8", newline="") as f:
        yield from (("xstest", r["prompt"]) for r in csv.DictReader(f))
    for r in rows(data / "llamafactory_demo" / "glaive_toolcall_en_demo.json.gz"):
        yield "glaive", r["conversations"][0]["value"]
    yield from (("s-labs", t) for t in benign(data / "prompt_injections" / "s-labs" / "validation.csv"))


def judged(texts: Sequence[str], read: Mapping[str, Mapping[str, bool]]) -> dict[str, Any]:
    """Hits of each rule on texts, and how many of those that were read are right: then, and of those it still has."""
    hits = defaultdict(set)
    for text in texts:
        for finding in lint_text(text):
            hits[finding.rule].add(name(text))
    told: dict[str, Any] = {}
    for rule in sorted({*hits, *read}):
        said = read.get(rule, {})
        left = [right for text, right in said.items() if text in hits[rule]]
        told[rule] = {"hits": len(hits[rule]), "read": len(said), "right": sum(said.values())}
        told[rule] |= {"read_now": len(left), "right_now": sum(left)}
    return {"prompts": len(texts), "rules": told}


def labelled(texts: Sequence[str]) -> dict[str, Any]:
    """Found, missed and wrongly blamed, by rule, on the labelled prompts; parts of the formula are not labelled."""
    counts: dict[str, Counter[str]] = {r.id: Counter() for r in every_rule() if r.id not in FORMULA}
    known = [t for t in texts if name(t) in READ["labelled"]]
    for text in known:
        found = {f.rule for f in lint_text(text)} & set(counts)
        wanted = set(READ["labelled"][name(text)])
        for rule in found | wanted:
            counts[rule]["found" if rule in found & wanted else "missed" if rule in wanted else "wrong"] += 1
    clean = sum(not READ["labelled"][name(t)] for t in known)
    return {"prompts": len(known), "without_fault": clean, "rules": {r: dict(c) for r, c in counts.items() if c}}


PLANTED: dict[str, Callable[[Brief], dict[str, Any]]] = {
    "P002": lambda b: {"context": ""},
    "P003": lambda b: {"examples": []},
    "P004": lambda b: {"persona": ""},
    "P010": lambda b: {"must": [*b.must, "add some appropriate details"]},
    "P013": lambda b: {"context": f"{b.context} It belongs to [INSERT NAME]."},
    "P014": lambda b: {"fence": ""},
    "P020": lambda b: {"context": f"Obviously, the text is right. {b.context}"},
    "P021": lambda b: {"must": [*b.must, "do not answer without avoiding names"]},
    "P022": lambda b: {"task": f"{b.task} Then translate it, and compare the two."},
    "P030": lambda b: {"format": f"{b.format} Be brief.", "must": [*b.must, "be comprehensive"]},
    "P032": lambda b: {"must": [*b.must, "name the source"], "must_not": [*b.must_not, "name the source"]},
    "P033": lambda b: {"format": f"{b.format} Use at least 500 words.", "words": 200},
    "P041": lambda b: {"context": f"{b.context} Each reader decides for himself, and every user has his own view."},
}


def planted() -> dict[str, str]:
    """Of faults of each kind that stand in every prompt of the library, how many are found."""
    found = Counter[str]()
    for brief in map(find, catalogue()):
        for rule, fault in PLANTED.items():
            kept = brief.model_dump() | fault(brief)
            told = " ".join(str(v) for k, v in kept.items() if k != "slots")
            kept["slots"] = {n: s for n, s in kept["slots"].items() if f"{{{n}}}" in told}
            found[rule] += rule in {f.rule for f in lint(Brief.model_validate(kept))}
    return {rule: f"{found[rule]} of {len(catalogue())}" for rule in PLANTED}


def main() -> None:
    """Measure, print, and write the result."""
    data = source("llamafactory_demo").parent
    for other_set in ("xstest", "prompt_injections/s-labs"):
        source(other_set)
    first = list(dict.fromkeys(text for _, text in given(data)))
    held = [t for t in first if int(hashlib.sha256(t.encode()).hexdigest(), 16) % 2]
    fresh = [t for t in dict.fromkeys(text for _, text in other(data)) if t not in set(first)]
    result = {
        "code": code_hash(),
        "labelled": labelled(held),
        "first": judged(held, READ["first"]),
        "fresh": judged(fresh, READ["fresh"]),
        "library": {"prompts": len(catalogue()), "findings": sum(len(lint(find(n))) for n in catalogue())},
        "planted": planted(),
    }
    text = json.dumps(result, indent=1)
    print(text)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "prompt_linter.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

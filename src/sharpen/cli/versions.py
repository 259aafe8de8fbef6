"""``sharpen data trace``, ``diff`` and ``split``: what became of a row, of a version, of the splits."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharpen.cli.offspring import arms_of, print_chain
from sharpen.cli.progress import live, say
from sharpen.errors import UserError

SHORT = 4  # characters of a hash that name a version at least
LINES = 600  # characters of a text that are printed; --json has all


@dataclass(frozen=True)
class Place:
    """A prepared folder, the store that it lies in, and the folder of its use case where that is known."""

    folder: Path
    store: Path
    base: Path | None


def place_of(name: str) -> Place:
    """Find a version by whatever names it: a prepared folder, a run, a use case, or the beginning of a hash.

    Raises:
        UserError: nothing is called so, or several versions are.
    """
    from sharpen.study.setting import store_root

    path = Path(name)
    if (path / "data.json").is_file():
        folder = path.resolve()
        store = folder.parent.parent
        return Place(folder, store, store.parent if store.name == ".sharpen" else None)
    if (path / "config.yaml").is_file():
        return _of_run(path)
    if path.is_file() or (path / "usecase.yaml").is_file():
        return _of_use_case(path)
    base = Path.cwd()
    root = store_root(base) / "data"
    found = sorted(p for p in root.glob(f"{name}*") if (p / "data.json").is_file()) if _is_hash(name) else []
    if len(found) == 1:
        return Place(found[0].resolve(), store_root(base).resolve(), base)
    if found:
        listed = ", ".join(p.name[:12] for p in found)
        raise UserError(f"several versions begin so: {listed}.", name, "Give more of the hash.")
    do = "Name a use case, a run's folder, a prepared folder, or a version's hash (of the store here)."
    raise UserError("is no version of any data.", name, do)


def _is_hash(name: str) -> bool:
    return len(name) >= SHORT and not set(name) - set("0123456789abcdef")


def _of_run(path: Path) -> Place:
    from sharpen.study.folder import RunFolder
    from sharpen.study.setting import store_root

    run = RunFolder(path)
    base = run.settings()[1]
    folder = store_root(base) / "data" / run.finished()[0]
    if not (folder / "data.json").is_file():
        raise UserError("its data are no longer in the store.", str(path), "Run the same study again; it makes them.")
    return Place(folder.resolve(), store_root(base).resolve(), base)


def _of_use_case(path: Path) -> Place:
    from sharpen import config, data
    from sharpen.study.setting import store_root

    uc, problems = config.read(path / "usecase.yaml" if path.is_dir() else path, [])
    if problems:
        raise UserError(problems)
    base = path.resolve() if path.is_dir() else path.resolve().parent
    with live() as progress:
        folder = data.prepare(uc.data, base, store_root(base) / "data", progress)
    return Place(folder.resolve(), store_root(base).resolve(), base)


def trace(id: str, where: str, raw: bool, as_json: bool) -> None:
    """Say where a row or document comes from, what was done to it, and where it is used."""
    from sharpen.data.offspring import offspring
    from sharpen.data.tracing import trace as trace_

    place = place_of(where)
    chains = offspring(place.folder, place.store / "built", id)
    try:
        found = trace_(place.folder, id, place.base, raw)
    except UserError:
        if not chains:
            raise
        found = []
    origins = dict.fromkeys(chain[-1]["of"] or chain[-1]["source"] for chain in chains)
    for origin in filter(None, origins):
        found += trace_(place.folder, origin, place.base, raw)
    runs = _runs(place)
    for one in found:
        known = {v["version"] for v in one["versions"]}
        one["runs"] = [run for run in runs if run["version"] in known]
    arms = [arms_of(chain, place.folder.name, runs) for chain in chains]
    if as_json:
        made = [{"kind": "variant", "made": c, "arms": of} for c, of in zip(chains, arms, strict=True)]
        print(json.dumps([*made, *found], ensure_ascii=False, indent=1))
        return
    for chain, of in zip(chains, arms, strict=True):
        print_chain(chain, of)
    for one in found:
        _print_trace(one)


def _runs(place: Place) -> list[dict[str, str]]:
    """Finished runs that this store knows of, and the version that each of them used."""
    from sharpen.cli.store import known_runs
    from sharpen.store import Store
    from sharpen.study.folder import RunFolder

    found = []
    for run in known_runs(Store(place.store), place.base or place.store.parent)[0]:
        try:
            found.append({"run": str(run), "version": RunFolder(run).finished()[0]})
        except UserError:  # not finished, or damaged: sharpen report says so
            continue
    return found


def _print_trace(one: Mapping[str, Any]) -> None:
    where = ", ".join(filter(None, (one["file"], one["place"]))) or "no file"
    of = f", of {one['source']}" if one["kind"] == "example" and one["source"] else ""
    used = one["split"] or ("in use" if one["content"] else "dropped")
    say(f"{one['kind']} {one['id']}: {used}, version {one['version'][:12]}")
    say(f"  from   {where}{of}")
    for step in one["steps"]:
        times = f" ({step['n']})" if step.get("n") else ""
        say(f"  by     {step['by']}: {step['did']}{times}{': ' if step['rule'] else ''}{step['rule']}")
    if who := one.get("who"):
        say(f"  person {', '.join(who['confirmed_by'])} confirmed it{', ' if who['when'] else ''}{who['when']}")
    for name, title in (("text", "now"), ("as_read", "as read")):
        if one[name]:
            same = name == "as_read" and one[name] == one["text"]
            say(f"  {title}: {'the same' if same else _shown(one[name])}")
    if one["said"]:
        say(f"  {one['said']}")
    for v in one["versions"]:
        what = "dropped" if not v["kept"] else f"{v['split'] or 'in use'}, {'the same' if v['same'] else 'changed'}"
        say(f"  in version {v['version'][:12]}: {what}")
    for run in one["runs"]:
        say(f"  in run {run['run']}")


def _shown(text: Mapping[str, Any]) -> str:
    """The fields of a text, one a line."""
    lines = []
    for name, value in text.items():
        said = ", ".join(value) if isinstance(value, list) else str(value)
        if said:
            lines.append(f"\n    {name}: {said if len(said) <= LINES else said[:LINES] + ' …'}")
    return "".join(lines)


def diff(one: str, other: str, as_json: bool) -> None:
    """Say what differs between two versions."""
    from sharpen.data.versions import differences

    places = [place_of(name) for name in (one, other)]
    found = differences(places[0].folder, places[1].folder)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    say(f"{found['versions'][0][:12]} -> {found['versions'][1][:12]}")
    if places[0].folder.name == places[1].folder.name:
        say("  They are one version.")
        return
    _print_diff(found)


def _print_diff(found: Mapping[str, Any]) -> None:
    for key, (a, b) in found["settings"].items():
        say(f"  setting {key}: {json.dumps(a, ensure_ascii=False)} -> {json.dumps(b, ensure_ascii=False)}")
    for what, names in found["files"].items():
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            say(f"  files {what}: {len(names)} ({', '.join(names[:5])}{more})")
    if not found["settings"] and not any(found["files"].values()):
        say("  Settings and files are the same: the code or the packages that read them differ.")
    for split, (a, b) in found["splits"].items():
        say(f"  {split:6} {a} -> {b}")
    for kind in ("rows", "documents"):
        some = found[kind]
        say(f"  {kind} the same: {some['same']}")
        ways = {**{k: some[k] for k in ("added", "removed", "changed")}}
        ways |= {f"moved from {way}": held for way, held in some["moved"].items()}
        for way, held in ways.items():
            if held["n"]:
                say(f"  {kind} {way}: {held['n']} (first: {', '.join(held['first'])})")
    for label, (a, b) in sorted(found["labels"].items(), key=lambda pair: -abs(pair[1][0] - pair[1][1]))[:10]:
        say(f"  class {label}: {a:.1%} -> {b:.1%}")
    if len(found["labels"]) > 10:
        say(f"  and {len(found['labels']) - 10} more classes whose share differs; --json has all")
    for what, (a, b) in found["lengths"].items():
        say(f"  {what}: mean {a.get('mean')} -> {b.get('mean')}, 95% at most {a.get('p95')} -> {b.get('p95')}")
    for rule, (a, b) in found["rules"].items():
        say(f"  rule {rule}: {a} -> {b} rows or documents")
    for remark in found["remarks"]:
        say(f"  ! {remark}")


def split(use_case: str, out: Path | None, as_json: bool) -> None:
    """Say how the data are split and that nothing is in two splits; write the splits where they are asked for."""
    from sharpen.data.versions import splits

    place = place_of(use_case)
    found = splits(place.folder)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        _print_split(found)
    if out:
        _write(place, out)


def _print_split(found: Mapping[str, Any]) -> None:
    asked = found["given"]
    how = f"by {found['by']}, seed {found['seed']}" if asked else "train, dev and test are files of their own"
    say(f"version {found['version'][:12]}: {how}")
    for name, s in found["splits"].items():
        wanted = f" (asked for {asked[name]:.1%})" if asked else ""
        say(f"  {name:6} {s['n']:7} rows, {s['share']:.1%}{wanted}, {s['clusters']} clusters")
    labels = {name: s["labels"] for name, s in found["splits"].items() if s["labels"]}
    for label in list(next(iter(labels.values()), {}))[:20]:
        say(f"  class {label}: " + ", ".join(f"{name} {part.get(label, 0):.1%}" for name, part in labels.items()))
    if labels:
        n = len(set().union(*labels.values()))
        say(f"  {n} classes{'; 20 are shown, --json has all' if n > 20 else ''}. Those of the test are sealed.")
    for pair, common in found["common"].items():
        say(f"  {pair} have in common: " + ", ".join(f"{n} {what}" for what, n in common.items()))
    if found["by"] in ("row", "label") or not asked:
        say("  They are not split by source, so that sources may well be in several.")


def _write(place: Place, out: Path) -> None:
    """Write the splits. The test is opened, and counted where studies count their openings."""
    from sharpen import data
    from sharpen.data.versions import write_splits
    from sharpen.evaluation import Ledger
    from sharpen.types import digest

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError("holds files already.", str(out), "Name a folder that is new or empty.")
    out.mkdir(parents=True, exist_ok=True)  # before it is counted: what cannot be written is no look
    made = data.load(place.folder)
    run = f"written-{secrets.token_hex(8)}"
    ledger = Ledger(place.store / "ledger.sqlite")
    opening = ledger.record(made.seal.questions, run, digest([run, str(out.resolve())]), made.seal.each)
    for file in write_splits(made, out):
        say(f"{file}")
    say(
        f"The test was opened by this, and it is counted as look {opening.look} at these questions: every later "
        "study of them says so. Whoever has seen test.jsonl should not choose anything by it."
    )

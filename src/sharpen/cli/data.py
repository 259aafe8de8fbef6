"""``sharpen data``: what becomes of files on the way to an example."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharpen.cli.progress import live, say
from sharpen.errors import UserError

if TYPE_CHECKING:
    from sharpen.config import UseCase
    from sharpen.data import Dataset


def read(paths: Sequence[Path], as_json: bool) -> None:
    """Read files and say what came out of each."""
    from sharpen.data import survey

    with live() as progress:
        found = [survey(path, progress) for path in paths]
    if as_json:
        print(json.dumps([s.facts for s in found], ensure_ascii=False, indent=1))
        return
    for one in found:
        say(one)


def clean(
    paths: Sequence[Path],
    out: Path,
    steps: tuple[Path | None, Sequence[str], Sequence[str], int],
    engine: str,
    workers: int,
) -> None:
    """Clean files into a folder and say what became of them; ``steps`` are a file, cleaners, rules off, and spans."""
    from sharpen.data.bulk import Asked, clean_files, read_steps

    with live() as progress:
        made = clean_files(paths, out, Asked(read_steps(*steps), engine, workers), progress)
    say(made)


TITLE, SHELF = "<title>Data of ", "<title>Documents of "
"""What every page about data, or about documents alone, begins with."""


@dataclass(frozen=True)
class Extras:
    """What a report writes beside its page: features, a sample (by a seed, with so many edge cases) for people to
    review, a sheet of doubts; and a probe set of one's own."""

    features: Path | None = None
    sample: int = 0
    review: Path | None = None
    suspects: Path | None = None
    probes: Path | None = None
    seed: int = 0
    edges: int = 0


def numbers(given: str, option: str) -> tuple[int, int]:
    """A number and a seed, written ``50`` or ``50:3``."""
    n, _, seed = given.partition(":")
    if not (n.isdecimal() and (seed or "0").isdecimal() and len(given) < 20):
        raise UserError(f"{given!r} is no number of rows.", option, f"Write {option} 50, or {option} 50:3 with a seed.")
    return int(n), int(seed or 0)


def report(use_case: Path, settings: Sequence[str], out: Path | None, extras: Extras = Extras()) -> None:
    """Prepare the data of a use case and write its page.

    Raises:
        UserError: the data do not keep the thresholds of the use case; the page is written before.
    """
    from sharpen import config, data
    from sharpen.cli.saving import free, write_named
    from sharpen.data.bias import probes
    from sharpen.data.page import gate, sheet, thresholds_of
    from sharpen.data.probe_sets import read_probes
    from sharpen.study.looking import look, write_page
    from sharpen.study.setting import store_root

    if alone := documents_alone(use_case, settings):
        _of_documents(*alone, out, extras)
        return
    uc, problems = config.read(use_case / "usecase.yaml" if use_case.is_dir() else use_case, settings)
    if problems:
        raise UserError(problems)
    base = use_case.resolve() if use_case.is_dir() else use_case.resolve().parent
    root, file = store_root(base), out or base / "data.html"
    free(file, TITLE)  # said before minutes are spent
    own = read_probes(extras.probes) if extras.probes else None
    with live() as progress:
        made = data.load(data.prepare(uc.data, base, root / "data", progress))
        known = look(uc, base, made, root, progress, deep=True)
        if own:
            known["bias"] |= probes((*made.train, *made.dev), made.documents, own.families)
    write_page(known, uc, file, _written(made, extras))
    if known["sufficiency"]:
        say(known["sufficiency"]["why"])
    if extras.suspects and not known["doubts"]:
        raise UserError("is asked for, and this task has no classes.", "--suspects", "Leave it out.")
    if extras.suspects:
        text = sheet(known["doubts"])
        write_named(extras.suspects, text, text.partition("\n")[0])
        n, m = len(known["doubts"]["suspects"]), len(known["doubts"]["clashing"])
        say(f"{extras.suspects}: {n} labels that are likely wrong, and {m} rows whose text has another label, too")
    if own:
        say(f"{extras.probes}: {own.used} of {own.rows} probes tell groups apart, of: {', '.join(own.families)}.")
    say(f"{file}: version {made.folder.name[:12]}")
    if failed := gate(known, thresholds_of(uc.data.quality)):
        raise UserError(failed)


def documents_alone(named: Path, settings: Sequence[str]) -> tuple[Path, UseCase | None, Path] | None:
    """Documents without examples: where they are, their use case where there is one, and where the page goes.

    They are a folder without a use case, a file that is no YAML, or a use case that names documents and no examples.
    """
    from sharpen import config
    from sharpen.store import read_yaml

    file = named / "usecase.yaml" if named.is_dir() else named
    if (named.is_dir() and not file.exists()) or (named.is_file() and named.suffix.lower() not in (".yaml", ".yml")):
        whole = named.resolve()
        return named, None, whole.parent / f"{whole.name}.data.html"  # within the folder it would be a document
    raw = read_yaml(file)
    if not isinstance(raw, dict):
        return None
    config.override(raw, settings)
    data = raw.get("data")
    if not isinstance(data, dict) or not data.get("documents"):
        return None
    if any(data.get(use) for use in ("examples", "train", "dev", "test")):
        return None
    uc = config.validate({**raw, "data": {**data, "examples": "none"}}, str(file))  # everything but that they lack
    base = file.resolve().parent
    return base / str(uc.data.documents), uc, base / "data.html"


def _of_documents(root: Path, uc: UseCase | None, page: Path, out: Path | None, extras: Extras) -> None:
    from sharpen.cli.saving import free, write_named
    from sharpen.data.page import render_shelf, shelf
    from sharpen.study.looking import language, personal_in, tokens_of

    if extras != Extras():
        do = "Name a use case with examples, or leave out --features, --sample, --review and --suspects."
        raise UserError("are documents without examples.", str(root), do)
    file = out or page
    free(file, SHELF)
    with live() as progress:
        count, context = tokens_of(uc.model) if uc else (None, None)
        found = shelf(root, count, context, personal_in(progress), language, progress)
    write_named(file, render_shelf(found, uc.name if uc else root.resolve().name, uc.goal if uc else ""), SHELF)
    say(f"{file}: {found['documents']} documents, no examples. Questions about them: sharpen data draft --help")


def _written(made: Dataset, extras: Extras) -> dict[str, Any]:
    """Write what is asked for beside the page; return what the page says of it."""
    from sharpen.cli.saving import write_named
    from sharpen.data.features import FEATURES, as_csv, features
    from sharpen.data.sampling import distances, edges, reviewed, sample, sheet
    from sharpen.store import write_text
    from sharpen.study.looking import language

    found: dict[str, Any] = {}
    if extras.features:
        rows = features({"train": made.train, "dev": made.dev}, language)
        text = as_csv(rows, FEATURES)
        write_named(extras.features, text, text.partition("\n")[0])
        say(f"{extras.features}: {len(FEATURES)} features of {len(made.train) + len(made.dev)} rows")
    every = (*made.train, *made.dev)
    chosen = sample(every, extras.sample, extras.seed) if extras.sample else []
    if chosen:
        found["sample"] = {"n": len(chosen), "of": len(every), "distances": distances(chosen, every)}
    if extras.review and extras.review.exists():
        found["review"] = reviewed(extras.review)
        say(f"{extras.review}: {sum(found['review']['verdicts'].values())} verdicts are shown on the page")
    elif extras.review:
        if not chosen:
            raise UserError("says where a sample is to be reviewed, and there is none.", "--review", "Add --sample 50.")
        beside = edges(every, extras.edges, chosen)
        write_text(extras.review, sheet(chosen, beside))
        say(f"{extras.review}: {len(chosen)} rows, and {len(beside)} edge cases.")
        say("  Write right, wrong or unclear into the column verdict, then repeat.")
    elif chosen:
        for what, d in found["sample"]["distances"].items():
            say(f"  a sample of {len(chosen)} differs by {what}: {d:.3f} (0 the same, 1 nothing in common)")
    return found

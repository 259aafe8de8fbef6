"""``sharpen data``: what becomes of files on the way to an example."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from sharpen.cli.progress import live, say
from sharpen.errors import UserError

SURE = 7  # words of a question from which its language is told: of fewer it is often another's


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


def report(use_case: Path, settings: Sequence[str], out: Path | None) -> None:
    """Prepare the data of a use case and write its page."""
    from sharpen import config, data
    from sharpen.data.page import profile, render
    from sharpen.guards import find
    from sharpen.store import write_text
    from sharpen.study.setting import store_root
    from sharpen.study.sufficient import sufficiency

    uc, problems = config.read(use_case / "usecase.yaml" if use_case.is_dir() else use_case, settings)
    if problems:
        raise UserError(problems)
    base = use_case.resolve() if use_case.is_dir() else use_case.resolve().parent
    with live() as progress:
        made = data.load(data.prepare(uc.data, base, store_root(base) / "data", progress))
        progress("looking at them", 0, None)
        count, context = _tokens(uc.model)

        def personal(texts: Sequence[str]) -> Mapping[str, int]:
            found: Counter[str] = Counter()
            for n, text in enumerate(texts):
                progress("looking for personal data", n, len(texts))
                found.update(f.type for f in find(text))
            return dict(found.most_common())

        known = profile(made, count, context, personal, _language)
        known["sufficiency"] = sufficiency(uc, base, made, progress)
        page = render(known, uc.name, uc.goal)
    file = out or base / "data.html"
    write_text(file, page)
    if known["sufficiency"]:
        say(known["sufficiency"]["why"])
    say(f"{file}: version {made.folder.name[:12]}")


def _tokens(ref: str) -> tuple[Callable[[str], int] | None, int | None]:
    """How the use case's model counts a text, and how much it reads; nothing where it is asked over the network."""
    from sharpen.models import is_hosted, open_model
    from sharpen.types import Message

    if is_hosted(ref) or ref.startswith("fake:"):
        return None, None
    model = open_model(ref)
    frame = len(model.render((Message("user", ""),)).ids)  # of the template, which every text shares

    @cache  # answers repeat, classes above all
    def count(text: str) -> int:
        return max(0, len(model.render((Message("user", text),)).ids) - frame)

    return count, model.context - frame


def _language(text: str) -> str:
    from sharpen.data.cleaners.language import UNKNOWN, identify

    code, _ = identify(text, SURE)
    return "not told" if code == UNKNOWN else code

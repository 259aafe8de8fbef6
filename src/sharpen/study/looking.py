"""The data page of a use case: what ``sharpen data report`` writes in full, and ``sharpen run`` in passing.

A profile is kept in the store by what it is made of, so that a page that was made once is there at once. In passing
nothing is embedded and no model is opened; where a full profile of the same data is kept already, that one is shown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from sharpen.config import UseCase
from sharpen.data import Dataset
from sharpen.data.page import doubts, obeyed, profile, render, standing, thresholds_of
from sharpen.models import is_hosted, open_model
from sharpen.store import write_text
from sharpen.study.environment import code_hash
from sharpen.study.sufficient import embedded, sufficiency
from sharpen.types import Message, Progress, digest, silent

SURE = 7  # words of a question from which its language is told: of fewer it is often another's
IN_PASSING = 2_000_000
"""Characters up to which personal data are looked for in passing."""
PAGE = "data.html"


def look(
    use_case: UseCase, base: Path, data: Dataset, root: Path, progress: Progress = silent, deep: bool = False
) -> dict[str, Any]:
    """Return the profile of prepared data, from the store where it is kept.

    Args:
        use_case, base: whose data they are, and what its paths are relative to.
        data: as prepared.
        root: of the store.
        progress: told what is going on.
        deep: whether lengths are in the model's tokens, and labels are looked at (which embeds them).
    """
    asked = ("name", "costs", "constraints", "budget", "arms", "metrics", "racing", "seeds")
    checked = obeyed(use_case.data.quality.rules, data, base)
    key = digest([code_hash(), data.folder.name, checked, use_case.model_dump(mode="json", exclude=set(asked))])
    for kind in ("deep",) if deep else ("deep", "plain"):
        with suppress(OSError, ValueError):  # a damaged one is made anew
            found: dict[str, Any] = json.loads((root / "pages" / f"{key}-{kind}.json").read_text(encoding="utf-8"))
            return found
    progress("looking at the data", 0, None)
    count, context = tokens_of(use_case.model) if deep else (None, None)
    size = sum(map(len, _texts(data)))
    personal = personal_in(progress) if deep or size <= IN_PASSING else None
    known = profile(data, count, context, personal, language, use_case.goal, checked)
    held = embedded(use_case, base, data, progress) if deep else None
    if held:
        known["sufficiency"] = sufficiency(held, use_case, progress)
        progress("looking for label errors", 0, None)
        known["doubts"] = doubts(data, held.rows, held.features, held.why)
    text = json.dumps(known, ensure_ascii=False)
    if not (held and held.why):  # what was missing may be there the next time
        write_text(root / "pages" / f"{key}-{'deep' if deep else 'plain'}.json", text)
    made: dict[str, Any] = json.loads(text)
    return made


def write_page(
    known: Mapping[str, Any], use_case: UseCase, file: Path, beside: Mapping[str, Any] | None = None
) -> None:
    """Write the page of a profile; ``beside`` as for :func:`sharpen.data.page.render`."""
    kept = standing(known, thresholds_of(use_case.data.quality))
    write_text(file, render(known, use_case.name, use_case.goal, {"gate": kept, **(beside or {})}))


def _texts(data: Dataset) -> list[str]:
    every = (*data.train, *data.dev)
    return [t for e in every for t in (e.question, *e.targets)] + [d.text for d in data.documents]


def personal_in(progress: Progress = silent) -> Callable[[Sequence[str]], Mapping[str, int]]:
    """What counts personal data by type in texts."""
    from sharpen.guards import find

    def personal(texts: Sequence[str]) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for n, text in enumerate(texts):
            progress("looking for personal data", n, len(texts))
            found.update(f.type for f in find(text))
        return dict(found.most_common())

    return personal


def tokens_of(ref: str) -> tuple[Callable[[str], int] | None, int | None]:
    """How a model counts a text, and how much it reads; nothing where it is asked over the network."""
    if is_hosted(ref) or ref.startswith("fake:"):
        return None, None
    model = open_model(ref)
    frame = len(model.render((Message("user", ""),)).ids)  # of the template, which every text shares

    @cache  # answers repeat, classes above all
    def count(text: str) -> int:
        return max(0, len(model.render((Message("user", text),)).ids) - frame)

    return count, model.context - frame


def language(text: str) -> str:
    """The code of a text's language, or "not told"."""
    from sharpen.data.cleaners.language import UNKNOWN, identify

    code, _ = identify(text, SURE)
    return "not told" if code == UNKNOWN else code

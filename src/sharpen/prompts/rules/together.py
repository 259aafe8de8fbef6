"""What several prompts that are used together do not do alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sharpen.prompts.linting import Rule, Subject


def unlike(subjects: Sequence[Subject]) -> Iterator[str]:
    """A sentence for each part in which some prompts differ from most: the delimiter, the indicator, the persona."""
    if len(subjects) < 2:
        return
    for what, of in (("delimiter", _delimiter), ("indicator at the end", _indicator), ("persona", _persona)):
        found = {s.name: of(s) for s in subjects}
        usual, n = Counter(found.values()).most_common(1)[0]
        other = [name for name, value in found.items() if value != usual]
        if other:
            shown = ", ".join(other[:5]) + (", …" if len(other) > 5 else "")
            yield f"{n} of {len(subjects)} have {usual} as their {what}, and not {shown}."


def _delimiter(subject: Subject) -> str:
    if subject.brief or subject.template:
        return f"<{subject.fence}>" if subject.fence else "none"
    found = re.search(r"```|\"\"\"|<(\w+)>[^<]*</\1>|#{3,}|-{3,}", subject.text)
    return "none" if found is None else f"<{found[1]}>" if found[1] else found[0][:3]


def _indicator(subject: Subject) -> str:
    if subject.brief:
        return "one" if subject.brief.indicator else "none"
    return "one" if re.search(r"\w:\s*$", subject.text) else "none"


def _persona(subject: Subject) -> str:
    if subject.brief:
        return "one" if subject.brief.persona else "none"
    return "one" if re.search(r"\byou are an? |\bact as\b", subject.text, re.I) else "none"


RULE = Rule("P050", "warning", "prompts that are not alike", "Give all of them the same parts.", lambda subject: ())

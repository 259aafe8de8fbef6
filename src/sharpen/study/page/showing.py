"""Questions side by side: what each arm answered, whether that is right, and the passages with the reference marked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from sharpen.study.page.values import Facts, cut, element, known, pointer

MOST_ANSWER, MOST_PASSAGE, MOST_QUESTION = 700, 3000, 1200
KINDS = ("broken", "fixed", "same")
SHOWN_AT_ONCE = 3


def examples_of(facts: Facts) -> dict[str, list[dict[str, Any]]]:
    """Kind (broken, fixed, same) to cards; each with answers of the chosen arm and the baseline first."""
    found: dict[str, list[dict[str, Any]]] = {k: [] for k in KINDS}
    report = facts.report
    names = [str(a["name"]) for a in report.get("arms", [])]
    first = [n for n in (report.get("winner"), seen_through(facts), report.get("baseline")) if n]
    graded = shares(report)
    for i, example in enumerate(report.get("examples") or []):
        answers = example.get("answers") or {}
        order = [n for n in dict.fromkeys([*first, *names, *answers]) if n in answers]
        found.setdefault(str(example.get("kind", "same")), []).append(
            {
                "at": pointer("examples", i),
                "targets": [pointer("examples", i, "targets", t) for t in range(len(example.get("targets") or []))],
                "answers": grouped([_answer(facts, i, example, n, names, graded) for n in order], facts),
                "wrote": [
                    (pointer("examples", i, "wrote", n), [pointer("examples", i, "wrote", n, k) for k in range(len(w))])
                    for n in order
                    if (w := (example.get("wrote") or {}).get(n))
                ],
                "passages": [pointer("examples", i, "passages", p) for p in range(len(example.get("passages") or []))],
                "marks": [str(t) for t in example.get("targets") or []],
            }
        )
    return {kind: cards for kind, cards in found.items() if cards}


def grouped(answers: Sequence[dict[str, Any]], facts: Facts) -> list[dict[str, Any]]:
    """Arms that answered the same, with the same score, in one row."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for a in answers:
        row = rows.setdefault((a["mark"], facts.get(a["score"]), facts.get(a["at"])), {**a, "arms": []})
        row["arms"].append(a)
    return list(rows.values())


def leader_of(facts: Facts) -> str | None:
    """The chosen arm, or the best of those that keep the constraints."""
    report = facts.report
    named = report.get("winner") or report.get("leader")
    if named:
        return str(named)
    tested = [a for a in report.get("arms") or [] if known(a.get("mean"))]
    able = [a for a in tested if a.get("meets_constraints") is not False] or tested
    return str(max(able, key=lambda a: side_of(report) * a["mean"])["name"]) if able else None


def seen_through(facts: Facts) -> str | None:
    """The arm whose passages the examples show: the one that floors were compared with."""
    leaders = [f["leader"] for f in facts.report.get("floors") or [] if f.get("leader")]
    return str(leaders[0]) if leaders else leader_of(facts)


def side_of(report: Mapping[str, Any]) -> int:
    """1 where a higher score is better, -1 where a lower one is."""
    given = report.get("higher_is_better")
    if given is None:
        given = report.get("metric") not in ("seconds", "tokens")
    return 1 if given else -1


def shares(report: Mapping[str, Any]) -> bool:
    """True where a question's score runs from 0 (wrong) to 1 (right), so that the words can be used."""
    scores = [v for e in report.get("examples") or [] for v in (e.get("scores") or {}).values() if known(v)]
    return side_of(report) == 1 and all(0 <= v <= 1 for v in scores)


def _answer(
    facts: Facts, i: int, example: Mapping[str, Any], name: str, names: Sequence[str], graded: bool
) -> dict[str, Any]:
    score = (example.get("scores") or {}).get(name)
    if not known(score):
        mark = "unjudged"
    elif not graded:
        mark = "plain"
    else:
        mark = "right" if score == 1 else "wrong" if score == 0 else "part"
    return {
        "name": pointer("arms", names.index(name), "name") if name in names else None,
        "raw_name": name,
        "at": pointer("examples", i, "answers", name),
        "score": pointer("examples", i, "scores", name),
        "mark": mark,
        "chosen": name == facts.report.get("winner"),
    }


def highlighted(facts: Facts, path: str, targets: Sequence[str], most: int, tag: str = "p") -> Markup:
    """A text of the report with the references marked where they stand in it."""
    text = cut(str(facts.get(path, "")), most)
    return element(tag, mark(text, targets), data_path=path, dir="auto", class_="said")


def mark(text: str, targets: Sequence[str]) -> Markup:
    """Put ``<mark>`` around each target, whatever its case, where it stands as words of its own."""
    wanted = sorted({t.strip() for t in targets if t.strip() and len(t) < 300}, key=len, reverse=True)
    if not wanted:
        return escape(text)
    joined = "|".join(_whole_words(t) for t in wanted[:20])
    done, out = 0, Markup("")
    for found in re.finditer(joined, text, re.IGNORECASE):
        out += escape(text[done : found.start()]) + Markup("<mark>{}</mark>").format(found[0])
        done = found.end()
    return out + escape(text[done:])


def _whole_words(target: str) -> str:
    pattern = r"\s+".join(re.escape(w) for w in target.split())
    before = r"(?<!\w)" if re.match(r"\w", target) else ""
    after = r"(?!\w)" if re.search(r"\w$", target) else ""
    return before + pattern + after

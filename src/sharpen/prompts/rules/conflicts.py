"""What cannot be done together: lengths, formats, languages, must and must not, examples that break the rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from sharpen.prompts.linting import Hit, Rule, Subject
from sharpen.prompts.reading import words

SHORT = re.compile(
    r"\b(?:be brief|brief(?:ly)?|concise(?:ly)?|succinct(?:ly)?|terse(?:ly)?|(?:very )?short(?! (?:story|"
    r"stories))|in (?:a|one) sentence|in one line|in a few words)\b",
    re.I,
)
LONG = re.compile(
    r"\b(?:in (?:great |full )?detail|detailed|comprehensive(?:ly)?|thorough(?:ly)?|exhaustive(?:ly)?|"
    r"in[- ]depth|at length|extensive(?:ly)?|elaborate(?:ly)?)\b",
    re.I,
)
FORMATS = {
    "JSON": r"json",
    "XML": r"xml",
    "YAML": r"yaml",
    "CSV": r"csv",
    "a table": r"(?:markdown |html )?table",
    "a list": r"(?:bullet(?:ed)?|numbered) (?:list|points)|bullets|bullet points",
    "prose": r"prose|full sentences|(?:one|two|three|\d) paragraphs?",
}
ANSWERS = re.compile(
    r"\b(?:answer|reply|respond|output|return|present|format|formatted|give (?:me )?(?:it|the (?:answer|result|"
    r"output))|write (?:it|the answer)|"
    r"provide (?:it|the (?:answer|result|output)))\b[^.\n]{0,50}?\b(?:as|in|with|using|only)\b(?P<rest>[^.\n]{0,60})",
    re.I,
)
CONVERTS = re.compile(r"\b(?:convert|transform|turn|parse|translate|from)\b", re.I)
AMOUNT = re.compile(
    r"(?P<how>at least|no less than|minimum(?: of)?|more than|over|at most|no more than|up to|maximum(?: of)?|"
    r"max|under|less than|fewer than|"
    r"within|exactly|in|of|about|limit(?:ed)? to|use)\s+(?P<n>\d[\d,]*|one|two|three|four|five|"
    r"ten)\s*[- ]?(?P<unit>words?|sentences?|paragraphs?|characters)\b",
    re.I,
)
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
LEAST = ("at least", "no less than", "minimum", "more than", "over")
LANGUAGES = "english|french|german|spanish|italian|dutch|portuguese|polish|russian|chinese|japanese|arabic|turkish"
LANGUAGES += "|hindi|swedish"
SPEAKS = re.compile(rf"\b(?:answer|reply|respond|write|output)\b[^.\n]{{0,25}}\bin ({LANGUAGES})\b", re.I)
ALWAYS = re.compile(r"\b(?:always|you must|must)\s+(?!not\b|never\b)([^.;\n]+)", re.I)
NEVER = re.compile(r"\b(?:never|do not|don't|must not)\s+([^.;\n]+)", re.I)
SAME = 0.75  # share of common words from which two orders are about the same


def lengths(subject: Subject) -> Iterator[Hit]:
    """Short and detailed at once. What qualifies the matter, as in "a short summary of the detailed report", is not."""
    found = _clauses(subject)
    short = next(((w, m[0]) for w, s in found if (m := SHORT.search(s)) and not _denied(s, m)), None)
    long = next(((w, m[0]) for w, s in found if (m := LONG.search(s)) and not _denied(s, m)), None)
    if short and long:
        yield long[0], f"“{short[1]}” and “{long[1]}” cannot both be kept."


def _clauses(subject: Subject) -> list[tuple[str, str]]:
    """Sentences that order or say what the answer is, without what stands behind "of the"."""
    made = []
    for where, said in subject.said.items():
        orders = [s.text for s in said if s.verb or not s.asks]
        made += [(where, re.sub(r"\b(?:of|from|for|on) (?:the|this|a|an) .*", "", text)) for text in orders]
    if subject.brief:
        made = [(w, s) for w, s in made if not w.startswith("must_not") and w not in ("input", "audience")]
    return made


def _denied(text: str, match: re.Match[str]) -> bool:
    return bool(
        re.search(
            r"\b(?:not|no|without|never|don't|instead of|rather than|than)\s+(?:\w+\s+){0,2}$",
            text[: match.start()],
            re.I,
        )
    )


def formats(subject: Subject) -> Iterator[Hit]:
    """Two forms of one answer."""
    asked: dict[str, str] = {}
    for where, said in subject.said.items():
        for s in said:
            if where.startswith("must_not") or CONVERTS.search(s.text):
                continue
            texts = [m["rest"] for m in ANSWERS.finditer(s.text)] + ([s.text] if where == "format" else [])
            for text in texts:
                for name, pattern in FORMATS.items():
                    match = re.search(rf"\b(?:{pattern})\b", text, re.I)
                    if match and not _denied(text, match) and not re.search(r"\bor\b", text):
                        asked.setdefault(name, where)
    if subject.brief and subject.brief.output_schema:
        asked.setdefault("JSON", "output_schema")
    if len(asked) > 1 and set(asked) & {"JSON", "XML", "YAML", "CSV"}:
        yield list(asked.values())[-1], f"{' and '.join(asked)} are asked for at once."


def _amounts(subject: Subject) -> list[tuple[str, str, int, str]]:
    """Limits of length: where, at least/at most/exactly, how many, of what."""
    found = []
    for where, said in subject.said.items():
        if where.startswith("must_not"):
            continue
        for s in said:
            for m in AMOUNT.finditer(s.text):
                how = m["how"].lower()
                kind = "least" if how in LEAST else "exact" if how in ("exactly", "in", "of") else "most"
                n = NUMBERS.get(m["n"].lower()) or int(m["n"].replace(",", "") or 0)
                found.append((where, kind, n, m["unit"].lower().rstrip("s")))
    if subject.brief and subject.brief.words:
        found.append(("words", "most", subject.brief.words, "word"))
    return found


def amounts(subject: Subject) -> Iterator[Hit]:
    """Two limits of which one excludes the other."""
    found = _amounts(subject)
    for i, (_, kind, n, unit) in enumerate(found):
        for where, other, m, same in found[i + 1 :]:
            low, high = ((n, m) if kind == "least" else (m, n)) if "least" in (kind, other) else (0, 0)
            clash = kind != other and "least" in (kind, other) and low > high
            clash = clash or (kind == other == "exact" and n != m and where != "words")
            clash = clash or (
                {kind, other} == {"exact", "most"} and (n if kind == "exact" else m) > (m if kind == "exact" else n)
            )
            if unit == same and clash:
                yield where, f"{n} and {m} {unit}s cannot both be kept."


def opposites(subject: Subject) -> Iterator[Hit]:
    """The same is ordered and forbidden."""
    if subject.brief:
        orders = [(f"must.{i}", t) for i, t in enumerate(subject.brief.must)]
        bans = [(f"must_not.{i}", t) for i, t in enumerate(subject.brief.must_not)]
    else:
        said = [s.text for part in subject.said.values() for s in part]
        orders = [("text", m[1]) for s in said for m in ALWAYS.finditer(s)]
        bans = [("text", m[1]) for s in said for m in NEVER.finditer(s)]
    for where, order in orders:
        for _, ban in bans:
            if _alike(order, ban):
                yield where, f"“{order.strip()}” is ordered and forbidden."


def _alike(order: str, ban: str) -> bool:
    small = {"the", "a", "an", "to", "any", "do", "always", "never", "not", "be", "in", "your", "of"}
    a, b = ({w.rstrip("s") for w in words(t) if w not in small} for t in (order, ban))
    return len(a & b) / (len(a | b) or 1) >= SAME and bool(a)


def tongues(subject: Subject) -> Iterator[Hit]:
    """Two languages of one answer."""
    found: dict[str, str] = {}
    for where, said in subject.said.items():
        for s in said:
            for m in SPEAKS.finditer(s.text):
                if not where.startswith("must_not") and not re.search(r"\bor\b", s.text):
                    found.setdefault(m[1].title(), where)
    target = subject.brief.target_language.title() if subject.brief else ""
    if target and target.lower() in LANGUAGES.split("|"):
        found = {target: "target_language", **found}
    if len(found) > 1:
        yield list(found.values())[-1], f"the answer is to be in {' and in '.join(found)}."


def examples(subject: Subject) -> Iterator[Hit]:
    """An example that does what the prompt forbids: too long, not of the schema, another answer to the same."""
    brief = subject.brief
    if brief is None:
        return
    seen: dict[str, str] = {}
    for i, e in enumerate(brief.examples):
        n = len(e.output.split())
        if brief.words and n > brief.words:
            yield f"examples.{i}", f"its answer has {n} words, more than {brief.words}."
        if why := brief.slots[brief.question].wrong(e.input):
            yield f"examples.{i}", f"its input {why}."
        if brief.output_schema and (reason := _breaks(e.output, brief.output_schema)):
            yield f"examples.{i}", f"its answer does not keep output_schema: {reason}."
        if seen.setdefault(e.input.casefold(), e.output) != e.output:
            yield f"examples.{i}", "another example answers the same otherwise."


def _breaks(output: str, schema: dict[str, object]) -> str | None:
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for

    try:
        found = best_match(validator_for(schema)(schema).iter_errors(json.loads(output)))
    except ValueError as e:
        return f"it is no JSON ({e})"
    return None if found is None else str(found.message)[:200]


RULES = (
    Rule("P030", "error", "short and detailed at once", "Keep one, or give a number of words.", lengths),
    Rule("P031", "error", "two formats of one answer", "Keep one.", formats),
    Rule("P032", "error", "ordered and forbidden", "Keep one.", opposites),
    Rule("P033", "error", "limits that exclude each other", "Keep one.", amounts),
    Rule("P034", "error", "two languages of one answer", "Keep one.", tongues),
    Rule("P060", "error", "an example that breaks the prompt's own rules", "Mend the example, or the rule.", examples),
)

"""What a prompt lacks: a task, what it speaks of, what should be filled in, and parts of the six-part formula.

Task is critical; context and examples are important; persona, format and tone are added value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.prompts.brief import SLOT
from sharpen.prompts.linting import Hit, Rule, Subject
from sharpen.prompts.reading import sentences, without_given, words

MATTER = (
    "article|text|passage|paragraph|sentence|email|letter|document|website|page|code|function|table|list|data|dataset|"
)
MATTER += "image|picture|photo|graph|chart|essay|poem|story|tweet|review|conversation|dialogue|input|words?|numbers?|"
MATTER += "statement|phrase|quote|equation|problem|question|report|paper|message|product|items?|sentences|lines|recipe|"
MATTER += "company|event|topic|scenario|situation|book|movie|song|sequence|diagram|array|string|url|link"
MISSING_INPUT = re.compile(
    rf"\b(?:the following|these|this|the given|given the|the provided|the attached|the (?:below|above)|above)\s+"
    rf"(?:\w+\s+){{0,2}}?(?:{MATTER})\b|\bthe following\s*[:.?]?\s*$|\b(?:{MATTER}) (?:below|above|attached)\b",
    re.I,
)
GAP = re.compile(
    r"\[(?:insert|your|add|enter)\b[^\]\n]{0,40}\](?!\()|<(?:insert|your|add|enter)\b[^>\n]{0,40}>|\{\{\s*\w+\s*\}\}|"
    r"\[(?:name|topic|text|date|company|product|city|country|user|customer|recipient|subject|number|title)"
    r"(?: (?:name|here|of \w+))?\](?!\()|(?-i:\bTODO\b|\bTBD\b)|<noinput>|<no input>",
    re.I,
)
FILLED = frozenset({"question", "context", "history", "labels", "goal", "text", "n"})
ONLY_ADDRESS = re.compile(r"^\W*https?://\S+\W*$")
CONTEXT = re.compile(
    r"\b(?:background|context|because|since|our|my|we|i am|i'm|i have|so that|in order to|for (?:a|an|my|"
    r"our))\b",
    re.I,
)
EXAMPLE = re.compile(r"\b(?:examples?|for instance|e\.g\.|such as|sample)\b|\[EX Q\]", re.I)
PERSONA = re.compile(
    r"\b(?:you are (?:a|an|the)|act as|acting as|as an? \w+ (?:expert|engineer|writer|teacher)|pretend|"
    r"imagine (?:you|that you)|role)\b",
    re.I,
)
FORMAT = re.compile(
    r"\b(?:list|table|json|csv|xml|yaml|markdown|bullets?|paragraphs?|sentences?|words?|lines?|steps?|essay|"
    r"format|tweet|"
    r"letter|email|poem|haiku|rap|song|story|recipe|article|code|script|outline|yes|true or false|\d+)\b",
    re.I,
)
TONE = re.compile(
    r"\b(?:tone|style|formal(?:ly)?|informal|friendly|polite(?:ly)?|professional(?:ly)?|casual|persuasive|humou?rous|"
    r"funny|serious|neutral|simple|plain|engaging|sarcastic|empathetic|kind|voice|sentiment|concise|clear)\b",
    re.I,
)


def no_task(subject: Subject) -> Iterator[Hit]:
    """Nothing is ordered or asked."""
    if not subject.text.strip():
        yield "text", "it is empty."
    if not subject.english:
        return
    if subject.brief:
        if not any(s.verb or s.asks for s in sentences(subject.brief.task)):
            yield "task", "it orders nothing."
        return
    everything = sentences(without_given(subject.text)) + sentences(subject.text)
    sums = re.search(r"\d\s*[-+*/x÷^=]\s*\d", subject.text)
    inside = re.search(
        r"\b(?:your task|you (?:need|have|should|must|are (?:asked|to))|please|i want|i need|task|how|what|why|"
        r"which|is there)\b",
        subject.text,
        re.I,
    )
    blank = re.search(r"_{2,}|:\s*$", subject.text)
    if not (sums or inside or blank or any(s.verb or s.asks for s in everything)):
        yield "text", "it neither orders nor asks anything."


def no_input(subject: Subject) -> Iterator[Hit]:
    """It speaks of a text that is not there."""
    if subject.brief or subject.template or not subject.english:
        return
    text = subject.text.strip()
    *before, last = [p for p in re.split(r"\n+", text) if p.strip()] or [""]
    if before and ONLY_ADDRESS.match(last) and sentences(before[0])[-1:] and len(before) == 1:
        yield "text", "of what it speaks there is an address alone, and a model opens none."
        return
    found = MISSING_INPUT.search(text)
    if not found or found[0].lower() == "this question" or not any(s.verb or s.asks for s in sentences(text)):
        return
    parts = [p for p in re.split(r"\n+|(?<=[.!?:])\s+", text) if p.strip()]
    here = next((i for i, p in enumerate(parts) if found[0].strip()[:20] in p), 0)
    rest = [p for i, p in enumerate(parts) if i != here]
    given = " ".join(rest)
    if rest and all(ONLY_ADDRESS.match(p) for p in rest):
        yield "text", f"of “{found[0]}” there is an address alone, and a model opens none."
    elif len(given.split()) < 1 and without_given(parts[here]) == parts[here] and not _after(parts[here]):
        yield "text", f"“{found[0]}” is not there."


def _after(part: str) -> bool:
    """Whether a sentence gives after a colon or in brackets, or by a number or a name, what it speaks of."""
    return bool(re.search(r":\s*\S|[\[({]\s*\S|\d|[a-z,] [A-Z]\w+", part))


def gaps(subject: Subject) -> Iterator[Hit]:
    """A place that somebody forgot to fill."""
    known = set(subject.brief.slots) if subject.brief else set()
    for where, text in subject.fields.items():
        for match in GAP.finditer(re.sub(r"```.*?```", "", text, flags=re.S)):
            if match[0].strip("{} ") not in known | FILLED:
                yield where, f"{match[0]} is not filled."
        if subject.template:
            for name in SLOT.findall(text):
                if name not in FILLED | known:
                    yield where, f"{{{name}}} is filled by nothing."


def no_fence(subject: Subject) -> Iterator[Hit]:
    """Nothing says where what is given begins and ends."""
    if (subject.brief or subject.template) and not subject.fence:
        yield ("fence", "nothing marks where what is given begins and ends.")


def _lacks(part: str, rank: str, said: re.Pattern[str]) -> Rule:
    def check(subject: Subject) -> Iterator[Hit]:
        if subject.brief:
            if not getattr(subject.brief, part) and not (part == "format" and subject.brief.output_schema):
                yield part, f"it has no {part} ({rank})."
        elif subject.english and words(subject.text) and not said.search(subject.text):
            yield "text", f"it has no {part} ({rank})."

    adds = {
        "context": "Say what it is for, and what the reader knows.",
        "examples": "Show one to five worked examples.",
        "persona": "Say who answers: You are a careful editor.",
        "format": "Say the form of the answer: one line, a list of three, JSON.",
        "tone": "Say the tone: plain, friendly, formal.",
    }
    number = {"context": 2, "examples": 3, "persona": 4, "format": 5, "tone": 6}[part]
    return Rule(f"P00{number}", "advice", f"no {part} ({rank})", adds[part], check)


RULES = (
    Rule("P001", "error", "no task (Critical)", "Say what is to be done, as an order: Summarize the text.", no_task),
    _lacks("context", "Important", CONTEXT),
    _lacks("examples", "Important", EXAMPLE),
    _lacks("persona", "Added value", PERSONA),
    _lacks("format", "Added value", FORMAT),
    _lacks("tone", "Added value", TONE),
    Rule("P012", "error", "what it speaks of is not there", "Put it under the order, between delimiters.", no_input),
    Rule("P013", "error", "a place that is not filled", "Fill it, or make it a slot of a prompt file.", gaps),
    Rule(
        "P014", "warning", "no delimiter around what is given", "Set fence: given, a tag that it cannot end.", no_fence
    ),
)

"""Propose questions with the place of their answers: by headings, by gaps, from logs, or by any model.

The first two need no model. They are stiff, and a gap asks for what stands there rather than what people want to know:
drafts save typing, they are no evidence. Logs hold what people do ask, and personal data, so mask them first.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from typing import TypeAlias

from sharpen.data.labels.drafts import Draft
from sharpen.data.labels.headings import opening, plain, question, title_of
from sharpen.data.labels.inconsistent import normalised
from sharpen.data.wording import words
from sharpen.errors import Problem, shown
from sharpen.types import Document, Span

HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
SENTENCE = re.compile(r"[^.!?。！？\s](?:[^.!?。！？]++|[.!?](?=[\w,;)]))*+(?:[.!?。！？]++|(?P<open>\Z))")
ASKS = re.compile(r"(?:who|what|when|where|why|which|how|can|could|do|does|did|is|are|may|should|will|would)\b", re.I)
MARKUP = re.compile(r"\]\(|\{[%{]|[<>|`]|https?:|www\.")
BULLET = re.compile(r"(?:[-*+•]|\d+[.)])\s+|\*\*|__")
NUMBER = re.compile(
    r"(?<![\w.,#/])(?<!\d )[$€£]?\d+(?:[.,:/-]\d+)*(?:\s?%|\s?(?:€|EUR|USD|GBP))?(?![\w/])(?! \d)"
)  # no part of a telephone number
NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*(?![\w/])")
BEFORE = re.compile(r"[A-Z][\w'’-]*\s+$")  # of a name: another part of it
LONGEST = 40  # words of a sentence with a gap
WIDEST = 1_000  # its characters: what is longer is no sentence of words
SHORTEST = 6
COMMON = 0.1  # share of the documents that hold a name, beyond which a gap there asks for nothing
GAP = "____"

Told: TypeAlias = Callable[[int, int, Sequence[Draft]], None]

PROMPT = """Write up to {n} questions that a reader of the passage could ask and that it answers.
Reply with one JSON object a line and nothing else: {{"question": "...", "answer": "..."}}
The answer is copied from the passage letter by letter, as short as it can be.

Passage from {source}:
{passage}
"""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph with its place and the headings above it, the nearest last."""

    source: str
    start: int
    end: int
    text: str
    headings: tuple[str, ...]


def paragraphs(document: Document) -> Iterator[Paragraph]:
    """Yield the paragraphs of a Markdown or plain text; code within fences is left out."""
    headings: list[tuple[int, str]] = []
    at, begin, end, fenced = 0, -1, -1, False

    def made() -> Paragraph:
        above = tuple(title for _, title in headings)
        return Paragraph(document.source, begin, end, document.text[begin:end], above)

    for line in document.text.splitlines(keepends=True):
        bare, start = line.strip(), at
        at += len(line)
        fence = FENCE.match(line)
        heading = None if fenced else HEADING.match(line.rstrip("\r\n"))
        if (fence or fenced or heading or not bare) and begin >= 0:
            yield made()
            begin = -1
        if fence:
            fenced = not fenced
        elif heading:
            level = len(heading[1])
            headings = [h for h in headings if h[0] < level]
            if heading[2]:
                headings.append((level, heading[2]))
        elif bare and not fenced:
            left = start + len(line) - len(line.lstrip())
            begin, end = (left if begin < 0 else begin), left + len(bare)
    if begin >= 0:
        yield made()


def by_headings(documents: Sequence[Document], template: str = "What is said about {heading}?") -> list[Draft]:
    """Ask for what stands below each heading; the beginning of what stands there is the answer, without markup.

    A heading that is a question stays one, "How to x" becomes "How do I x?"; one of a single word, or that stands in
    several places, is told apart by the one above it. What is no answer (templates, tables, mere links) is passed over.
    """
    first = [(p, title) for document in documents for p in _below(document) if (title := title_of(p.headings[-1]))]
    often = Counter(normalised(title) for _, title in first)
    called = {d.source: d.title or d.source for d in documents}
    out = []
    for p, title in first:
        above = next(filter(None, map(title_of, reversed(p.headings[:-1]))), "")
        several, short = often[normalised(title)] > 1, len(title.split()) == 1
        within = above or called[p.source] * several if several or short else ""
        answer = opening(p.text)
        if answer:
            span = Span(p.source, p.start, p.start + len(answer))
            out.append(Draft(question(title, template, within), plain(answer), span, p.text, "heading"))
    return out


def _below(document: Document) -> Iterator[Paragraph]:
    """The first paragraph below each heading; one that announces a list (a colon at its end) with that list."""
    before: Paragraph | None = None
    found = list(paragraphs(document))
    for p, after in zip_longest(found, found[1:]):
        if p.headings and (before is None or before.headings != p.headings):
            if p.text.endswith(":") and after is not None and after.headings == p.headings:
                yield replace(p, end=after.end, text=document.text[p.start : after.end])
            else:
                yield p
        before = p


def cloze(documents: Sequence[Document], per_document: int = 10) -> list[Draft]:
    """Leave a gap where a sentence holds a number or a name; those that few documents hold come first.

    Sentences with markup (links, code, tables) are passed over. What a gap hides stands nowhere else in its sentence;
    the span is that of the hidden words alone.
    """
    everywhere = Counter(w for d in documents for w in set(words(d.text)))
    most = max(2.0, COMMON * len(documents))
    out = []
    for document in documents:
        found: list[tuple[float, Draft]] = []
        for p in paragraphs(document):
            for sentence in SENTENCE.finditer(p.text):
                if sentence["open"] is not None or len(sentence[0]) > WIDEST:
                    continue
                made = _gap(p, sentence.start(), sentence[0], lambda name: _held(name, everywhere) > most)
                if made:
                    found.append((_held(made.answer, everywhere), made))
        found.sort(key=lambda t: t[0])  # stable: as they stand in the document
        kept = [draft for _, draft in found[:per_document]]
        out += sorted(kept, key=lambda d: d.span.start if d.span else 0)
    return out


def _held(text: str, everywhere: Counter[str]) -> int:
    """In how many documents the rarest word of a text stands."""
    return min((everywhere[w] for w in words(text)), default=0)


def _gap(p: Paragraph, start: int, sentence: str, common: Callable[[str], bool]) -> Draft | None:
    if not SHORTEST <= len(sentence.split()) <= LONGEST or MARKUP.search(sentence):
        return None
    for pattern in (NUMBER, NAME):
        for m in pattern.finditer(sentence):
            if pattern is NAME and (common(m[0]) or BEFORE.search(sentence[: m.start()])):
                continue
            if sentence.count(m[0]) == 1:
                begin = p.start + start + m.start()
                asked = BULLET.sub("", sentence[: m.start()]) + GAP + BULLET.sub("", sentence[m.end() :])
                span = Span(p.source, begin, begin + len(m[0]))
                return Draft(
                    f"Fill the gap: {' '.join(asked.split())}", m[0], span, p.text, "gap", meta={"at": begin - p.start}
                )
    return None


class _Places:
    """Paragraphs by their words, to find the one that a question is likely about."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.paragraphs = [p for d in documents for p in paragraphs(d)]
        self.words = [set(words(" ".join((*p.headings, p.text)))) for p in self.paragraphs]

    @cached_property
    def frequency(self) -> Counter[str]:
        return Counter(w for some in self.words for w in some)

    def weight(self, word: str) -> float:
        """Inverse document frequency; a word that stands nowhere weighs as one that stands once."""
        return math.log((len(self.words) + 1) / max(1, self.frequency[word]))

    def best(self, question: str) -> tuple[Paragraph | None, float]:
        """The paragraph with the largest share of the question's weight, and that share."""
        asked = set(words(question))
        total = sum(self.weight(w) for w in asked)
        share, place = 0.0, None
        for p, own in zip(self.paragraphs, self.words, strict=True):
            found = sum(self.weight(w) for w in asked & own) / total if total else 0.0
            if found > share:
                share, place = found, p
        return place, share


def from_logs(lines: Iterable[str], documents: Sequence[Document], least: float = 0.5) -> list[Draft]:
    """Take what people asked, the most frequent first, with the paragraph that holds most of its words.

    A line counts as a question when it ends with a question mark or begins like one. The answer is left to a person; a
    question of which no paragraph holds ``least`` of the weight of its words has no span. ``meta["asked"]`` counts.
    """
    first: dict[str, str] = {}
    often: Counter[str] = Counter()
    for line in lines:
        text = " ".join(line.split())
        if len(words(text)) >= 3 and (text.endswith(("?", "？")) or ASKS.match(text)):
            often[normalised(text)] += 1
            first.setdefault(normalised(text), text)
    places = _Places(documents)
    out = []
    for key, count in often.most_common():
        p, share = places.best(first[key])
        known = p if p is not None and share >= least else None
        span = Span(known.source, known.start, known.end) if known else None
        out.append(Draft(first[key], "", span, known.text if known else "", "log", meta={"asked": count}))
    return out


@dataclass(frozen=True)
class Drafted:
    """What a model proposed, and what of it could not be used, with the reason."""

    drafts: tuple[Draft, ...]
    problems: tuple[Problem, ...]


def by_model(
    documents: Sequence[Document],
    ask: Callable[[str], str],
    name: str,
    each: int = 2,
    shortest: int = 15,
    most: int | None = None,
    told: Told = lambda done, total, drafts: None,
) -> Drafted:
    """Have a model propose ``each`` questions a paragraph of at least ``shortest`` words.

    Args:
        documents: what is asked about, a paragraph of each in turn.
        ask: takes a prompt and returns the model's reply; one that fails is noted, and the rest go on.
        name: of the model, for the drafts' origin.
        each: how many questions a paragraph.
        shortest: words below which a paragraph is passed over.
        most: drafts at which it stops asking; None: it asks about every paragraph.
        told: hears after each paragraph how many were asked about, of how many, and the drafts that came of it.

    Returns:
        Drafts whose answers stand in the paragraph, letter by letter but for spaces; anything else is a problem.
    """
    drafts: list[Draft] = []
    problems: list[Problem] = []
    found = [[p for p in paragraphs(d) if len(words(p.text)) >= shortest] for d in documents]
    asked = [p for turn in zip_longest(*found) for p in turn if p is not None]
    for done, p in enumerate(asked, 1):
        if most is not None and len(drafts) >= most:
            break
        made, wrong = _asked(p, ask, name, each)
        drafts += made
        problems += wrong
        told(done, len(asked), made)
    return Drafted(tuple(drafts), tuple(problems))


def _asked(p: Paragraph, ask: Callable[[str], str], name: str, each: int) -> tuple[list[Draft], list[Problem]]:
    """What a model proposes of one paragraph, and what of that could not be used."""
    where = f"{p.source}, characters {p.start} to {p.end}"
    passage = "\n".join((*p.headings[-1:], p.text))
    try:
        reply = ask(PROMPT.format(n=each, source=p.source, passage=passage))
    except Exception as e:  # a model of anybody's: one failed call must not stop the others
        return [], [Problem(f"{name} failed with {type(e).__name__}: {e}", where, "Draft again.")]
    found = list(_replied(reply, p, name))
    drafts = [d for d in found if isinstance(d, Draft)][:each]
    problems = [Problem(d, where) for d in found if isinstance(d, str)]
    if not found:
        problems.append(Problem(f"{name} replied without a question: {shown(reply[:200])!r}.", where))
    return drafts, problems


def _replied(reply: str, p: Paragraph, name: str) -> Iterator[Draft | str]:
    """Read the JSON objects of a reply, one a line; whatever else it holds is passed over."""
    for line in reply.splitlines():
        if not line.strip().startswith("{"):
            continue
        try:
            row = json.loads(line.strip().rstrip(","))
        except (ValueError, RecursionError):
            yield f"a line of {name}'s reply is no JSON: {line[:100]!r}."
            continue
        question, answer = row.get("question"), row.get("answer")
        if not isinstance(question, str) or not isinstance(answer, str) or not question.strip() or not answer.strip():
            yield f"{name} gave no question with an answer: {line[:100]!r}."
            continue
        place = re.search(r"\s+".join(map(re.escape, answer.split())), p.text)
        if place is None:
            yield f"{name}'s answer {answer[:100]!r} does not stand in the passage."
            continue
        span = Span(p.source, p.start + place.start(), p.start + place.end())
        yield Draft(" ".join(question.split()), place[0], span, p.text, f"model {name}", meta={"at": place.start()})

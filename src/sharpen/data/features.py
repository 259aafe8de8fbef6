"""Derived features of each record of train and dev, as a table: lengths, language, readability, what is asked.

Readability is Flesch's reading ease (Flesch 1948), 206.835 - 1.015 words a sentence - 84.6 syllables a word, for
English alone; syllables are counted as groups of vowels, which is off by about one in ten words.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sharpen.data.wording import words
from sharpen.types import Example

Language = Callable[[str], str]

FEATURES: tuple[str, ...] = ("id", "split", "source", "labels", "language", "kind", "turns")
FEATURES += ("question_characters", "question_words", "question_sentences", "words_per_sentence", "mean_word_length")
FEATURES += ("distinct_words", "readability", "digits", "capitals", "punctuation", "answers", "answer_words", "gold")
"""The columns; shares (distinct_words, digits, capitals, punctuation) are of words or of characters."""

ASKS = ("who", "what", "when", "where", "which", "why", "how")
_VERBS = "is are was were do does did can could will would shall should may might has have had am"
AUXILIARY = frozenset(_VERBS.split())
_SENTENCES = re.compile(r"[.!?]+(?:\s|$)|\n+")
_VOWELS = re.compile(r"[aeiouy]+")


def features(rows: Mapping[str, Sequence[Example]], language: Language | None = None) -> Iterator[dict[str, Any]]:
    """Yield the features of each row, by split; ``language`` gives the code of a text's language."""
    for split, part in rows.items():
        for e in part:
            yield {"id": e.id, "split": split, **features_of(e, language)}


def features_of(example: Example, language: Language | None = None) -> dict[str, Any]:
    """The features of one row, but for its id and split."""
    text = example.question
    found, spoken = words(text), language(text) if language else ""
    sentences = count_sentences(text)
    size = max(1, len(text))
    return {
        "source": example.source,
        "labels": " ".join(example.labels),
        "language": spoken,
        "kind": kind(text),
        "turns": sum(m.role in ("user", "assistant") for m in example.messages),
        "question_characters": len(text),
        "question_words": len(found),
        "question_sentences": sentences,
        "words_per_sentence": round(len(found) / max(1, sentences), 2),
        "mean_word_length": round(sum(map(len, found)) / max(1, len(found)), 2),
        "distinct_words": round(len(set(found)) / max(1, len(found)), 4),
        "readability": reading_ease(text) if spoken in ("", "en", "not told") and text.isascii() else None,
        "digits": round(sum(c.isdigit() for c in text) / size, 4),
        "capitals": round(sum(c.isupper() for c in text) / size, 4),
        "punctuation": round(sum(not c.isalnum() and not c.isspace() for c in text) / size, 4),
        "answers": len(example.targets),
        "answer_words": len(words(example.targets[0])) if example.targets else 0,
        "gold": len(example.gold),
    }


def kind(question: str) -> str:
    """How a question is asked: its question word, "yes or no", else "other question", or "statement or request".

    What stands before a colon ("About the contract: does it end?") is passed over.
    """
    said = words(question.rpartition(":")[2]) or words(question)
    if not said:
        return "empty"
    first = next((w for w in said if w in ASKS), "")
    if said[0] in AUXILIARY and question.rstrip().endswith("?"):
        return "yes or no"
    if first and (said[0] == first or question.rstrip().endswith("?")):
        return first
    return "other question" if "?" in question else "statement or request"


def count_sentences(text: str) -> int:
    """Sentences of a text, at least 1 where it holds anything."""
    return sum(bool(part.strip()) for part in _SENTENCES.split(text)) or int(bool(text.strip()))


def syllables(word: str) -> int:
    """Syllables of an English word: its groups of vowels, without a silent e at its end."""
    n = len(_VOWELS.findall(word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and n > 1
    return max(1, n - silent)


def reading_ease(text: str) -> float | None:
    """Flesch's reading ease of an English text, from about 0 (hard) to 100 (easy); None where it has no word."""
    found = [w for w in words(text) if w.isalpha()]
    if not found:
        return None
    per_word = sum(map(syllables, found)) / len(found)
    return round(206.835 - 1.015 * len(found) / max(1, count_sentences(text)) - 84.6 * per_word, 1)


def as_csv(rows: Iterator[Mapping[str, Any]] | Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """A table as a spreadsheet reads it; no cell begins like a formula."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    for row in rows:
        table.writerow([harmless(row.get(c)) for c in columns])
    return text.getvalue()


def harmless(value: Any) -> Any:
    """A cell that a spreadsheet takes for text: an apostrophe before what it would take for a formula."""
    risky = isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@")
    return f"'{value}" if risky else "" if value is None else value

"""Rules of thumb for texts that are no prose: Gopher's and C4's, each named, counted and to be switched off.

From Rae et al. 2021 ("Scaling language models: methods, analysis and insights from training Gopher", table A1) and
Raffel et al. 2020 (C4): number and mean length of words, words with a letter, hash marks and ellipses, bullets, stop
words, repeated lines, paragraphs and n-grams, placeholder text. The least number of words is 5, not Gopher's 50,
because an organisation's answers are short; rules on shares ask for ``enough`` words or lines. Texts in scripts without
spaces between words are held to the rules on lines alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sharpen.data.cleaners._stops import stop_words
from sharpen.data.cleaning import Outcome, TextCleaner, without
from sharpen.data.wording import UNSPACED
from sharpen.errors import UserError

RULES: tuple[str, ...] = ("few_words", "many_words", "word_length", "letters", "symbols", "bullets", "ellipses")
RULES += ("stop_words", "repeated_lines", "repeated_paragraphs", "repeated_words", "placeholder")

_ALONE = re.compile(f"[{UNSPACED}]")
_LETTER = re.compile(r"[^\W\d_]")
_BULLETS = ("•", "‣", "-", "*", "▪", "◦", "·", "–")
_PLACEHOLDER = re.compile(r"lorem ipsum", re.I)
_TOP = ((2, 0.20), (3, 0.18), (4, 0.16))  # Gopher: the commonest n-gram's share of the characters


@dataclass(frozen=True)
class _Limits:
    least: int
    most: int
    enough: int
    stops: frozenset[str]


def quality(
    least: int = 5, most: int = 100_000, enough: int = 50, language: str = "any", off: Sequence[str] = ()
) -> TextCleaner:
    """Return the cleaner.

    Args:
        least: words that a text must have.
        most: words that it may have.
        enough: words from which shares of words are looked at; 10 lines for those of lines.
        language: whose stop words are looked for (``en``, ``de``, ...); "any" takes those of all that are known.
        off: rules that are not applied.
    """
    if language != "any" and not stop_words(language):
        raise UserError(f"no stop words of {language!r} are known.", "cleaner quality", 'Use "any", or switch it off.')
    on = without(RULES, off, "quality")
    limits = _Limits(least, most, enough, stop_words(language))
    return TextCleaner(on, lambda texts: [_one(t, frozenset(on), limits) for t in texts])


def _one(text: str, on: frozenset[str], limits: _Limits) -> Outcome:
    found = _of_words(text, on, limits) or _of_lines(text, on)
    return Outcome(None, (found[0],), found[1]) if found else Outcome(text)


def _of_words(text: str, on: frozenset[str], limits: _Limits) -> tuple[str, str] | None:
    """The first rule on words that a text breaks, and by how much."""
    words = text.split()
    n = len(words)
    if not text.isascii() and len(_ALONE.findall(text)) > 0.3 * len(text):
        return None
    if "few_words" in on and n < limits.least:
        return "few_words", f"{n} words, and {limits.least} are asked for"
    if "many_words" in on and n > limits.most:
        return "many_words", f"{n} words, and {limits.most} are the most"
    if "placeholder" in on and _PLACEHOLDER.search(text):
        return "placeholder", "it holds the words lorem ipsum"
    if n < limits.enough:
        return None
    mean = (len(text) - text.count(" ") - text.count("\n")) / n
    if "word_length" in on and not 3 <= mean <= 10:
        return "word_length", f"its words have {mean:.1f} characters, and 3 to 10 are usual"
    return _of_shares(text, words, on, limits)


def _of_shares(text: str, words: list[str], on: frozenset[str], limits: _Limits) -> tuple[str, str] | None:
    n = len(words)
    if "letters" in on:
        # A word of ASCII letters is known at once; the search is for the others.
        with_letter = sum(1 for w in words if w.isalpha() or _LETTER.search(w))
        if with_letter < 0.8 * n:
            return "letters", f"{with_letter / n:.0%} of its words have a letter, and 80% are asked for"
    signs = max(text.count("#"), text.count("...") + text.count("…"))
    if "symbols" in on and signs > 0.1 * n:
        return "symbols", f"{signs} hash marks or ellipses in {n} words"
    if "stop_words" in on and len(limits.stops.intersection(map(str.lower, words))) < 2:
        return "stop_words", "it has fewer than 2 common words of a language"
    return _repeated(text, words) if "repeated_words" in on else None


def _repeated(text: str, words: list[str]) -> tuple[str, str] | None:
    """Where the commonest n-gram takes too large a part of a text (Gopher)."""
    # An n-gram's part is at most the sum of its words' parts; in most texts that settles it without any n-gram.
    largest = max(count * len(word) for word, count in Counter(words).items())
    for n, most in _TOP:
        if n * largest <= most * len(text):
            continue
        gram, count = Counter(zip(*(words[k:] for k in range(n)), strict=False)).most_common(1)[0]
        share = count * sum(map(len, gram)) / len(text)
        if count > 1 and share > most:
            return "repeated_words", f"“{' '.join(gram)[:60]}” makes up {share:.0%} of it"
    return None


def _of_lines(text: str, on: frozenset[str]) -> tuple[str, str] | None:
    """The first rule on lines that a text breaks."""
    if text.count("\n") < 4:
        return None
    lines = [x for line in text.split("\n") if (x := line.strip())]
    if len(lines) >= 10:
        bullets = sum(line.startswith(_BULLETS) for line in lines)
        if "bullets" in on and bullets > 0.9 * len(lines):
            return "bullets", f"{bullets} of its {len(lines)} lines are bullets"
        dotted = sum(line.endswith(("...", "…")) for line in lines)
        if "ellipses" in on and dotted > 0.3 * len(lines):
            return "ellipses", f"{dotted} of its {len(lines)} lines end in an ellipsis"
    paragraphs = [p for p in re.split(r"\n\s*\n", text) if p.strip()]
    for rule, pieces in (("repeated_lines", lines), ("repeated_paragraphs", paragraphs)):
        again = len(pieces) - len(set(pieces))
        if rule in on and len(pieces) >= 5 and again > 0.3 * len(pieces):
            return rule, f"{again} of its {len(pieces)} {rule.partition('_')[2]} stood in it before"
    return None

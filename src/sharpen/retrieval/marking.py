"""Where in a passage the words of a question stand, and which of its sentences bears an answer out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from sharpen.data import stop_words
from sharpen.data.wording import word_places
from sharpen.retrieval.chunking import SENTENCE_END
from sharpen.retrieval.wording import Wording

WIDE = 300  # characters of a snippet
ALONE = 0.5  # what a word of the question counts for, where one of the answer counts 1


def _telling(text: str, wording: Wording) -> set[str]:
    """The words of a text that say what it is about; all of them where none does."""
    every = set(wording.words(text))
    common = set(wording.words(" ".join(stop_words("any"))))
    return every - common or every


def word_marks(text: str, query: str, wording: Wording | None = None) -> list[tuple[int, int]]:
    """Return where words of the query stand in a text, as (start, end), in order."""
    wording = wording or Wording()
    wanted = _telling(query, wording)
    places = word_places(text) or []
    return [(a, b) for a, b in places if not wanted.isdisjoint(wording.words(text[a:b]))]


def snippet(text: str, marks: list[tuple[int, int]], wide: int = WIDE) -> tuple[int, int]:
    """Return the stretch of a text, ``wide`` characters at most, that holds most marks, cut between words."""
    if len(text) <= wide:
        return 0, len(text)
    starts = [a for a, _ in marks]
    best = max(starts, key=lambda a: (bisect_left(starts, a + wide) - bisect_left(starts, a), -a), default=0)
    start = max(0, min(best - wide // 6, len(text) - wide))
    start = 0 if start == 0 else text.find(" ", start, start + 40) + 1 or start
    end = min(len(text), start + wide)
    cut = text.rfind(" ", start, end) if end < len(text) else end
    return start, cut if cut > start else end


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the sentences of a text begin and end, without the white space around them."""
    at = 0
    for line in text.splitlines(keepends=True):
        stops = [m.end() for m in SENTENCE_END.finditer(line)]
        begin = 0
        for stop in (*stops, len(line)):
            piece = line[begin:stop]
            if piece.strip():
                left = at + begin + len(piece) - len(piece.lstrip())
                yield left, at + begin + len(piece.rstrip())
            begin = stop
        at += len(line)


def nearest_sentence(text: str, answer: str, question: str, wording: Wording | None = None) -> tuple[int, int] | None:
    """Return the sentence of a passage that shares most words with an answer, and then with its question.

    It is where to look first, and no proof: what a sentence says of the words is not read. None where it shares none.
    """
    wording = wording or Wording()
    said = _telling(answer, wording) if answer.strip() else set()
    asked = _telling(question, wording) - said
    best, most = None, 0.0
    for start, end in sentences(text):
        found = set(wording.words(text[start:end]))
        worth = len(found & said) + ALONE * len(found & asked)
        if worth > most:
            best, most = (start, end), worth
    return best

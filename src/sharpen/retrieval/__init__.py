"""From documents to passages that can be found: chunk, index, search.

``build(documents, store, embed)`` keeps a frozen index by its content and returns its ref; ``load_index`` opens it.
:class:`Collection` is one that lives: ``create`` makes it, ``update`` changes it.
"""

from __future__ import annotations

from sharpen.retrieval.access import Access, read_access
from sharpen.retrieval.chunking import WAYS_TO_CUT, Chunking, chunk
from sharpen.retrieval.collecting import Change, scrub, take_out, update
from sharpen.retrieval.collection import Collection, create, version_of
from sharpen.retrieval.index import OWN_EMBEDDER, Index, build, build_passages, load_index, wording_of
from sharpen.retrieval.marking import nearest_sentence, snippet, word_marks
from sharpen.retrieval.wording import Wording

__all__ = [
    "OWN_EMBEDDER",
    "WAYS_TO_CUT",
    "Access",
    "Change",
    "Chunking",
    "Collection",
    "Index",
    "Wording",
    "build",
    "build_passages",
    "chunk",
    "create",
    "load_index",
    "nearest_sentence",
    "read_access",
    "scrub",
    "snippet",
    "take_out",
    "update",
    "version_of",
    "word_marks",
    "wording_of",
]

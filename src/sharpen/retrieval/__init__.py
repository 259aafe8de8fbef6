"""From documents to passages that can be found: chunk, index, search.

``build(documents, store, embed)`` keeps an index by its content and returns its ref; ``load_index`` opens it.
"""

from __future__ import annotations

from sharpen.retrieval.chunking import WAYS_TO_CUT, Chunking, chunk
from sharpen.retrieval.index import OWN_EMBEDDER, Index, build, build_passages, load_index
from sharpen.retrieval.wording import Wording

__all__ = [
    "OWN_EMBEDDER",
    "WAYS_TO_CUT",
    "Chunking",
    "Index",
    "Wording",
    "build",
    "build_passages",
    "chunk",
    "load_index",
]

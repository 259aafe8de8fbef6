"""Unit vectors of texts, by a sentence-transformers model on the CPU (or CUDA where there is one).

Prompts that a model asks for before queries or documents are put there. Texts longer than the model reads are cut by
it, which is why passages are kept short.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.models._fetch import pull
from sharpen.models._local import Local
from sharpen.models._quiet import quiet, switch_off

NEEDS = {"sentence_transformers": "retrieval", "torch": "local"}


class Embedder:
    """``embed(texts)`` returns float32 ``[len(texts), dimensions]`` of length 1."""

    can = frozenset({"embed"})

    def __init__(self, local: Local) -> None:
        switch_off()
        import sentence_transformers

        self.ref = local.ref
        with quiet():
            self._model = sentence_transformers.SentenceTransformer(str(local.folder), local_files_only=True)
        self.identity = f"{local.digest} sentence-transformers-{sentence_transformers.__version__}"

    def embed(self, texts: Sequence[str], query: bool = False) -> Any:
        """Embed texts; ``query`` uses the model's prompt for queries, where it has one."""
        encode = self._model.encode_query if query else self._model.encode_document
        return encode(list(texts), normalize_embeddings=True, show_progress_bar=False, batch_size=32)


def embedder(local: Local, adapters: Sequence[Path] = ()) -> Embedder:
    """Open an embedding model."""
    if local.kind != "embedding":
        raise UserError(f"{local.ref} makes no embeddings.", do="Name a sentence-transformers model.")
    return Embedder(local)


def open_embedder(ref: str) -> Embedder:
    """Open an embedding model by its reference, fetching it if need be."""
    return embedder(pull(ref))

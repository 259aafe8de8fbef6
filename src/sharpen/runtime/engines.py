"""The opened models and indexes that requests are sent to."""

from __future__ import annotations

import ctypes
import gc
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol

from sharpen.store import Store
from sharpen.types import Model, Passage, Ref, System

if TYPE_CHECKING:
    from sharpen.retrieval import Index

Opener = Callable[[str, Sequence[Path]], Model]
BY_MEANING = ("dense", "hybrid")  # ways to search that embed the question


def embeds(program: System) -> bool:
    """Whether a program embeds each question that it answers."""
    return any(s is not None and s.how in BY_MEANING for s in (program.retriever, program.shots))


class Reranker(Protocol):
    """What reads a question and a passage together; ``identity`` as a model's."""

    identity: str

    def judge(self, pairs: Sequence[tuple[str, Sequence[Passage]]]) -> list[tuple[float, ...]]:
        """Say of each question how well each of its passages answers it; more is better."""
        ...


def give_back() -> None:
    """Return memory that is no longer used to the system, where its C library can: it keeps what is freed otherwise."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


class Engines:
    """Opens models and indexes when they are first asked for.

    At most ``held`` models stay in memory, the least recently used one is let go: arms come one after the other, and
    each tuned arm is a set of weights of its own. ``leaves_out`` says of an index which passages may not be found;
    ``lent`` are indexes that are not the store's, such as a living collection at one version.
    """

    def __init__(
        self,
        store: Store,
        opener: Opener,
        embedder: Callable[[], Any] | None = None,
        held: int = 2,
        leaves_out: Mapping[Ref, Callable[[Passage], bool]] | None = None,
        rerankers: Callable[[Ref], Reranker] | None = None,
        lent: Mapping[Ref, Index] | None = None,
    ) -> None:
        self.store = store
        self.held = held
        self.leaves_out = leaves_out or {}
        self.lent = lent or {}
        self._opener = opener
        self._embedder = embedder
        self._open_reranker = rerankers
        self._rerankers: dict[Ref, Reranker] = {}
        self._embedding: Any = None
        self._models: OrderedDict[tuple[str, tuple[Ref, ...]], Model] = OrderedDict()
        self._indexes: dict[Ref, Index] = {}
        self._identities: dict[str, str] = {}
        self._opening = RLock()  # answers come from several threads; nothing is opened twice

    def model(self, ref: str, adapters: tuple[Ref, ...] = ()) -> Model:
        """Return the model with these adapters, opening it if need be."""
        key = (ref, adapters)
        with self._opening:
            if key not in self._models:
                while len(self._models) >= self.held:
                    self._models.popitem(last=False)
                self._models[key] = self._opener(ref, [self.store.path(a) for a in adapters])
            self._models.move_to_end(key)
            return self._models[key]

    def identity(self, ref: str) -> str:
        """The identity of the model without adapters; a program's fingerprint names those."""
        if ref not in self._identities:
            self._identities[ref] = self.model(ref).identity
        return self._identities[ref]

    def identity_of(self, program: System) -> str:
        """The identity of every model that answers for a program: its own, and the one that embeds its questions."""
        others = dict.fromkeys(s.model for s in program.steps if s.model and s.model != program.model)
        used = [self.identity(program.model), *(self.identity(ref) for ref in others)]
        used += [self._embeds().identity] if embeds(program) else []
        if program.retriever is not None and program.retriever.reranker:
            used.append(self.reranker(program.retriever.reranker).identity)
        return "\0".join(used)

    def release(self, keep: tuple[str, tuple[Ref, ...]] | None = None) -> None:
        """Let all models go but ``keep``, for instance before training needs the memory."""
        with self._opening:
            for key in [k for k in self._models if k != keep]:
                del self._models[key]

    def index(self, ref: Ref) -> Index:
        """Return an index of the store, or one that was lent."""
        with self._opening:
            if ref not in self._indexes:
                index = self.lent.get(ref) or self._kept(ref)
                self._indexes[ref] = index.without(self.leaves_out[ref]) if ref in self.leaves_out else index
            return self._indexes[ref]

    def _kept(self, ref: Ref) -> Index:
        from sharpen.retrieval import OWN_EMBEDDER, load_index

        folder = self.store.path(ref)
        if not (folder / OWN_EMBEDDER).is_dir():
            return load_index(folder, self.embed)
        from sharpen.models.embedder import open_embedder

        # A trained one: what it embedded only it can search.
        return load_index(folder, open_embedder(str(folder / OWN_EMBEDDER)).embed)

    def reranker(self, ref: Ref) -> Reranker:
        """Return what reads questions and passages together, opening it if need be."""
        with self._opening:
            if ref not in self._rerankers:
                if self._open_reranker is None:
                    raise RuntimeError("no reranker was given to these engines")
                self._rerankers[ref] = self._open_reranker(ref)
            return self._rerankers[ref]

    def embedder(self) -> Any:
        """The embedding model of the use case, opened if need be."""
        return self._embeds()

    def embed(self, texts: Sequence[str], query: bool = False, told: Callable[[int], None] | None = None) -> Any:
        """Return unit vectors, float32 ``[len(texts), dimensions]``; ``told`` hears how many are done."""
        more = {"told": told} if told else {}
        return self._embeds().embed(texts, query=query, **more)

    def _embeds(self) -> Any:
        """The embedding model, opened if need be."""
        with self._opening:
            if self._embedding is None:
                if self._embedder is None:
                    raise RuntimeError("no embedding model was given to these engines")
                self._embedding = self._embedder()
            return self._embedding

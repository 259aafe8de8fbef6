"""Ask a finished run with what a living collection holds now, instead of the snapshot that it was evaluated with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sharpen.errors import UserError
from sharpen.retrieval import Collection, Wording, version_of, wording_of
from sharpen.runtime.cache import key_of
from sharpen.runtime.engines import BY_MEANING
from sharpen.study.asking import answered, example_of, program_of
from sharpen.study.indexing import embedding, open_collection, place_of, refused_today
from sharpen.study.setting import Setting, weights_of
from sharpen.types import Answer, Ref, System, plain, restore


@dataclass(frozen=True)
class Asked:
    """An answer, the version of the collection that it rests on, and whether that version had answered it before."""

    answer: Answer
    name: Ref
    version: int
    known: bool


def ask_living(
    run: Path | str,
    question: str,
    name: str,
    groups: Sequence[str] = (),
    arm: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> Asked:
    """Answer a question with an arm of a run that searches a collection, as someone of these groups.

    An answer is kept in the collection by all that it depends on, its version included, until something changes.

    Raises:
        UserError: as for ``ask``; or the arm searches nothing, or in a way that the collection cannot be searched in.
    """
    example = example_of(question)
    found: list[tuple[Collection, Ref]] = []

    def lend(setting: Setting, program: System) -> System:
        collection = open_collection(name, None if place_of(name).is_file() else setting.base)
        lent = _lent(setting, program, collection, groups)
        assert lent.retriever is not None
        found.append((collection, lent.retriever.index))
        return lent

    setting, program = program_of(run, arm, lend)
    ((collection, ref),) = found
    version = version_of(ref)
    engines = setting.engines()
    # What the use case of the run leaves out is not a part of the name, and changes with the day.
    key = "" if setting.leaves_out else key_of(program, example, engines.identity_of(program))
    known = collection.answer(key) if key else None
    if known is not None:
        with suppress(ValueError, LookupError, TypeError, AttributeError):  # damaged: it is answered anew
            answer = restore(json.loads(known))
            if tell:
                tell(answer.text)
            return Asked(answer, ref, version, True)
    answer = answered(program, example, engines, tell)
    if key:
        collection.keep_answer(key, json.dumps(plain(answer)), ref)
    return Asked(answer, ref, version, False)


def _lent(setting: Setting, program: System, collection: Collection, groups: Sequence[str]) -> System:
    """The program with the collection, as it is now, in the place of its index."""
    r = program.retriever
    if r is None or r.how == "gold":
        do = "Ask without --index, or name an arm that retrieves: --arm retrieve"
        raise UserError("this arm searches no documents, so a collection changes nothing.", "--index", do)
    settings = collection.settings
    dense = r.how in BY_MEANING
    ref = setting.use_case.embeddings
    if dense and (not settings["embeddings"] or settings["weights"] != weights_of(ref)):
        has = f"vectors of {settings['embeddings']}" if settings["embeddings"] else "no vectors"
        what = f"has {has}, and the arm searches by meaning with {ref}."
        raise UserError(what, str(collection.path), f"Make one with: sharpen index build … --embeddings {ref}")
    wording = wording_of(setting.store.path(r.index)) if setting.store.has(r.index) else Wording()
    embed = embedding(settings) if dense else None
    index, lent = collection.index(groups, embed, refused_today(settings), wording)
    setting.lent[lent] = index
    return replace(program, retriever=replace(r, index=lent))

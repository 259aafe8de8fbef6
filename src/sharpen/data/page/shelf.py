"""The page of documents alone: what an organisation has before anybody has asked a question.

Nothing is split, so nothing is sealed. Names of documents are shown with personal data masked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sharpen.data.alike import EXACT, duplicates
from sharpen.data.cleaning import clean
from sharpen.data.documents import read_documents
from sharpen.data.lineage import file_of, names_below, reader_of
from sharpen.data.page.coverage import criteria
from sharpen.data.page.lengths import Tokens, histogram
from sharpen.data.page.masking import shown
from sharpen.data.page.profile import ONE_SOURCE, SHOWN, Language, Personal
from sharpen.data.protecting import PUBLIC
from sharpen.errors import UserError
from sharpen.types import Document, Progress, digest, silent

ALIKE = 0.8
"""Share of common word runs from which documents are near-duplicates."""


def shelf(
    root: Path,
    tokens: Tokens | None = None,
    context: int | None = None,
    personal: Personal | None = None,
    language: Language | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Read a folder of documents, or one file, and return what its page shows.

    Args:
        root: the folder or file.
        tokens, context, personal, language: as for :func:`sharpen.data.page.profile`.
        progress: told how many files were read.

    Raises:
        UserError: nothing could be read.
    """
    found = read_documents(root, progress)
    documents = found.documents
    if not documents:
        raise UserError(found.problems)
    progress("looking at the documents", 0, None)
    texts = [d.text for d in documents]
    size = tokens or (lambda text: len(text.split()))
    lengths = [size(t) for t in texts]
    files = names_below(root)
    named = dict.fromkeys(files)
    held = Counter(file_of(d.source, named) for d in documents)
    largest, most = max(((d.source, len(d.text)) for d in documents), key=lambda pair: pair[1])
    characters = sum(map(len, texts))
    return {
        "version": digest([(d.source, d.text) for d in documents]),
        "documents": len(documents),
        "files": len(files),
        "refused": len(files) - len(held),
        "characters": characters,
        "words": sum(len(t.split()) for t in texts),
        "readers": _readers(documents, named),
        "single": {"largest": shown(largest), "share": round(most / max(1, characters), 4), "over": ONE_SOURCE},
        "lengths": {
            "unit": "tokens" if tokens else "words",
            "documents": histogram(lengths),
            "context": context if tokens else None,
            "too_long": sum(n > context for n in lengths) if tokens and context else None,
        },
        "languages": dict(Counter(map(language, texts)).most_common()) if language else None,
        "personal": dict(personal(texts)) if personal else None,
        "duplicates": _duplicates(documents),
        "rules": quality_hits(texts),
        "criteria": [{**c, "source": shown(c["source"])} for c in criteria([], documents, [])],
        "problems": [shown(str(p)) for p in found.problems],
        "notes": [shown(n) for n in found.notes],
    }


def _readers(documents: Sequence[Document], files: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Documents and characters by the reader that they came through."""
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for d in documents:
        name = reader_of(Path(file_of(d.source, files))) or "other"
        count[name] += 1
        size[name] += len(d.text)
    return [{"name": name, "n": n, "characters": size[name]} for name, n in count.most_common()]


def _duplicates(documents: Sequence[Document]) -> dict[str, Any]:
    """How many documents are the same as an earlier one or nearly so, and some of them."""
    found = duplicates([d.text for d in documents], ALIKE)
    pairs = []
    for i, d in enumerate(documents):
        if not found.kept[i]:
            first, how = documents[int(found.twin[i])].source, "exact" if found.how[i] == EXACT else "near"
            alike = round(float(found.similarity[i]), 2)
            pairs.append({"source": shown(d.source), "first": shown(first), "how": how, "similarity": alike})
    n = Counter(p["how"] for p in pairs)
    return {"exact": n["exact"], "near": n["near"], "pairs": pairs[:SHOWN]}


def quality_hits(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Every rule of quality with the documents that break it, those that none breaks included."""
    counts = clean(texts, ["quality"]).counts
    return [{"rule": rule.partition(".")[2], "n": n} for rule, n in sorted(counts.items(), key=lambda t: (-t[1], t[0]))]


def shelf_remarks(found: Mapping[str, Any]) -> list[str]:
    """What somebody should look at first, in sentences."""
    said = []
    alike, lengths = found["duplicates"], found["lengths"]
    if n := alike["exact"] + alike["near"]:
        what = "document is" if n == 1 else "documents are"
        said.append(f"{n} {what} the same as an earlier one or nearly so: data.duplicates: {{documents: {ALIKE}}}.")
    if found["single"]["share"] > ONE_SOURCE and found["documents"] > 1:
        said.append(f"{found['single']['share']:.0%} of the text is one document, {found['single']['largest']}.")
    if lengths["too_long"]:
        what = "document is" if lengths["too_long"] == 1 else "documents are"
        said.append(f"{lengths['too_long']} {what} longer than the {lengths['context']} tokens that the model reads.")
    if kinds := {k: n for k, n in (found["personal"] or {}).items() if k not in PUBLIC}:
        named = ", ".join(f"{n} {k}" for k, n in kinds.items())
        said.append(f"It looks as if personal data were in them ({named}): data.privacy takes them out.")
    if found["refused"]:
        said.append(f"Nothing came out of {found['refused']} of {found['files']} files: the reasons are below.")
    return said

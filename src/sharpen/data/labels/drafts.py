"""Drafts of questions: what is proposed, on its way through the queue to an example that a person stands behind.

A draft says where its answer stands and what proposed it, and is unconfirmed. Only an accepted or edited one becomes an
example, which carries who confirmed it, when, and how it came about: examples like these may be test, and a report
says so. :mod:`sharpen.data.labels.proposing` makes drafts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharpen.data.labels.inconsistent import normalised
from sharpen.data.labels.queue import Decision, Item, Queue
from sharpen.types import Example, Message, Span, digest


@dataclass(frozen=True)
class Draft:
    """A question with its answer as proposed.

    ``span`` is where the answer stands, None where no document was found that holds it; ``answer`` is empty where a
    person is to write it; ``origin`` names what proposed it; ``passage`` is the text around the span,
    and ``meta["at"]`` where in it the answer begins, if only a part of it is the answer.
    """

    question: str
    answer: str
    span: Span | None
    passage: str
    origin: str
    confirmed: bool = False
    meta: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def id(self) -> str:
        return "draft-" + digest([self.question, self.answer, self.span])[:16]


def distinct(drafts: Iterable[Draft]) -> list[Draft]:
    """Leave out drafts that ask what an earlier one asks, but for case and punctuation."""
    out: dict[str, Draft] = {}
    for draft in drafts:
        out.setdefault(normalised(draft.question), draft)
    return list(out.values())


def as_items(drafts: Iterable[Draft]) -> list[Item]:
    """Make items of the queue; an answer that is empty is no proposal, so that it cannot be accepted unread."""
    return [
        Item(
            d.id,
            d.question,
            d.passage,
            d.answer or None,
            d.origin,
            {**d.meta, "span": [d.span.source, d.span.start, d.span.end] if d.span else None},
        )
        for d in drafts
    ]


def confirmed(queue: Queue) -> list[Example]:
    """Return the examples that people stand behind: more of them kept (accepted or edited) an item than refused it.

    Where people edited differently, the most frequent wording is taken, the earliest of several. ``gold`` is the span,
    unless the answer was changed to something that does not stand there. ``meta`` holds how the example came about.
    """
    given: dict[str, list[Decision]] = {}
    for d in queue.decisions():
        given.setdefault(d.item, []).append(d)
    return [made for item in queue.items() if (made := _example(item, given.get(item.id, [])))]


def unconfirmed(queue: Queue) -> list[Example]:
    """Return the drafts that nobody has decided on, as they were proposed: good for a trial, and no evidence."""
    decided = {d.item for d in queue.decisions() if d.action != "skip"}
    return [_proposed(item) for item in queue.items() if item.id not in decided and item.proposal]


def _proposed(item: Item) -> Example:
    place = item.meta.get("span")
    span = Span(*place) if place else None
    return Example(
        item.id,
        (Message("user", item.text),),
        (item.proposal or "",),
        gold=(span,) if span else (),
        source=span.source if span else "",
        meta={"origin": item.origin, "confirmed": False},
    )


def _example(item: Item, decisions: Sequence[Decision]) -> Example | None:
    kept = [d for d in decisions if d.action in ("accept", "edit") and d.value is not None]
    if len(kept) <= sum(d.action == "refuse" for d in decisions):
        return None
    wordings = Counter((d.text or item.text, d.value) for d in kept)
    question, answer = wordings.most_common(1)[0][0]
    place = item.meta.get("span")
    span = Span(*place) if place else None
    stands = span is not None and (answer == item.proposal or normalised(answer or "") in normalised(item.passage))
    meta = {
        "origin": item.origin,
        "confirmed": True,
        "confirmed_by": sorted({d.who for d in kept}),
        "confirmed_at": max(d.at for d in kept),
        "edited": any(d.action == "edit" for d in kept),
    }
    return Example(
        item.id,
        (Message("user", question),),
        (answer or "",),
        gold=(span,) if span and stands else (),
        source=span.source if span else "",
        meta=meta,
    )

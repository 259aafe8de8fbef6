"""Choose in which order the passages stand, and how many words they may have together.

For a program that retrieves: ``retrieve(k=5) + order``. Models use what stands in the middle of a long prompt least
(Liu et al. 2024, "Lost in the middle"). Order and budget are chosen on dev by the answers; another order or a larger
budget is taken only where it is clearly better. ``where`` searches among passages alone whose document has this value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sharpen.errors import UserError
from sharpen.techniques._finding import retriever_of
from sharpen.techniques._options import LONGEST, counts
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.types import System, Technique

EMBEDS = True  # where the search before it does
ORDERS = ("best_first", "best_last", "ends")


def order(
    how: str | Sequence[str] = ORDERS, words: int | Sequence[int] = 0, where: Mapping[str, str] | None = None
) -> Technique:
    """Return the technique.

    Args:
        how: best_first, best_last, ends (the best at both ends), or several to be tried.
        words: the most that all passages together may have; 0: no limit. Several are tried.
        where: values that a passage's title, section or source must have: {'source': 'terms.md'}.
    """
    hows = tuple(how) if isinstance(how, list | tuple) else (how,)
    if not hows or not all(type(h) is str and h in ORDERS for h in hows):
        raise UserError(f"the option how is {how!r}.", do=f"It is one or several of: {', '.join(ORDERS)}.")
    limits = counts("words", words, least=0, most=LONGEST)
    if not isinstance(where or {}, Mapping) or not all(
        isinstance(x, str) for pair in (where or {}).items() for x in pair
    ):
        raise UserError(f"the option where is {where!r}.", do="Write: where={'source': 'terms.md'}")
    filters = tuple(sorted((where or {}).items()))

    def improve(program: System, bench: Bench) -> System:
        r = retriever_of(program, "order")
        r = replace(r, where=filters or r.where)
        if filters and not bench.engines.index(r.index).count(dict(filters)):
            do = "See the titles, sections and sources of the documents, and write one as it stands there."
            raise NotAvailable(f"no passage has {dict(filters)!r}.", do=do)
        candidates = [
            (f"{h}{f' words={n}' if n else ''}", replace(program, retriever=replace(r, order=h, words=n)))
            for n in sorted(limits, key=lambda n: n or LONGEST + 1)
            for h in hows
            if h == hows[0] or r.k > 1  # one passage has one order
        ]
        return bench.best(candidates, "order", cheapest_first=True)

    return improve

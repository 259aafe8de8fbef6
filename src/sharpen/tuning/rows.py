"""Rendered rows as the loop reads them: what is left out and why, and one row shown with what it teaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from sharpen.errors import UserError
from sharpen.tuning.trees import Row
from sharpen.types import Rendered

Decode = Callable[[Sequence[int]], str]


class Untrainable(UserError):
    """Nothing can be learned with these rows and options: no row is left, or the loss is no longer a number."""


def readable(rows: Sequence[Rendered], max_length: int) -> tuple[list[Row], dict[str, int]]:
    """Return the rows that can be trained on, and reason -> number of the others.

    Raises:
        UserError: a row's mask does not fit its ids (a mistake of the backend that rendered it).
    """
    kept: list[Row] = []
    dropped: Counter[str] = Counter()
    for number, row in enumerate(rows, 1):
        if len(row.ids) != len(row.supervised):
            raise UserError(
                f"it has {len(row.ids)} token ids and a mask of {len(row.supervised)}.",
                f"training row {number}",
                "The model's render() must give both of the same length.",
            )
        learned = tuple(i for i, learn in enumerate(row.supervised) if learn and i)
        if not learned:
            dropped["no token is supervised"] += 1
        elif len(row.ids) > max_length:
            dropped[f"longer than max_length ({max_length} tokens)"] += 1
        else:
            kept.append(Row(row.ids, learned))
    return kept, dict(dropped)


def demand(rows: Sequence[Row], dropped: dict[str, int]) -> None:
    """Stop before the first step when there is nothing to learn.

    Raises:
        Untrainable: no row is left; the sentence says why.
    """
    if rows:
        return
    why = "; ".join(f"{count} rows: {reason}" for reason, count in dropped.items()) or "there are no training rows"
    raise Untrainable(
        f"no token is supervised, so training would learn nothing ({why}).",
        "training rows",
        "Give examples with answers, or raise max_length.",
    )


def shown(row: Row, decode: Decode | None) -> str:
    """Show a row as the model reads it, with each stretch that is learned between ⟦ and ⟧."""
    learned = set(row.learned)
    parts: list[str] = []
    start = 0
    for i in range(1, len(row.ids) + 1):
        if i < len(row.ids) and (i in learned) == (start in learned):
            continue
        piece = row.ids[start:i]
        text = decode(piece) if decode else " ".join(map(str, piece))
        parts.append(f"⟦{text}⟧" if start in learned else text)
        start = i
    return ("" if decode else " ").join(parts)

"""What a row of a file of examples may hold; ``docs/reference.md`` says it in these words."""

from __future__ import annotations

UNANSWERABLE = "Not in our documents."
"""The target of a question that is marked as not answerable and has no target of its own."""

SHAPES_SAID = {
    "choice": "the reply that was chosen, and `rejected`: the one that was not",
    "chat": "turns of `role` and `content`, or of `from` and `value`; `answers` where the last turn is a user's",
    "alpaca": "`input` is put below the instruction, `system` before it",
    "pair": "texts, or lists of messages; `label` (or `kto_tag`) false drops the row: a reply that is not wanted",
    "qa": "one text, a list of texts that are all right, or SQuAD's; `context` where the document is in the row",
    "label": "one class, or a list of them",
    "summary": "the text, and what it comes to",
}
"""What is to be known of each shape beside the names of its fields."""

BESIDE = {
    "id": "its name in results and in given answers; without one it is the file's name and the row's line",
    "source": "what it belongs to, most often the document that answers it; `split` keeps rows of one source together",
    "group": "what it belongs to otherwise (a customer), for `split: {by: group}`",
    "weight": "how much its score counts, 1 without it; a column of this name weighs, whatever was meant by it",
    "time": "when it was asked, as a date or in seconds since 1970, for `split: {by: time}`",
    "synthetic": "true: it was made, not asked; it is learned from at most, and goes where `of` or `original` is",
    "labels": "its classes, where they are not what it answers",
    "rejected": "one or several replies that are worse",
    "answerable": f"false: the documents do not answer it; without an answer of its own it is {UNANSWERABLE!r}",
    "is_impossible": "the opposite, as SQuAD says it",
    "context": "the text that answers it; without `data.documents` all contexts together are the documents",
    "gold": "the passages that answer it: a list of `source`, `start` and `end`, in characters of the text as read",
    "evidence": "the same by its words, or a list of such: they are looked for in the document `source`",
}
"""Fields of every shape, and what they say."""

DOCUMENT = "Goods can be returned for 30 days. Shoes must be unworn."
"""What ``returns.md`` says in the rows below."""

ROWS = {
    "The passage is known by its words": (
        '{"question": "How long can I return goods?", "answers": ["30 days"], "source": "returns.md", '
        '"evidence": "returned for 30 days"}'
    ),
    "The passage is known by its place": (
        '{"question": "Can I return worn shoes?", "answers": ["No"], '
        '"gold": [{"source": "returns.md", "start": 35, "end": 56}]}'
    ),
    "The documents do not answer it": (
        '{"question": "Do you ship to the Moon?", "answerable": false, "source": "returns.md"}'
    ),
}
"""Rows as they may be written, by what they show."""

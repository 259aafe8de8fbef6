"""Posts that reply to each other become conversations; what belongs to none is said."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data.examples import read_examples
from sharpen.data.reading import Row
from sharpen.data.threads import MOST_TURNS, Columns, columns_of, conversations

COLUMNS = Columns("id", "parent_id", "text", "role")


def post(key: str, parent: str | None, role: str, text: str = "") -> dict[str, Any]:
    return {"id": key, "parent_id": parent, "role": role, "text": text or f"text {key}"}


def made(posts: list[dict[str, Any]], columns: Columns = COLUMNS) -> Any:
    return conversations([Row(n, p) for n, p in enumerate(posts, 1)], columns)


def said(row: Row) -> list[tuple[str, str]]:
    return [(t["role"], t["content"]) for t in row.fields["messages"]]


def test_every_path_to_a_last_reply_is_a_conversation() -> None:
    """q - a1 - q2 - a2; a1 - q3 (no reply); q - a3."""
    found = made(
        [
            post("a1", "q", "assistant"),
            post("q", None, "prompter"),
            post("q2", "a1", "prompter"),
            post("a2", "q2", "assistant"),
            post("q3", "a1", "prompter"),
            post("a3", "q", "assistant"),
        ]
    )
    q, a1, q2, a2 = ("user", "text q"), ("assistant", "text a1"), ("user", "text q2"), ("assistant", "text a2")
    assert [(r.fields["id"], said(r)) for r in found.rows] == [
        ("a2", [q, a1, q2, a2]),
        ("a1", [q, a1]),
        ("a3", [q, ("assistant", "text a3")]),
    ]
    assert {r.fields["source"] for r in found.rows} == {"thread q"}
    assert [r.line for r in found.rows] == [4, 1, 6]
    assert found.notes == ["6 posts in 1 threads gave 3 conversations: every path from a first post to its last reply."]


def test_who_begins_a_thread_asks_where_names_of_people_stand() -> None:
    columns = columns_of(["comment_id", "reply_to", "author", "body", "score"])
    assert columns == Columns("comment_id", "reply_to", "body", "author")
    rows = [("1", "", "ada", "Q"), ("2", "1", "ben", "A"), ("3", "2", "cyd", "more"), ("4", "3", "ada", "Thanks")]
    posts = [dict(zip(("comment_id", "reply_to", "author", "body"), r, strict=True)) for r in rows]
    (row,) = made(posts, columns).rows
    assert said(row) == [("user", "Q"), ("assistant", "A\n\nmore")]
    assert row.fields["id"] == "3"


def test_what_belongs_to_no_thread_is_said() -> None:
    found = made(
        [
            post("a", "gone", "user"),
            post("b", "a", "assistant"),
            post("c", "d", "user"),
            post("d", "c", "assistant"),
            post("b", None, "user"),
            {"id": "e", "parent_id": "a", "role": "user", "text": " "},
            {"id": None, "parent_id": "a", "role": "user", "text": "x"},
            post("lonely", None, "user"),
        ]
    )
    assert [said(r) for r in found.rows] == [[("user", "text a"), ("assistant", "text b")]]
    assert found.dropped == [
        ("line 5", "has the id of line 2"),
        ("line 6", "has no text"),
        ("line 7", "has no id"),
        ("line 3", "replies to itself in the end"),
        ("line 4", "replies to itself in the end"),
    ]
    assert found.notes[1:] == [
        "1 paths hold no reply to a user and were left out.",
        "1 posts reply to what is not there; each begins a thread.",
    ]


def test_a_chain_of_any_length_is_cut_to_its_last_turns() -> None:
    roles = ("user", "assistant")
    found = made([post(str(n), str(n - 1) if n else None, roles[n % 2]) for n in range(5000)])
    (row,) = found.rows
    assert len(row.fields["messages"]) == MOST_TURNS
    assert said(row)[-1] == ("assistant", "text 4999")


def test_a_log_is_read_as_examples(tmp_path: Path) -> None:
    """As the log of a company's support on a social network is published."""
    names = ("tweet_id", "author_id", "inbound", "text", "in_response_to_tweet_id")
    posts = [
        (1, "115", True, "My phone is dead", None),
        (2, "Shop", False, "Restart it.", 1.0),
        (3, "115", True, "Thanks", 2.0),
    ]
    rows = [dict(zip(names, p, strict=True)) for p in posts]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = read_examples(path, "log.jsonl")
    (draft,) = found.drafts
    assert [(m.role, m.content) for m in draft.example.messages] == [("user", "My phone is dead")]
    assert draft.example.targets == ("Restart it.",)
    assert (draft.example.id, draft.example.source, draft.place) == ("2", "thread 1", "line 2")
    assert found.notes[0].startswith("log.jsonl: 3 posts in 1 threads gave 1 conversations")


def test_rows_of_a_known_shape_are_no_log(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({**post("1", None, "user"), "label": "x"}), encoding="utf-8")
    assert [d.example.targets for d in read_examples(path, "q.jsonl").drafts] == [("x",)]


@pytest.mark.parametrize("missing", ["id", "parent_id", "text", "role"])
def test_columns_of_a_log(missing: str) -> None:
    assert columns_of([n for n in ("id", "parent_id", "text", "role") if n != missing]) is None


@given(
    posts=st.lists(
        st.tuples(st.integers(0, 12), st.one_of(st.none(), st.integers(0, 14)), st.sampled_from(["user", "assistant"])),
        max_size=25,
    )
)
@settings(max_examples=150, deadline=None)
def test_every_post_is_used_or_dropped_and_conversations_are_paths(posts: list[tuple[int, int | None, str]]) -> None:
    rows = [post(str(k), None if p is None else str(p), role) for k, p, role in posts]
    found = made(rows)
    first = {}
    for row in rows:
        first.setdefault(row["id"], row)
    assert len(found.dropped) == len(rows) - int(found.notes[0].split()[0])
    for conversation in found.rows:
        path, at = [], first[conversation.fields["id"]]
        while at is not None:
            path.append(at)
            at = first.get(at["parent_id"])
        texts = "\n\n".join(t["content"] for t in conversation.fields["messages"])
        assert texts == "\n\n".join(p["text"] for p in reversed(path))
        assert conversation.fields["messages"][-1]["role"] == "assistant"
        roles = [t["role"] for t in conversation.fields["messages"]]
        assert all(a != b for a, b in pairwise(roles))

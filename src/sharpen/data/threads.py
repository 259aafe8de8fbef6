"""Chat logs whose rows are single posts that reply to each other, made into conversations.

A log is known by its columns: an id, the id of the post that a post replies to, a text, and who wrote it. Every path
from a first post to a last one becomes one row with ``messages``, which ends with the last reply on it; the posts of
one thread share their ``source``, so that no split parts them. Posts that reply to nothing that is there begin a
thread of their own, which is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sharpen.data.reading import Row

MOST_TURNS = 200
"""Turns of a conversation that are kept, the last ones."""

MOST_CHARACTERS = 100_000_000
"""Characters that all conversations together may always have; in a tree with many ends a post stands in many."""

MOST_TIMES = 20
"""How many times the characters of its posts a larger log may give."""

_IDS = ("id", "message_id", "post_id", "comment_id", "tweet_id", "uuid")
_PARENTS = (
    *("parent_id", "parent", "reply_to", "reply_to_id", "in_reply_to", "in_reply_to_id", "parent_message_id"),
    *("in_response_to", "in_response_to_id", "in_response_to_tweet_id", "replies_to"),
)
_TEXTS = ("text", "content", "body", "message")
_SPEAKERS = ("role", "inbound", "from", "author", "author_id", "user", "user_id", "sender", "speaker", "by")
_ASKS = {"user", "human", "prompter", "customer", "client", "inbound", "visitor", "caller", "true"}
_ANSWERS = {"assistant", "gpt", "model", "bot", "agent", "support", "staff", "operator", "outbound", "false"}


@dataclass(frozen=True)
class Columns:
    """Which columns of a log say what."""

    id: str
    parent: str
    text: str
    speaker: str


@dataclass
class Conversations:
    """What was made of a log: rows, why posts were not used (place and reason), and what is to be known of it."""

    rows: list[Row] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class _Post:
    row: Row
    key: str
    parent: str
    text: str
    speaker: str
    replies: list[_Post] = field(default_factory=list)


def columns_of(names: Iterable[str]) -> Columns | None:
    """Return which columns say what, where the names are those of a log with replies; None where they are not."""
    there = {str(n).lower(): n for n in names}
    found = [next((there[n] for n in known if n in there), None) for known in (_IDS, _PARENTS, _TEXTS, _SPEAKERS)]
    return Columns(*map(str, found)) if all(f is not None for f in found) else None


def conversations(rows: Iterable[Row], columns: Columns) -> Conversations:
    """Put posts together by what they reply to."""
    made = Conversations()
    posts: dict[str, _Post] = {}
    for row in rows:
        if isinstance(found := _post(row, columns), str):
            made.dropped.append((row.at, found))
        elif found.key in posts:
            made.dropped.append((row.at, f"has the id of {posts[found.key].row.at}"))
        else:
            posts[found.key] = found
    roots, orphans = [], 0
    for post in posts.values():
        if post.parent in posts:
            posts[post.parent].replies.append(post)
        else:
            roots.append(post)
            orphans += bool(post.parent)
    most = max(MOST_CHARACTERS, MOST_TIMES * sum(len(p.text) for p in posts.values()))
    reached = _paths(roots, made, most)
    made.dropped += [(p.row.at, "replies to itself in the end") for p in posts.values() if p.key not in reached]
    threads = f"{len(reached):,} posts in {len(roots):,} threads gave {len(made.rows):,} conversations"
    made.notes.insert(0, f"{threads}: every path from a first post to its last reply.")
    if orphans:
        made.notes.append(f"{orphans:,} posts reply to what is not there; each begins a thread.")
    return made


def _post(row: Row, columns: Columns) -> _Post | str:
    key, text = _name(row.fields.get(columns.id)), row.fields.get(columns.text)
    if not key:
        return f"has no {columns.id}"
    if not isinstance(text, str) or not text.strip():
        return f"has no {columns.text}"
    speaker = _name(row.fields.get(columns.speaker)).lower()
    return _Post(row, key, _name(row.fields.get(columns.parent)), text.strip(), speaker)


def _name(value: Any) -> str:
    """An id or a name as text; numbers of a table that have gaps come as 12.0."""
    if value is None or value != value or isinstance(value, dict | list):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    said = str(value).strip()
    return "" if said.lower() in ("null", "none", "nan") else said


def _paths(roots: list[_Post], made: Conversations, left: int) -> set[str]:
    """Walk each tree without recursion, write a row for each end, and return which posts were reached."""
    reached: set[str] = set()
    cut = unanswered = 0
    for root in roots:
        path: list[_Post] = []
        written: set[str] = set()
        steps: list[tuple[_Post, int]] = [(root, 0)]
        while steps and left > 0:
            post, depth = steps.pop()
            del path[depth:]
            path.append(post)
            reached.add(post.key)
            steps += [(reply, depth + 1) for reply in reversed(post.replies)]
            if post.replies:
                continue
            turns, end = _turns(path[-MOST_TURNS:], root.speaker)
            cut += len(path) > MOST_TURNS
            if end is None:
                unanswered += 1
            elif end.key not in written:  # two questions below one reply lead to the same conversation
                written.add(end.key)
                left -= sum(len(t["content"]) for t in turns)
                made.rows.append(_row(end, root, turns))
    if unanswered:
        made.notes.append(f"{unanswered:,} paths hold no reply to a user and were left out.")
    if cut:
        made.notes.append(f"{cut:,} conversations have more than {MOST_TURNS} turns; the last ones are kept.")
    if left <= 0:
        made.notes.append("the conversations became too many; the rest was not made.")
    return reached if left > 0 else reached | {p.key for r in roots for p in _below(r)}


def _below(root: _Post) -> list[_Post]:
    found = [root]
    for post in found:
        found += post.replies
    return found


def _turns(path: list[_Post], first: str) -> tuple[list[dict[str, str]], _Post | None]:
    """The turns of a path up to its last reply to a user, and that reply; posts of one side in a row are one turn."""
    turns: list[dict[str, str]] = []
    end, length = None, 0
    for post in path:
        role = _role(post.speaker, first)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n\n{post.text}"
        else:
            turns.append({"role": role, "content": post.text})
        if role == "assistant" and any(t["role"] == "user" for t in turns):
            end, length = post, len(turns)
    return turns[:length], end


def _role(speaker: str, first: str) -> str:
    """A role by its name; where names of people stand, who began the thread asks and all others answer."""
    if speaker == "system":
        return "system"
    if speaker in _ASKS or speaker in _ANSWERS:
        return "user" if speaker in _ASKS else "assistant"
    return "user" if speaker == first else "assistant"


def _row(end: _Post, root: _Post, turns: list[dict[str, str]]) -> Row:
    kept: Mapping[str, Any] = end.row.fields
    beside = {k: kept[k] for k in ("source", "group", "weight") if kept.get(k) not in (None, "")}
    return Row(
        end.row.line, {"source": f"thread {root.key}", **beside, "id": end.key, "messages": turns}, end.row.place
    )

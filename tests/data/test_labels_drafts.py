"""Drafts: every span is where its answer stands, nothing is confirmed but by a person."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.data.labels.drafts import as_items, confirmed, distinct
from sharpen.data.labels.proposing import by_headings, by_model, cloze, from_logs, paragraphs
from sharpen.data.labels.queue import Queue
from sharpen.types import Document, Span

TEXT = """# Returns

Goods can be sent back within 30 days of delivery, in their box.
The fee is on us.

## How to send a parcel

Print the label and bring the parcel to Alpine Post before Friday.

```
# no heading, 99 bottles of beer on the wall
```

## Who pays?

The shop pays.

# Shipping

## Costs

Orders below 50 € cost 4.90 € to ship.
"""
DOCUMENT = Document("shop.md", TEXT)
OTHER = Document("b.md", "# Club\r\n\r\n## Costs\r\n\r\nMembers of the club pay 12 % less every day.\r\n")


def stands(draft, documents=(DOCUMENT, OTHER)) -> bool:  # type: ignore[no-untyped-def]
    text = next(d.text for d in documents if d.source == draft.span.source)
    return text[draft.span.start : draft.span.end] == draft.answer and draft.answer in draft.passage


def test_paragraphs_keep_their_place_and_headings() -> None:
    found = list(paragraphs(DOCUMENT))
    assert [(p.headings, p.text.split()[0]) for p in found] == [
        (("Returns",), "Goods"),
        (("Returns", "How to send a parcel"), "Print"),
        (("Returns", "Who pays?"), "The"),
        (("Shipping", "Costs"), "Orders"),
    ]
    assert all(TEXT[p.start : p.end] == p.text for p in found)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="#` \n\r\tab.?5\x0c\u2028é", max_size=80))
def test_paragraphs_of_anything_stand_where_they_say(text: str) -> None:
    last = 0
    for p in paragraphs(Document("x", text)):
        assert text[p.start : p.end] == p.text != ""
        assert p.start >= last
        last = p.end


def test_headings_become_questions() -> None:
    found = by_headings([DOCUMENT, OTHER])
    assert [d.question for d in found] == [
        "What is said about Returns?",
        "How do I send a parcel?",
        "Who pays?",
        "What is said about Costs (Shipping)?",
        "What is said about Costs (Club)?",
    ]
    assert all(stands(d) and d.origin == "heading" and not d.confirmed for d in found)


def test_only_what_reads_like_a_question_gets_a_question_mark() -> None:
    titles = ("What is covered", "Why you might pay", "Which fees are due", "Can I cancel", "Will")
    text = "\n\n".join(f"# {t}\n\nText that says so." for t in titles)
    assert [d.question for d in by_headings([Document("x", text)])] == [
        "What is covered?",
        "Why might you pay?",
        "Which fees are due?",
        "Can I cancel?",
        "What is said about Will?",
    ]


@pytest.mark.parametrize(
    ("heading", "asks"),
    [
        ("[Intake](https://x.org/a_b) form {#intake}", "What is said about Intake form?"),
        ("2. Ask ![pic](p.svg) **early**!", "What is said about Ask early?"),
        (r"\\#help channel", "What is said about #help channel?"),
        ("When you are ill", "What happens when you are ill?"),
        ("If the claim is refused", "What happens if the claim is refused?"),
        ("When you will get your money back", "When will you get your money back?"),
        ("Whom you can talk to", "Whom can you talk to?"),
        ("What happens to the old bike", "What happens to the old bike?"),
        ("How to use", "What is said about How to use?"),
        ("How much is it", "How much is it?"),
    ],
)
def test_headings_of_real_documents(heading: str, asks: str) -> None:
    (draft,) = by_headings([Document("x", f"# {heading.replace(chr(92) * 2, chr(92))}\n\nSo it is said here.\n")])
    assert draft.question == asks


def test_answers_below_headings_are_short_and_plain() -> None:
    long = " ".join(f"Sentence {n} has exactly six words." for n in range(20))
    text = (
        f"# Long one\n\n{long}\n\n# List of it\n\nYou need these things:\n\n- a [pen](http://x.org)\n- some *paper*\n\n"
        "# A table\n\n| a | b |\n\n# Template\n\n{% include x %} is put in here\n\n# Nothing much\n\n[Date]\n\n"
        "# Announced\n\nThe reasons for it are:\n\n# Links\n\n- [See the first page](a.md)\n- [And the other](b.md)\n"
    )
    document = Document("x", text)
    found = {d.question.removeprefix("What is said about ").rstrip("?"): d for d in by_headings([document])}
    assert set(found) == {"Long one", "List of it"}
    assert found["Long one"].answer == " ".join(f"Sentence {n} has exactly six words." for n in range(10))
    assert stands(found["Long one"], (document,))
    listed = found["List of it"]
    assert listed.answer == "You need these things:\n\n- a pen\n- some *paper*"
    assert listed.span is not None
    assert text[listed.span.start : listed.span.end].endswith("- some *paper*"), "with the list that it announces"


def test_gaps_pass_over_telephone_numbers_and_names_that_stand_everywhere() -> None:
    everywhere = [Document(str(n), "Whoever works for Acme Ltd gets a badge on the day.") for n in range(30)]
    text = "Call the desk at 0800 555 0188 whenever a card is lost. The form goes to Acme Ltd in the end."
    assert not cloze([*everywhere, Document("x", text)])
    assert len(cloze([Document("y", "All of the forms go to Dominic Sale in the end."), *everywhere])) == 1


def test_gaps_leave_markup_alone() -> None:
    text = "- **Speed** is what all of the 7 teams want.\n\nSee [the 9 rules](http://x.org) for all of the rest.\n"
    (draft,) = cloze([Document("x", text)])
    assert draft.question == "Fill the gap: Speed is what all of the ____ teams want."
    assert stands(draft, (Document("x", text),))


def test_gaps_hide_numbers_and_names() -> None:
    found = cloze([DOCUMENT, OTHER])
    assert [(d.question, d.answer) for d in found] == [
        ("Fill the gap: Goods can be sent back within ____ days of delivery, in their box.", "30"),
        ("Fill the gap: Print the label and bring the parcel to ____ before Friday.", "Alpine Post"),
        ("Fill the gap: Orders below ____ cost 4.90 € to ship.", "50 €"),
        ("Fill the gap: Members of the club pay ____ less every day.", "12 %"),
    ]
    assert all(stands(d) and d.passage.startswith(d.answer, d.meta["at"]) for d in found)
    assert len(cloze([DOCUMENT], per_document=1)) == 1
    assert not cloze([Document("x", "It takes 7 days, and not more than 7 days in all of them.")]), "gives itself away"


def test_logs_are_counted_and_placed() -> None:
    lines = ["How much does shipping cost?", "hello there you", "how much does SHIPPING cost", "ok?"]
    lines += ["Is the label to be printed before Friday?", "Which zebra eats marmalade?"]
    found = from_logs(lines, [DOCUMENT, OTHER], least=0.3)
    assert next((d.question, d.meta["asked"]) for d in found) == ("How much does shipping cost?", 2)
    assert len(found) == 3
    assert found[1].passage.startswith("Print the label")
    assert found[1].span == Span("shop.md", TEXT.index("Print"), TEXT.index("Friday.") + 7)
    assert found[2].span is None
    assert all(d.answer == "" for d in found)


def test_a_models_answers_must_stand_in_the_passage() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        if "Goods" in prompt:
            good = {"question": "By  when?", "answer": "30 days\n of delivery"}
            made = {"question": "Who?", "answer": "the king"}
            return f'Sure!\n{json.dumps(good)},\n{json.dumps(made)}\n{{broken\n{{"question": 3}}'
        if "Print" in prompt:
            raise TimeoutError("too slow")
        return "No."

    found = by_model([DOCUMENT], ask, "fake:x", shortest=8)
    assert [(d.question, d.answer, d.origin) for d in found.drafts] == [
        ("By when?", "30 days of delivery", "model fake:x")
    ]
    assert stands(found.drafts[0])
    said = [str(p) for p in found.problems]
    assert [
        word
        for word, s in zip(("king", "no JSON", "no question with", "TimeoutError", "without a"), said, strict=True)
        if word in s
    ] == ["king", "no JSON", "no question with", "TimeoutError", "without a"]
    assert "shop.md" in asked[0]
    assert "Returns" in asked[0]


def test_only_people_make_examples_of_drafts(tmp_path: Path) -> None:
    drafts = distinct([*cloze([DOCUMENT]), *by_headings([DOCUMENT]), *by_headings([DOCUMENT])])
    assert len(drafts) == 7
    queue = Queue(tmp_path / "q.sqlite")
    assert queue.add(as_items(drafts)) == 7
    assert confirmed(queue) == []
    queue.decide(drafts[0].id, "anna", "accept")
    queue.decide(drafts[1].id, "anna", "refuse")
    queue.decide(drafts[2].id, "anna", "edit", "fifty euros", "Below what do orders cost shipping?")
    queue.decide(drafts[3].id, "anna", "skip")
    one, two = confirmed(queue)
    assert (one.question, one.targets, one.gold) == (drafts[0].question, ("30",), (drafts[0].span,))
    assert one.source == "shop.md"
    assert (one.meta["origin"], one.meta["confirmed_by"], one.meta["edited"]) == ("gap", ["anna"], False)
    assert (two.question, two.targets) == ("Below what do orders cost shipping?", ("fifty euros",))
    assert two.gold == (), "these words stand nowhere"
    assert two.meta["edited"]


def test_people_who_differ(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q.sqlite", per_item=3)
    draft = cloze([DOCUMENT])[0]
    queue.add(as_items([draft]))
    queue.decide(draft.id, "anna", "accept")
    queue.decide(draft.id, "ben", "refuse")
    assert confirmed(queue) == [], "one against one"
    queue.decide(draft.id, "cleo", "edit", "30 days")
    (made,) = confirmed(queue)
    assert made.targets == ("30",), "the earliest of wordings as frequent"
    assert made.meta["confirmed_by"] == ["anna", "cleo"]


def test_an_empty_answer_cannot_be_accepted_unread(tmp_path: Path) -> None:
    (item,) = as_items(from_logs(["Where is the parcel?"], [DOCUMENT]))
    assert item.proposal is None
    queue = Queue(tmp_path / "q.sqlite")
    queue.add([item])
    with pytest.raises(Exception, match="no proposal"):
        queue.decide(item.id, "anna", "accept")


def test_a_model_is_asked_about_each_document_in_turn_and_no_more_than_needed() -> None:
    asked: list[str] = []
    heard: list[tuple[int, int, int]] = []

    def ask(prompt: str) -> str:
        asked.append(prompt.rpartition("Passage from ")[2].partition(":")[0])
        return json.dumps({"question": f"What is number {len(asked)}?", "answer": "word"})

    text = "\n\n".join(f"A word number {n} and some more of them." for n in range(3))
    documents = [Document("a", text), Document("b", text)]
    found = by_model(documents, ask, "m", shortest=5, most=3, told=lambda n, of, made: heard.append((n, of, len(made))))
    assert asked == ["a", "b", "a"]
    assert len(found.drafts) == 3
    assert heard == [(1, 6, 1), (2, 6, 1), (3, 6, 1)]


@pytest.mark.parametrize("text", ["word " * 60_000, "x" * 500_000, "Aa " * 60_000 + ".", "1," * 60_000 + "."])
def test_gaps_are_looked_for_in_a_long_line_in_no_time(text: str) -> None:
    began = time.process_time()
    assert cloze([Document("x", text)]) == []
    assert time.process_time() - began < 2, "once the square of its length: minutes"

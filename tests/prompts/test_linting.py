"""The linter: for each rule a prompt that it finds and one near it that it lets pass; the library has no finding."""

from __future__ import annotations

from typing import Any

import pytest

from sharpen.prompts import Brief, catalogue, find, lint, lint_text, render
from sharpen.prompts.linting import LEVELS, Subject, every_rule, findings, lint_together
from sharpen.prompts.reading import read, told

WHOLE: dict[str, Any] = {
    "name": "notes",
    "persona": "an editor",
    "task": "Summarize the note.",
    "context": "Notes are read on a phone.",
    "format": "One line.",
    "tone": "Plain.",
    "slots": {"text": {"words": 100}},
    "fence": "given",
    "indicator": "Summary:",
    "examples": [{"input": "Closed on Monday.", "output": "Closed on Monday."}],
}


def brief(**changed: Any) -> Brief:
    return Brief.model_validate({**WHOLE, **changed})


def of(found: Any, rule: str) -> list[str]:
    return [f.what for f in found if f.rule == rule]


TEXTS = {
    "P001": (
        "The weather was fine yesterday",
        "From the list below, pick the largest number: 3, 5",
    ),
    "P002": ("Name the capital of Peru.", "Our school plans a trip. Name the capital of Peru."),
    "P003": ("Name the capital of Peru.", "Name the capital of Peru, for instance: Rome for Italy."),
    "P004": ("Name the capital of Peru.", "You are a teacher. Name the capital of Peru."),
    "P005": ("Name the capital of Peru.", "Name the capital of Peru in two sentences."),
    "P006": ("Name the capital of Peru.", "Name the capital of Peru in a friendly tone."),
    "P010": ("List some rivers with an appropriate length.", "List five rivers longer than 1,000 km."),
    "P011": ("Can you explain how this works?", "Can you explain how this engine works?"),
    "P012": ("Summarize the following article.", "Summarize the following article.\n\nThe bridge opens in May."),
    "P013": ("Write a letter to [INSERT NAME] about the delay.", "Fill in the blank: The cat ___ on the [MASK]."),
    "P020": ("Isn't it better to rent than to buy?", "Is renting or buying cheaper over ten years?"),
    "P021": ("Do not answer without avoiding jargon.", "Do not use jargon. Tell me whether or not it fits."),
    "P022": ("Summarize the report and translate it to French.", "Summarize the report and its annex."),
    "P023": ("Write " + "a text about trees and " * 20 + "birds.", "Write a text about trees. Keep it plain."),
    "P024": ("Describe happiness.", "Describe happiness in three sentences."),
    "P030": (
        "Be brief. Give a comprehensive answer in detail.",
        "Give a short summary of the detailed report.",
    ),
    "P031": (
        "Answer in JSON. Return the result as a markdown table.",
        "Convert the table to JSON. Answer in JSON or CSV.",
    ),
    "P032": ("Always mention the price. Never mention the price.", "Always mention the price. Never mention a rival."),
    "P033": ("Use at least 200 words and at most 100 words.", "Use at least 100 words and at most 200 words."),
    "P034": ("Answer in French. Write your reply in German.", "Answer in French or in German."),
    "P041": ("Ask the nurse what she thinks of the plan.", "Ask the nurse what he or she thinks of the plan."),
    "P042": ("Describe dishes of the third world in five lines.", "Describe dishes of Peru in five lines."),
}


@pytest.mark.parametrize("rule", TEXTS)
def test_a_text_is_found_and_its_neighbour_passes(rule: str) -> None:
    bad, good = TEXTS[rule]
    assert of(lint_text(bad), rule), bad
    assert not of(lint_text(good), rule), good


BRIEFS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "P001": ({"task": "The note of today."}, {}),
    "P002": ({"context": ""}, {}),
    "P003": ({"examples": []}, {}),
    "P004": ({"persona": ""}, {}),
    "P005": ({"format": ""}, {"format": "", "output_schema": {"type": "string"}}),
    "P006": ({"tone": ""}, {}),
    "P010": ({"must": ["add suitable links"]}, {"must": ["add two links"]}),
    "P013": ({"context": "Notes of {{ company }}."}, {}),
    "P014": ({"fence": ""}, {}),
    "P021": ({"must_not": ["do not guess"]}, {"must_not": ["guess"]}),
    "P022": ({"task": "Summarize the note, then translate it."}, {}),
    "P023": (
        {"must": [f"name fact {i}" for i in range(13)]},
        {"must": [f"name fact {i}" for i in range(5)]},
    ),
    "P030": ({"format": "One short, concise line.", "must": ["be comprehensive"]}, {"must_not": ["be comprehensive"]}),
    "P031": (
        {"format": "A Markdown table.", "output_schema": {"type": "array"}},
        {"must_not": ["answer with a table"], "output_schema": {"type": "string"}, "examples": []},
    ),
    "P032": ({"must": ["name the author"], "must_not": ["name the authors"]}, {"must": ["name the author"]}),
    "P033": ({"format": "At least 200 words.", "words": 100}, {"format": "At least 20 words.", "words": 100}),
    "P034": (
        {
            "source_language": "German",
            "target_language": "French",
            "about_languages": "-",
            "format": "Answer in Dutch.",
        },
        {"format": "Answer in Dutch."},
    ),
    "P041": ({"must": ["tell the user what he needs"]}, {"must": ["tell the user what is needed"]}),
    "P060": ({"words": 2}, {"words": 3}),
}


@pytest.mark.parametrize("rule", BRIEFS)
def test_a_prompt_is_found_and_its_neighbour_passes(rule: str) -> None:
    bad, good = BRIEFS[rule]
    assert of(lint(brief(**bad)), rule)
    assert not of(lint(brief(**good)), rule)


def test_what_the_model_cannot_hold() -> None:
    """100 words of input at 1.4 tokens are 140, and the rest about 50."""
    assert of(lint(brief(), context=150), "P040")
    assert not of(lint(brief(), context=400), "P040")
    assert not of(lint(brief()), "P040"), "without a model nobody knows"
    assert of(lint_text("word " * 1000, context=1000), "P040")


def test_examples_keep_the_prompts_own_rules() -> None:
    schema = {"type": "object", "required": ["a"]}
    rows = [{"input": "x", "output": '{"b": 1}'}, {"input": "y", "output": "no"}, {"input": "X", "output": '{"a": 1}'}]
    said = of(lint(brief(output_schema=schema, examples=rows)), "P060")
    assert len(said) == 3
    assert "'a' is a required property" in said[0]
    assert "it is no JSON" in said[1]
    assert "answers the same otherwise" in said[2]
    assert of(lint(brief(slots={"text": {"words": 1}})), "P060") == ["its input has 3 words, more than 1."]


def test_prompts_that_are_used_together_are_alike() -> None:
    def subject(**changed: Any) -> Subject:
        b = brief(**changed)
        return Subject(b.name, b.texts(), b, fence=b.fence)

    assert lint_together([subject(), subject(name="b", tone="Kind.")]) == []
    said = of(lint_together([subject(), subject(name="b"), subject(name="c", fence="input", indicator="")]), "P050")
    assert [s.partition(" as their ")[2] for s in said] == ["delimiter, and not c.", "indicator at the end, and not c."]


def test_every_rule_is_tested_and_says_what_mends_it() -> None:
    rules = every_rule()
    assert len({r.id for r in rules}) == len(rules) >= 24
    assert {r.id for r in rules} == {*TEXTS, *BRIEFS, "P040", "P050"}
    assert all(r.fix and r.about and r.level in LEVELS for r in rules)


@pytest.mark.parametrize("name", catalogue())
def test_the_library_has_no_finding_of_any_level(name: str) -> None:
    assert lint(find(name), context=8192) == []


@pytest.mark.parametrize("name", catalogue())
def test_nor_has_it_one_as_a_programs_instruction(name: str) -> None:
    p = render(find(name)).prompt
    found = findings(
        Subject(name, {"instruction": p.instruction, "template": p.context_template}, template=True, fence=p.fence)
    )
    assert [f for f in found if f.level != "advice"] == []


def test_the_library_is_alike() -> None:
    briefs = [find(name) for name in catalogue()]
    assert lint_together([Subject(b.name, b.texts(), b, fence=b.fence) for b in briefs]) == []


def test_the_worst_stands_first_and_names_its_place() -> None:
    found = lint(brief(tone="", must=["add suitable links", "guess"], must_not=["guess"]))
    assert [f.level for f in found] == sorted((f.level for f in found), key=LEVELS.index)
    assert str(found[0]) == "notes: must.1: error P032: “guess” is ordered and forbidden. Keep one."


@pytest.mark.parametrize(
    "text",
    [
        'Translate: "Do some appropriate things, obviously."',
        "Classify the review.\n\nReview: The nurse said she would not come without her several friends, etc.",
        "Summarize.\n```\nsome code, don't stop without it\n```",
        "Fasse den Text zusammen und übersetze ihn, etc.",
        "请总结这篇文章",
    ],
)
def test_what_is_given_and_what_is_no_english_is_not_judged_by_words(text: str) -> None:
    assert not [f for f in lint_text(text) if f.rule in ("P010", "P020", "P021", "P041", "P001")]


@pytest.mark.parametrize(
    ("text", "verb", "asks"),
    [
        ("Please summarize the text.", "summarize", False),
        ("Can you please explain loops?", "explain", True),
        ("From the list, pick one.", "pick", False),
        ("Fold the paper twice.", "fold", False),
        ("What is a loop", "", True),
        ("The nurse left.", "", False),
        ("Where a text is given, answer from it.", "", False),
        ("I want you to act as a lawyer.", "act", False),
    ],
)
def test_orders_and_questions_are_told_apart(text: str, verb: str, asks: bool) -> None:
    s = read(text)
    assert (s.verb, s.asks) == (verb, asks)


def test_of_a_long_text_only_what_is_told_is_read() -> None:
    text = "Answer the question below.\nContext: " + "It rained in some places. " * 30 + "\nQuestion: Where?"
    assert told(text) == "Answer the question below."


def test_what_is_forbidden_is_no_order() -> None:
    text = "Translate the text.\nThe answer must not:\n- explain a word\n- be long\nBe kind.\n\nText: Hallo"
    assert told(text) == "Translate the text.\nThe answer must not:"
    assert not of(lint_text(text), "P022")


def test_a_programs_instruction_is_not_asked_for_its_input() -> None:
    fields = {"instruction": "Summarize the following text.", "template": "{question}\n{wrong}"}
    said = findings(Subject("arm", fields, template=True))
    assert [f.what for f in said if f.level != "advice"] == [
        "{wrong} is filled by nothing.",
        "nothing marks where what is given begins and ends.",
    ]


def test_an_empty_text_has_no_task() -> None:
    assert [(f.rule, f.what) for f in lint_text(" \n") if f.level == "error"] == [("P001", "it is empty.")]

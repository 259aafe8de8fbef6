"""Checks of the demo data in examples/anyorganization: form, counts, and evidence."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "examples" / "anyorganization"
DOCUMENTS = ROOT / "documents"
UNANSWERABLE = ["Not in our documents."]
KEYS = {"id", "question", "answers", "source", "evidence", "answerable", "asker", "tags"}
TAGS = {
    "paraphrase",
    "unanswerable",
    "ambiguous",
    "sensitive",
    "numeric",
    "list",
    "yes-no",
    "conditional",
    "typo",
}
_STOPWORDS = """
    a about above after again against all also am an and any anyone anything are as at back be
    because been before being below between both but by can cannot could did do does doing don done
    down during each else ever every few for from further get gets getting go goes going got had has
    have having he her here hers him his how i if in into is isn it its itself just kind like ll
    long lot m many may me might mine more most much must my myself need needs no nor not now of off
    on once one only onto or other our ours out over own per please re s same shall she should so
    some someone something still such t than that the their theirs them themselves then there these
    they thing this those through to too under until up upon us ve very via want was we well were
    what when where whether which while who whole whom whose why will with within without won would
    yet you your yours
"""
STOPWORDS = set(_STOPWORDS.split())


def squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] in "ey" else word


def content_words(text: str) -> set[str]:
    words = re.findall(r"[^\W_]+", text.lower())
    return {stem(word) for word in words if word not in STOPWORDS}


def frame(question: str) -> str:
    """The question with its numbers and names taken out, to catch questions made from a template."""
    words: list[str] = []
    starts = True
    for token in question.split():
        bare = re.sub(r"[^\w<>]", "", token)
        name = bare[:1].isupper() and not starts and not re.match(r"I(\b|'|\u2019)", token)
        starts = token[-1:] in ".?!"
        text = "<name>" if name else token.lower()
        if not name:
            text = re.sub(r"\d+(?:[.,:]\d+)*", "<n>", text)
        text = re.sub(r"[^\w<> ]", "", text)
        if text:
            words.append(text)
    return " ".join(words)


@cache
def article_text(source: str) -> str:
    path = DOCUMENTS / source
    if path.suffix == ".md":
        text = path.read_text(encoding="utf-8")
    elif path.suffix == ".html":
        from lxml import html

        (article,) = html.fromstring(path.read_text(encoding="utf-8")).iter("article")
        text = " ".join(piece for piece in article.itertext())
    elif path.suffix == ".pdf":
        import pypdfium2

        pdf = pypdfium2.PdfDocument(str(path))
        try:
            text = "\n".join(page.get_textpage().get_text_range() for page in pdf)
        finally:
            pdf.close()
    elif path.suffix == ".docx":
        import docx

        document = docx.Document(str(path))
        pieces = [paragraph.text for paragraph in document.paragraphs]
        pieces += [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        text = "\n".join(pieces)
    else:
        raise AssertionError(f"no reader for {source}")
    return squeeze(text)


def read_questions() -> list[dict]:
    lines = (ROOT / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


QUESTIONS = read_questions()
ANSWERABLE = [row for row in QUESTIONS if row["answerable"]]
ARTICLES = sorted(path.relative_to(DOCUMENTS).as_posix() for path in DOCUMENTS.rglob("*") if path.is_file())


def tagged(tag: str) -> list[dict]:
    return [row for row in QUESTIONS if tag in row["tags"]]


def test_every_line_has_the_same_well_typed_keys():
    for row in QUESTIONS:
        assert set(row) == KEYS, row["id"]
        assert isinstance(row["question"], str)
        assert row["question"] == squeeze(row["question"])
        assert isinstance(row["answerable"], bool)
        assert row["asker"] in {"customer", "employee"}
        assert set(row["tags"]) <= TAGS, row["id"]
        assert len(row["tags"]) == len(set(row["tags"])), row["id"]
        assert 1 <= len(row["answers"]) <= 3, row["id"]
        for answer in row["answers"]:
            assert 1 <= len(answer.split()) <= 8, (row["id"], answer)
        folded = [answer.casefold() for answer in row["answers"]]
        assert len(folded) == len(set(folded)), row["id"]


def test_ids_run_from_q0001_without_gaps():
    assert [row["id"] for row in QUESTIONS] == [f"q{n:04d}" for n in range(1, len(QUESTIONS) + 1)]


def test_there_are_enough_questions():
    assert len(QUESTIONS) >= 520


@pytest.mark.parametrize(
    ("tag", "least"),
    [("unanswerable", 55), ("paraphrase", 90), ("ambiguous", 20), ("sensitive", 20)],
)
def test_there_are_enough_questions_of_each_hard_kind(tag, least):
    assert len(tagged(tag)) >= least


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_every_tag_is_used(tag):
    assert tagged(tag)


def test_both_kinds_of_asker_are_well_represented():
    askers = Counter(row["asker"] for row in QUESTIONS)
    assert min(askers["customer"], askers["employee"]) >= len(QUESTIONS) // 4


def test_no_question_is_asked_twice():
    seen = Counter(re.sub(r"\W+", " ", row["question"].casefold()).strip() for row in QUESTIONS)
    assert [question for question, count in seen.items() if count > 1] == []


def test_no_frame_is_shared_by_more_than_three_questions():
    frames = Counter(frame(row["question"]) for row in QUESTIONS)
    assert [item for item in frames.items() if item[1] > 3] == []


def test_no_opening_is_overused():
    openings = Counter(" ".join(row["question"].lower().split()[:4]) for row in QUESTIONS)
    assert [item for item in openings.items() if item[1] > 12] == []


def test_frame_hides_numbers_and_names_only():
    assert frame("Is the Drover at Port Arden over 38 kg?") == ("is the <name> at <name> <name> over <n> kg")
    assert frame("Thanks. Can I pay 4.95 now?") == "thanks can i pay <n> now"
    assert frame("Can I pay now?") != frame("Can I pay later?")


def test_there_are_enough_articles_in_mixed_formats():
    kinds = Counter(Path(name).suffix for name in ARTICLES)
    assert len(ARTICLES) >= 44
    assert kinds[".html"] >= 8
    assert kinds[".md"] > sum(kinds.values()) / 2
    assert set(kinds) == {".md", ".html", ".pdf", ".docx"}
    assert {name.split("/")[0] for name in ARTICLES} == {"help-centre", "handbook"}


@pytest.mark.parametrize("name", ARTICLES)
def test_article_has_a_sensible_length(name):
    assert 180 <= len(re.findall(r"\w[\w'.,:@/-]*", article_text(name))) <= 450


@pytest.mark.parametrize("name", [name for name in ARTICLES if name.endswith(".html")])
def test_html_page_has_boilerplate_around_one_article(name):
    from lxml import html

    page = html.fromstring((DOCUMENTS / name).read_text(encoding="utf-8"))
    for tag in ("nav", "header", "footer", "article"):
        assert list(page.iter(tag)), f"{name} has no <{tag}>"
    outside = squeeze(" ".join(page.find("body").itertext()))
    assert len(outside) > len(article_text(name))


def test_sources_exist_and_every_article_is_used():
    uses = Counter(row["source"] for row in QUESTIONS)
    assert set(uses) == set(ARTICLES)
    assert [item for item in uses.items() if not 7 <= item[1] <= 18] == []


def test_unanswerable_questions_have_one_form():
    for row in QUESTIONS:
        unanswerable = not row["answerable"]
        assert ("unanswerable" in row["tags"]) == unanswerable, row["id"]
        assert (row["answers"] == UNANSWERABLE) == unanswerable, row["id"]
        assert (row["evidence"] is None) == unanswerable, row["id"]


def test_evidence_stands_in_the_article():
    missing = [
        row["id"]
        for row in ANSWERABLE
        if not row["evidence"] or squeeze(row["evidence"]) not in article_text(row["source"])
    ]
    assert missing == []


def test_evidence_is_plain_text_of_useful_length():
    for row in ANSWERABLE:
        assert not re.search(r"[|*_`<>]", row["evidence"]), row["id"]
        assert len(row["evidence"].split()) <= 60, row["id"]


def test_first_answer_is_nearly_always_in_the_evidence():
    inside = [
        row
        for row in ANSWERABLE
        if re.search(
            r"(?<!\w)" + re.escape(row["answers"][0].casefold()) + r"(?!\w)",
            squeeze(row["evidence"]).casefold(),
        )
    ]
    assert len(inside) >= 0.85 * len(ANSWERABLE)


def test_yes_no_questions_are_answered_yes_or_no():
    for row in QUESTIONS:
        says = row["answers"][0].rstrip(".").casefold() in {"yes", "no"}
        if row["answerable"]:
            assert ("yes-no" in row["tags"]) == says, row["id"]


def test_paraphrases_share_at_most_one_content_word_with_the_evidence():
    for row in tagged("paraphrase"):
        assert row["answerable"], row["id"]
        shared = content_words(row["question"]) & content_words(row["evidence"])
        assert len(shared) <= 1, (row["id"], shared)


def test_numeric_answers_hold_a_number():
    words = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|once|twice|none"
    for row in tagged("numeric"):
        answers = " ".join(row["answers"]).lower()
        assert re.search(rf"\d|\b({words}|first|second|third|fourth)\b", answers), row["id"]


def test_readme_counts_are_those_of_the_file():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `?([a-z-]+)`? \| (\d+) \|$", readme, flags=re.MULTILINE))
    for tag in TAGS:
        assert int(rows[tag]) == len(tagged(tag)), tag
    for asker in ("customer", "employee"):
        assert int(rows[asker]) == sum(row["asker"] == asker for row in QUESTIONS), asker
    assert f"{len(QUESTIONS)} questions" in readme
    assert f"{len(ARTICLES)} articles" in readme


def test_its_split_can_give_a_verdict() -> None:
    import sharpen

    found = sharpen.check(ROOT, ["model='fake:'", "embeddings='fake:'"])
    assert not any("No verdict is possible" in sentence for sentence in found["proof"])
    assert len(found["data"]["test"]["cluster_sizes"]) >= 14

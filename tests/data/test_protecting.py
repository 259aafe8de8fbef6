"""Personal data and secrets: what was found stands in no file that is written afterwards, and spans still fit."""

from __future__ import annotations

import ast
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sharpen
from sharpen.data import examine, load, prepare
from sharpen.data.protecting import Shield, key_of, look, protect
from sharpen.errors import Problem, UserError
from sharpen.inputs import Data, Privacy
from sharpen.types import Document, Example, Message, Span

KEY = b"0123456789abcdef0123"
SECRETS = (
    "ines.okafor@example.com",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "219-09-9998",
    "omar.diaz@example.org",
    "lena+bills@example.net",
    "sk-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH",
)
"""Values that stand in the raw files below; whatever is written may hold none of them."""


def shield(how: str = "mask", key: bytes = KEY) -> Shield:
    return Shield(Privacy(how=how), key)


def raw(folder: Path) -> Data:
    """Questions, answers, ids, sources, other columns, documents and their names: all with something to hide."""
    (folder / "docs").mkdir(parents=True)
    rows = []
    for i in range(60):
        source = SECRETS[4] if i % 10 == 0 else f"doc{i % 10}.md"
        rows.append(
            {
                "id": SECRETS[5] if i == 3 else f"q{i}",
                "question": f"Who is {SECRETS[0]} and what is number {i}?",
                "answers": [f"card {SECRETS[1]} number {i}"],
                "source": source,
                "note": f"paid to {SECRETS[2]}",
            }
        )
    rows[7] = {**rows[7], "id": SECRETS[5]}  # a note names the id that is taken
    lines = [json.dumps(r) for r in rows] + [f'{{"question": "{SECRETS[3]}", "ans']
    (folder / "questions.jsonl").write_text("\n".join(lines))
    for i in range(1, 10):
        text = f"# Doc {i}\n\nWrite to {SECRETS[0]}, SSN {SECRETS[3]}.\n\nThe key is {SECRETS[6]}.\n"
        (folder / "docs" / f"doc{i}.md").write_text(text)
    (folder / "docs" / f"{SECRETS[0]}.md").write_text("# Hers\n\nNothing else.\n")
    return Data(examples="questions.jsonl", documents="docs", privacy=Privacy(how="mask"), near_duplicates=1.0)


def written(*roots: Path) -> dict[Path, bytes]:
    """Every file below, and its name, as bytes."""
    found = [p for root in roots for p in root.rglob("*") if p.is_file()]
    return {p: p.read_bytes() + os.fsencode(str(p)) for p in found}


def test_nothing_that_was_found_stands_in_any_file_of_the_prepared_data(tmp_path: Path) -> None:
    data = raw(tmp_path / "raw")
    made = examine(data, tmp_path / "raw", tmp_path / "store")
    assert made.folder is not None
    files = written(tmp_path / "store")
    assert any(p.parent.name == "sealed" for p in files)
    for secret in SECRETS:
        forms = {secret, secret.replace(" ", ""), json.dumps(secret)[1:-1]}
        assert [p.name for p, held in files.items() if any(f.encode() in held for f in forms)] == [], secret
        assert secret not in " ".join(map(str, (*made.problems, *made.notes)))
    loaded = load(made.folder)
    assert loaded.facts["personal"]["found"]["EMAIL"] >= 60
    assert any("were masked" in note for note in loaded.notes)


def test_our_own_words_are_no_names() -> None:
    """Every sentence of an error is said as it is written; what it quotes is not."""
    ours = {"Problem", "UserError", "Refused"}
    shield = Shield(Privacy(how="mask"), b"k" * 16)
    said: list[str] = []
    here = Path(sharpen.__file__).parent / "data"
    for path in {*here.rglob("*.py")} - {*(here / "augmentations").glob("*.py")}:  # these give names as examples
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ours
            if called or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("do", "what", "why")):
                every = (c.value for c in ast.walk(node) if isinstance(c, ast.Constant))
                said += [text for text in every if isinstance(text, str) and " " in text]
    assert len(said) > 200
    assert [text for text in said if shield.said(text) != text] == []
    damaged = "cannot be read (PdfiumError: Failed to load document (PDFium: Data format error).)."
    assert shield.problem(Problem(damaged, "a.pdf", "Mend it.")) == Problem(damaged, "a.pdf", "Mend it.")
    quoted = shield.problem(Problem("its columns (Jane Doe, jane@example.org) are no known shape", "Anna Miller.csv"))
    assert (quoted.what, quoted.where) == ("its columns ([PERSON], [EMAIL]) are no known shape", "[PERSON].csv")


def test_what_is_told_apart_stays_apart(tmp_path: Path) -> None:
    data = raw(tmp_path / "raw")
    plain = load(prepare(data.model_copy(update={"privacy": Privacy()}), tmp_path / "raw", tmp_path / "plain"))
    masked = load(prepare(data, tmp_path / "raw", tmp_path / "masked"))
    for name in ("train", "dev", "test"):
        assert plain.facts[name]["n"] == masked.facts[name]["n"]
    assert plain.facts["test"]["cluster_sizes"] == masked.facts["test"]["cluster_sizes"]
    assert plain.facts["personal"]["how"] == "off"
    assert any("data.privacy" in note and "EMAIL" in note for note in plain.notes)


def test_a_study_writes_none_of_it(tmp_path: Path) -> None:
    data = raw(tmp_path / "raw").model_dump(mode="json")
    use_case = {"version": 1, "name": "hidden", "model": "fake:", "data": data, "embeddings": "fake:"}
    use_case |= {"arms": ["baseline", "few_shot", "retrieve + few_shot"]}
    (tmp_path / "raw" / "usecase.yaml").write_text(json.dumps(use_case))
    report = sharpen.run(tmp_path / "raw" / "usecase.yaml", tmp_path / "out")
    files = written(tmp_path / "out", tmp_path / "raw" / ".sharpen")
    assert report.path / "report.html" in files
    for secret in SECRETS:
        assert [p.name for p, held in files.items() if secret.encode() in held] == [], secret


@pytest.mark.parametrize("how", ["mask", "remove", "pseudonymise"])
def test_given_answers_and_asked_questions_stand_in_no_file(how: str, tmp_path: Path) -> None:
    """Answers are protected as references are, so that the right ones are right; ids still name their questions."""
    data = raw(tmp_path / "raw").model_dump(mode="json")
    data["privacy"]["how"] = how
    ids = [SECRETS[5] if i == 3 else f"{SECRETS[5]}#2" if i == 7 else f"q{i}" for i in range(60)]
    given = [{"id": name, "answer": f"card {SECRETS[1]} number {i}"} for i, name in enumerate(ids)]
    given[11]["answer"] = f"I do not know, ask {SECRETS[4]} or\n{SECRETS[0]}."
    (tmp_path / "raw" / "today.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    use_case = {"version": 1, "name": "hidden", "model": "fake:", "data": data, "embeddings": "fake:"}
    use_case |= {"arms": ["baseline", "retrieve", {"name": "today", "answers": "today.jsonl"}]}
    (tmp_path / "raw" / "usecase.yaml").write_text(json.dumps(use_case))
    report = sharpen.run(tmp_path / "raw" / "usecase.yaml", tmp_path / "out")
    assert report.arm("today")["mean"] > 0.85, "ids and references are found again"
    assert report.arm("today")["n_unjudged"] == 0
    asked = f"What is owed to {SECRETS[2]} by omar@example.net?"
    sharpen.ask(tmp_path / "out", asked, "retrieve")
    files = written(tmp_path / "out", tmp_path / "raw" / ".sharpen")
    assert (tmp_path / "out" / "arms" / "today" / "answers.jsonl") in files
    for secret in (*SECRETS, "omar@example.net", "What is owed"):
        assert [p.name for p, held in files.items() if secret.encode() in held] == [], secret


def test_what_cannot_be_read_of_given_answers_is_said_without_personal_data(tmp_path: Path) -> None:
    data = raw(tmp_path / "raw").model_dump(mode="json")
    twice = json.dumps({"id": SECRETS[0], "answer": "x"}) + "\n"
    (tmp_path / "raw" / "today.jsonl").write_text(2 * twice)
    use_case = {"version": 1, "name": "hidden", "model": "fake:", "data": data, "embeddings": "fake:"}
    use_case |= {"arms": ["baseline", {"name": "today", "answers": "today.jsonl"}]}
    (tmp_path / "raw" / "usecase.yaml").write_text(json.dumps(use_case))
    with pytest.raises(UserError, match=r"a second time") as wrong:
        sharpen.run(tmp_path / "raw" / "usecase.yaml", tmp_path / "out")
    assert SECRETS[0] not in str(wrong.value)


def test_an_answer_that_is_a_class_stays_one(tmp_path: Path) -> None:
    rows = [{"text": f"what now {i}", "label": ("Ines Okafor" if i % 2 else "other"), "id": str(i)} for i in range(60)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    today = [{"id": r["id"], "answer": r["label"]} for r in rows]
    (tmp_path / "today.jsonl").write_text("".join(json.dumps(r) + "\n" for r in today))
    data = {"examples": "rows.jsonl", "split": {"by": "row"}, "privacy": {"how": "mask"}, "near_duplicates": 1.0}
    use_case = {"version": 1, "name": "x", "task": "classification", "model": "fake:", "embeddings": "fake:"}
    use_case |= {"data": data, "arms": ["baseline", {"name": "today", "answers": "today.jsonl"}]}
    (tmp_path / "usecase.yaml").write_text(json.dumps(use_case))
    assert sharpen.run(tmp_path / "usecase.yaml", tmp_path / "out").arm("today")["mean"] == 1.0


def test_the_key_makes_the_pseudonyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARPEN_PRIVACY_KEY", raising=False)
    key = key_of(tmp_path)
    assert key == key_of(tmp_path)
    assert stat.S_IMODE((tmp_path / "privacy.key").stat().st_mode) == 0o600
    text = f"Ask {SECRETS[0]} or {SECRETS[0]}, not {SECRETS[4]}."
    one, again, other = (shield("pseudonymise", k).text(text) for k in (key, key, KEY))
    assert one == again != other
    first, second, third = (w.strip(".,") for w in one.split() if "@" in w)
    assert first == second != third
    monkeypatch.setenv("SHARPEN_PRIVACY_KEY", "short")
    with pytest.raises(UserError, match="too short"):
        key_of(tmp_path)
    monkeypatch.setenv("SHARPEN_PRIVACY_KEY", "long enough to be one")
    assert key_of(tmp_path) == b"long enough to be one"


WORDS = st.sampled_from(["the", "fee", "is", "due", SECRETS[0], SECRETS[4], "Monday", "9 EUR", "\n\n", "of"])


@given(st.lists(WORDS, min_size=1, max_size=14), st.data())
def test_spans_move_with_what_they_mark(said: list[str], data: st.DataObject) -> None:
    """A span that cuts nothing that was replaced marks the same words afterwards, those of it replaced too."""
    text = " ".join(said)
    first = data.draw(st.integers(0, len(said) - 1))
    last = data.draw(st.integers(first, len(said) - 1))
    start = len(" ".join(said[:first])) + (1 if first else 0)
    end = len(" ".join(said[: last + 1]))
    made = protect(
        [Example("q", (Message("user", "?"),), gold=(Span("d", start, end),))], [Document("d", text)], shield()
    )
    (gold,) = made.examples[0].gold
    expected = text[start:end]
    for secret in (SECRETS[0], SECRETS[4]):
        expected = expected.replace(secret, "[EMAIL]")
    assert made.documents[0].text[gold.start : gold.end] == expected


def test_a_span_that_cuts_into_something_takes_all_of_its_replacement() -> None:
    text = f"Write to {SECRETS[0]} now."
    at = text.index("okafor")
    made = protect(
        [Example("q", (Message("user", "?"),), gold=(Span("d", at, at + 6),))], [Document("d", text)], shield()
    )
    (gold,) = made.examples[0].gold
    assert made.documents[0].text[gold.start : gold.end] == "[EMAIL]"


def test_names_alone_are_no_reason_to_say_anything() -> None:
    people = [Example("q", (Message("user", "When was Nikola Tesla born?"),), ("1856",))]
    assert look(people, [])[1] == ""
    found, said = look([], [Document("d", f"Write to {SECRETS[0]}.")])
    assert found["EMAIL"] == 1
    assert "1 EMAIL" in said
    assert SECRETS[0] not in said


def test_only_the_types_that_are_named(tmp_path: Path) -> None:
    only = Shield(Privacy(how="mask", types=("CARD",)), KEY)
    assert only.text(f"{SECRETS[0]} {SECRETS[1]}") == f"{SECRETS[0]} [CARD]"
    data = raw(tmp_path / "raw").model_copy(update={"privacy": Privacy(how="mask", types=("NONSENSE",))})
    made = examine(data, tmp_path / "raw", tmp_path / "store")
    assert made.folder is None
    assert any("no recogniser knows the type 'NONSENSE'" in str(p) for p in made.problems)

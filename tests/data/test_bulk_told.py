"""``sharpen data clean``: pseudonyms, what was masked, cleaners with options and files of texts, scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sharpen.data.bulk import Asked, Steps, clean_files, read_steps
from sharpen.errors import UserError

ABOUT = [f"The van brings parcel {n} to the customer in the morning." for n in range(12)]


@pytest.fixture
def given(tmp_path: Path) -> Path:
    here = tmp_path / "given"
    here.mkdir()
    for n in range(2):
        (here / f"{n}.md").write_text(f"# Page {n}\n\nWrite to ada@example.org or bob{n}@example.org about a parcel.\n")
    return here


def test_pseudonyms_are_the_same_everywhere_and_counted(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARPEN_HOME", raising=False)
    texts = []
    for name, workers in (("one", 1), ("two", 2)):
        out = given.parent / name
        made = clean_files([given], out, Asked(Steps(privacy="pseudonymise"), workers=workers))
        assert made.facts["personal"] == {"EMAIL": 4}
        assert "personal data and secrets pseudonymised: 4 EMAIL" in str(made)
        assert not list(out.rglob("*.key"))
        texts.append([(out / "kept" / "documents" / f"{n}.md").read_text() for n in range(2)])
    assert texts[0] == texts[1]
    first, second = (text.split("Write to ")[1].split(" ")[0] for text in texts[0])
    assert first == second != "ada@example.org"
    assert "@" in first
    monkeypatch.setenv("SHARPEN_PRIVACY_KEY", "another key of 16 letters")
    made = clean_files([given], given.parent / "one", Asked(Steps(privacy="pseudonymise")))
    assert first not in (given.parent / "one" / "kept" / "documents" / "0.md").read_text()


def test_what_was_masked_is_counted(given: Path) -> None:
    made = clean_files([given], given.parent / "out", Asked(Steps(privacy="mask")))
    report = json.loads((given.parent / "out" / "report.json").read_text())
    assert report["personal"] == {"EMAIL": 4}
    assert "personal data and secrets masked: 4 EMAIL" in str(made)


def test_relevance_is_told_by_a_file_and_scores_are_written(given: Path) -> None:
    (given / "cake.md").write_text("Whisk butter with sugar until golden, and fold flour into it.\n")
    for n in range(4):
        (given / f"van{n}.md").write_text(f"{ABOUT[n]} Street {n}{n}.\n")
    about = given.parent / "about.txt"
    about.write_text("\n".join(ABOUT))
    with pytest.raises(UserError, match=r"does not know what the task is about.*about='FILE'"):
        read_steps(named=["relevance"])
    steps = read_steps(named=["encoding", f"relevance(about={str(about)!r}, least=0.2)"])
    out = given.parent / "out"
    made = clean_files([given], out, Asked(steps))
    kept = {p.name for p in (out / "kept" / "documents").iterdir()}
    assert kept >= {f"van{n}.md" for n in range(4)}
    assert "cake.md" not in kept
    scores = [json.loads(text) for text in (out / "scores.jsonl").read_text().splitlines()]
    assert {s["file"] for s in scores} == kept
    assert all(s["cleaner"] == "relevance" and s["score"] >= 0.2 for s in scores)
    assert f"{len(scores)} scores of what was kept" in str(made)
    begun = made.facts["run"]
    assert clean_files([given], out, Asked(steps)).facts["run"] == begun  # nothing is done again
    about.write_text("\n".join([*ABOUT, "Whisk butter with sugar and flour until golden."]))
    clean_files([given], out, Asked(steps))
    assert (out / "kept" / "documents" / "cake.md").exists()  # another text, another result


def test_a_file_of_texts_stands_beside_the_file_of_steps(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("\n".join(ABOUT))
    file = tmp_path / "steps.yaml"
    file.write_text("rows: {cleaners: {classifier: {good: good.txt}}}")
    assert read_steps(file).rows.cleaners["classifier"]["good"] == str(tmp_path / "good.txt")
    for wrong in ("a + b", "baseline"):
        with pytest.raises(UserError, match="is not one cleaner"):
            read_steps(named=[wrong])

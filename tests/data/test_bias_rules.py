"""Rules about people: offensive words dropped or flagged, neutral words suggested, a probe set of one's own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sharpen.data.asked import KINDS, asked_of
from sharpen.data.bias import OFFENSIVE, probes
from sharpen.data.cleaning import clean
from sharpen.data.probe_sets import read_probes
from sharpen.data.tidying import Tidied, tidy_rows
from sharpen.errors import UserError
from sharpen.inputs import Clean, Duplicates
from sharpen.types import Example, Message

ASKED = [
    "Where is my card?",
    "Your chairman is an idiot.",
    "Damn, you idiots lost it.",
    "Ask a policewoman or FIREMEN.",
]


def rows() -> list[Example]:
    return [Example(str(i), (Message("user", t),), ("yes",)) for i, t in enumerate(ASKED)]


def test_offensive_texts_are_dropped_by_kind_and_counted() -> None:
    made = clean(ASKED, ["offensive"])
    assert [r["text"] for r in made.kept] == [ASKED[0], ASKED[3]]
    assert made.counts == {"offensive.insult": 2, "offensive.profanity": 1, "offensive.slur": 0}
    assert [g.reason for g in made.dropped] == [
        "holds words of the list: insult",
        "holds words of the list: insult, profanity",
    ]
    assert not any(w in g.reason.split() for g in made.dropped for w in OFFENSIVE["insult"]), "reasons repeat no insult"
    off = clean(ASKED, {"offensive": {"off": ["insult"]}})
    assert [g.at for g in off.dropped] == [2]


def test_flagged_rows_stay_and_are_on_record() -> None:
    into = Tidied()
    said = Clean(questions=("offensive(flag=True)", "neutral"), answers=("offensive(flag=True)",))
    asked = asked_of(said, dict.fromkeys(KINDS, ("the task",)), Path())
    kept = tidy_rows(rows(), asked, Duplicates(), {}, 0.8, into, {})
    assert [e.question for e in kept] == ASKED
    assert into.counts["questions.offensive.insult"] == 2
    assert into.counts["questions.neutral.suggested"] == 2
    assert [(s.id, s.by, s.rule, s.did) for s in into.steps if s.by == "cleaner neutral"] == [
        ("1", "cleaner neutral", "suggested", "flagged"),
        ("3", "cleaner neutral", "suggested", "flagged"),
    ]
    shown = into.changes["questions.neutral.suggested"]
    assert (shown[0].before, shown[0].after) == (ASKED[1], "Your chair is an idiot.")
    assert shown[1].after == "Ask a police officer or FIREFIGHTERS."


def test_an_option_that_is_none_is_said() -> None:
    with pytest.raises(UserError, match="the option flag is 'yes'"):
        clean([], {"offensive": {"flag": "yes"}})
    with pytest.raises(UserError, match="the option words is"):
        clean([], {"neutral": {"words": {"layman": 3}}})
    assert clean(["A layman asks."], {"neutral": {"words": {"layman": "reader"}}}).changes["neutral.suggested"]


def test_pairs_and_templates_name_groups(tmp_path: Path) -> None:
    file = tmp_path / "probes.jsonl"
    made = [{"one": f"The nurse said {i}.", "other": f"The nurses said {i}.", "family": "jobs"} for i in range(2)]
    made += [{"one": f"Renters are {x}.", "other": f"Owners are {x}.", "family": "tenure"} for x in ("loud", "calm")]
    made += [{"template": "A {group} asks.", "groups": ["Rover", "Walker"], "family": "town"}]
    made += [{"one": "Two words.", "other": "Here are three.", "family": "tenure"}]
    file.write_text("".join(json.dumps(r) + "\n" for r in made))
    found = read_probes(file)
    assert found.families == {
        "tenure": {"owners": frozenset({"owners"}), "renters": frozenset({"renters"})},
        "town": {"rover": frozenset({"rover"}), "walker": frozenset({"walker"})},
    }
    assert (found.rows, found.used) == (6, 5)
    asked = [Example(str(i), (Message("user", f"Do {w} pay?"),)) for i, w in enumerate(["renters"] * 3 + ["owners"])]
    assert probes(asked, (), found.families)["groups"]["tenure"] == [
        {"group": "renters", "n": 3, "share": 0.75},
        {"group": "owners", "n": 1, "share": 0.25},
    ]


def test_classes_are_compared_over_groups_of_ones_own() -> None:
    own = {"tenure": {"renters": frozenset({"renter"}), "owners": frozenset({"owner"})}}
    asked = [
        Example(str(i), (Message("user", f"A {who} asks"),), labels=("no" if k else "yes",))
        for who, refused in (("renter", 18), ("owner", 2))
        for i, k in enumerate([True] * refused + [False] * (20 - refused))
    ]
    (rate,) = [r for r in probes(asked, (), own)["rates"] if r["label"] == "no"]
    assert (rate["family"], rate["low"]["group"], rate["ratio"], rate["shown"]) == ("tenure", "owners", 0.1111, True)


def test_what_is_no_probe_set_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,answer\nWhy?,Because\n")
    with pytest.raises(UserError, match=r"no two groups are told apart by its 1 rows \(line 2\)"):
        read_probes(tmp_path / "a.csv")
    (tmp_path / "a.md").write_text("# No\n")
    with pytest.raises(UserError, match="no table of rows"):
        read_probes(tmp_path / "a.md")
    with pytest.raises(UserError, match="no such file"):
        read_probes(tmp_path / "nowhere.csv")


@pytest.mark.skipif("SHARPEN_DATA" not in os.environ, reason="SHARPEN_DATA is not set")
def test_crows_pairs_can_be_read() -> None:
    file = Path(os.environ["SHARPEN_DATA"], "crows_pairs", "crows_pairs_anonymized.csv")
    if not file.exists():
        pytest.skip("crows_pairs is not here")
    found = read_probes(file)
    assert found.rows == 1508
    assert len(found.families) == 9, "its nine types"
    assert {"poor", "rich"} <= set(found.families["socioeconomic"])
    assert {"muslim", "christian"} <= set(found.families["religion"])

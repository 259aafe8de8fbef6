"""Programs of several calls as arms of a study: what the report and the page say of their calls."""

from __future__ import annotations

from pathlib import Path

import sharpen

CHAINED = "'chain(max_new_tokens=20) + structured(retries=1, examples=0)'"
ARMS = f"arms=[baseline, {CHAINED}, \"reason(ask='Think.') + vote(n=3)\"]"
METRICS = "metrics=[exact_match, valid_json, 'within_words(words=3)']"


def test_the_report_shows_the_calls_the_form_and_what_was_written(towns: Path) -> None:
    report = sharpen.run(towns, settings=[ARMS, METRICS])
    plain, chained, voted = report["arms"]
    assert (plain["calls_per_answer"], plain["valid"], plain["n_refused"]) == (1, None, 0)
    assert (chained["calls_per_answer"], chained["valid"]) == (3, 0), "the fake model writes no JSON, asked twice"
    assert (voted["calls_per_answer"], voted["valid"]) == (6, None)
    assert report["metrics"] == ["exact_match", "valid_json", "within_words"]
    assert plain["scores"]["within_words"] == 0, "I think that the answer is"
    wrote = report["examples"][0]["wrote"]
    assert [w["what"] for w in wrote[chained["name"]]] == ["facts"]
    assert [w["what"] for w in wrote[voted["name"]]] == ["thoughts", "votes for it"]
    assert plain["name"] not in wrote
    page = (report.path / "report.html").read_text()
    assert "What was written before the answers" in page
    assert "calls an answer" in page
    assert "keeps schema" in page
    assert ">refused<" not in page

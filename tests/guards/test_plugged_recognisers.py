"""A recogniser of another package: asked like ours, and named where it fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sharpen import parts
from sharpen.errors import PluginError
from sharpen.guards import all_recognisers, find

CODE = """
from sharpen.guards import Finding, Recogniser

def staff_number():
    def find(text):
        at = text.find("S-")
        if "broken" in text:
            raise ValueError("no luck")
        if "outside" in text:
            return [Finding("STAFF", 0, 10_000)]
        return [Finding("STAFF", at, at + 6)] if at >= 0 else []
    return Recogniser(("STAFF",), find)
"""


@pytest.fixture
def plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "acme_staff.py").write_text(CODE)
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sharpen.recogniser]\nstaff_number = acme_staff:staff_number\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    parts.all_parts.cache_clear()
    all_recognisers.cache_clear()
    yield
    sys.modules.pop("acme_staff", None)
    monkeypatch.undo()
    parts.all_parts.cache_clear()
    all_recognisers.cache_clear()


@pytest.mark.usefixtures("plugged")
def test_it_is_asked() -> None:
    assert [(f.type, f.start, f.end) for f in find("see S-1234 now")] == [("STAFF", 4, 10)]


@pytest.mark.usefixtures("plugged")
@pytest.mark.parametrize(("text", "said"), [("broken", "no luck"), ("outside", "a finding from 0 to 10000")])
def test_its_failures_bear_its_name(text: str, said: str) -> None:
    with pytest.raises(PluginError, match=rf"recogniser staff_number \(from acme\) failed with ValueError: {said}"):
        find(text)

"""The page of a data set: one self-contained file that says what is in it, what was dropped and what to look at."""

from __future__ import annotations

from sharpen.data.page.doubts import doubts, label_of, sheet
from sharpen.data.page.gate import gate, standing, thresholds_of, unfit
from sharpen.data.page.obeying import obeyed
from sharpen.data.page.profile import brief, profile
from sharpen.data.page.rendering import first_remarks, remarks, render, render_shelf
from sharpen.data.page.shelf import shelf

__all__ = [
    "brief",
    "doubts",
    "first_remarks",
    "gate",
    "label_of",
    "obeyed",
    "profile",
    "remarks",
    "render",
    "render_shelf",
    "sheet",
    "shelf",
    "standing",
    "thresholds_of",
    "unfit",
]

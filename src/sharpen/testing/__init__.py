"""For authors of parts: a tiny bench on the fake model, and the contracts that every part keeps.

``check_technique("./mine.py")`` in a test of your own says in a sentence what your technique breaks. Our own suites
call the same functions.
"""

from __future__ import annotations

from sharpen.testing.contracts import check_floor, check_metric, check_model, check_technique
from sharpen.testing.tiny import TASKS, tiny_bench, tiny_documents, tiny_examples

__all__ = [
    "TASKS",
    "check_floor",
    "check_metric",
    "check_model",
    "check_technique",
    "tiny_bench",
    "tiny_documents",
    "tiny_examples",
]

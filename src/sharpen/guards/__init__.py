"""What must not leave: personal data and secrets found in texts, and masked, removed or pseudonymised.

``protect(text, how, key) -> (text, findings)`` is the one call; ``protect_all`` takes many texts, ``protect_record``
nested data as JSON holds it. ``find(text) -> findings`` only looks. Recognisers are parts: one file each in
``guards/recognisers``, others by the entry-point group ``sharpen.recogniser``.
"""

from __future__ import annotations

from sharpen.guards.finding import all_recognisers, find
from sharpen.guards.findings import Finding, Recogniser
from sharpen.guards.masking import HOWS, Protector, protect, protect_all, protect_record

__all__ = [
    "HOWS",
    "Finding",
    "Protector",
    "Recogniser",
    "all_recognisers",
    "find",
    "protect",
    "protect_all",
    "protect_record",
]  # fmt: skip

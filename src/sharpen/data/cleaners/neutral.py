"""Words for a job or a person that name a gender without need: flagged, with a neutral word suggested.

No text is changed: whether "chairman" is a title, a quotation or a habit only a person can say. Texts with a suggestion
are counted, and the first of them stand among the changes that the report shows. The words are English, after the
United Nations' guidelines for gender-inclusive language (2019).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sharpen.data.augmenting import matched
from sharpen.data.cleaning import Outcome, TextCleaner
from sharpen.errors import UserError

JOBS = {  # -man, -men, -woman and -women alike: one, and several
    "chair": ("chair", "chairs"),
    "police": ("police officer", "police officers"),
    "fire": ("firefighter", "firefighters"),
    "sales": ("salesperson", "salespeople"),
    "spokes": ("spokesperson", "spokespeople"),
    "business": ("business person", "business people"),
    "congress": ("member of Congress", "members of Congress"),
    "camera": ("camera operator", "camera operators"),
    "crafts": ("artisan", "artisans"),
    "trades": ("tradesperson", "tradespeople"),
    "service": ("service member", "service members"),
    "weather": ("weather reporter", "weather reporters"),
    "lay": ("layperson", "laypeople"),
    "mail": ("mail carrier", "mail carriers"),
    "post": ("postal worker", "postal workers"),
    "fore": ("supervisor", "supervisors"),
    "middle": ("intermediary", "intermediaries"),
    "anchor": ("anchor", "anchors"),
}
OTHERS = {
    "mankind": "humankind",
    "manpower": "staff",
    "man-made": "artificial",
    "manmade": "artificial",
    "manned": "crewed",
    "unmanned": "uncrewed",
    "stewardess": "flight attendant",
    "stewardesses": "flight attendants",
    "housewife": "homemaker",
    "housewives": "homemakers",
    "actress": "actor",
    "actresses": "actors",
    "waitress": "server",
    "waitresses": "servers",
    "hostess": "host",
    "hostesses": "hosts",
    "heroine": "hero",
    "heroines": "heroes",
    "forefathers": "ancestors",
    "he/she": "they",
    "his/her": "their",
}
SUGGESTED: Mapping[str, str] = OTHERS | {
    job + ending: said[ending.endswith("en")]
    for job, said in JOBS.items()
    for ending in ("man", "men", "woman", "women")
}


def neutral(words: Mapping[str, str] | None = None) -> TextCleaner:
    """Return the cleaner; ``words``: more of them, or others, each with what is suggested: {layman: lay reader}."""
    if not all(isinstance(w, str) and w.strip() for pair in (words or {}).items() for w in pair):
        raise UserError(f"the option words is {words!r}.", "cleaner neutral", "Write: {layman: lay reader}.")
    known = {**SUGGESTED, **{w.lower(): said for w, said in (words or {}).items()}}
    listed = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    pattern = re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.I)

    def one(text: str) -> Outcome:
        said = pattern.sub(lambda m: matched(known[m[0].lower()], m[0]), text)
        return Outcome(text) if said == text else Outcome(text, ("suggested",), said=said)

    return TextCleaner(("suggested",), lambda texts: [one(t) for t in texts])

"""Lines of web pages and files that belong to no text: cookie notices, navigation, page numbers, legal footers.

Lines are taken out one by one, texts stay; a text that was nothing else is dropped. Rules know English, German, French
and Spanish phrases. Whatever is repeated over many documents is found in any language by
``sharpen.data.alike.RepeatedSentences``. A long line is never taken for boilerplate: 40 words are the most.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sharpen.data.cleaning import Outcome, TextCleaner, without

_PHRASES = {
    "cookies": r"(accept|reject|manage|allow|akzeptier\w{1,4}|accepte\w{0,2}|acepta\w{0,2})\W{1,3}"
    r"((all|alle|tous|todas|the|les|las)\W{1,3}){0,2}cookies"
    r"|(uses?|using|verwende[nt]|utilis\w{1,4}|utiliza\w{0,3}|usamos)\W{1,3}(\w{1,12}\W{1,3})?cookies"
    r"|cookie (settings|policy|preferences|notice)|cookie-(einstellungen|richtlinie)",
    "javascript": r"(enable|turn on|activate|requires?|aktivieren sie|activer|active)\W{1,3}(\w{1,12}\W{1,3})?"
    r"javascript|javascript (is|must be|needs to be) (disabled|enabled|turned)",
    "rights": r"all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados"
    r"|^\W{0,3}(copyright|\(c\)|©)\W{0,3}(\(c\)|©)?\W{0,3}\d{4}\b.{0,80}$",
    "policy": r"^\W{0,3}(terms (of|and) (use|service|conditions)|privacy (policy|notice)|terms & conditions|impressum|"
    r"datenschutz(erklärung)?|mentions légales|aviso legal|política de privacidad)\W{0,3}$",
    "sharing": r"^\W{0,3}(share|tweet|follow us|like us|teilen|partager|compartir)( this)?( page| article| post)?"
    r"( (on|via|auf|sur|en) [\w .]{2,30})?\W{0,3}$"
    r"|^\W{0,3}(sign up|subscribe) (for|to) (our|the) newsletter\b.{0,60}$",
    "navigation": r"^\W{0,3}(skip to (main )?content|back to top|read more|learn more|click here|home|menu|search|"
    r"log ?in|sign in|sign up|next|previous|weiterlesen|mehr erfahren|nach oben|lire la suite|leer más|"
    r"print( page)?)\W{0,4}$",
    "page_number": r"^\W{0,3}(page|seite|página|p\.)\W{0,2}\d{1,5}(\W{0,2}(of|von|de|sur|/)\W{0,2}\d{1,5})?\W{0,3}$"
    r"|^\W{0,3}\d{1,4} ?(/|of|von) ?\d{1,4}\W{0,3}$",
}
RULES = (*_PHRASES, "menu")
_FOUND = {name: re.compile(phrase, re.I) for name, phrase in _PHRASES.items()}
_ANY = re.compile("|".join(f"(?:{p})" for p in _PHRASES.values()), re.I)
_BARS = re.compile(r" ?[|»›•·>] ?")
LONGEST = 300


def boilerplate(off: Sequence[str] = ()) -> TextCleaner:
    """Return the cleaner; ``off`` are rules that are not applied."""
    on = without(RULES, off, "boilerplate")
    return TextCleaner(on, lambda texts: [_one(t, on) for t in texts])


def _one(text: str, on: Sequence[str]) -> Outcome:
    rules: list[str] = []
    kept = []
    for line in text.split("\n"):
        rule = _rule(line.strip(), on)
        if rule:
            rules.append(rule)
        else:
            kept.append(line)
    if not rules:
        return Outcome(text)
    made = "\n".join(kept)
    named = tuple(dict.fromkeys(rules))
    if not made.strip():
        return Outcome(None, named, f"all its lines are boilerplate, the first is one of {rules[0]}")
    return Outcome(made, named)


def _rule(line: str, on: Sequence[str]) -> str:
    """The rule that takes a line out, or nothing."""
    if not line or len(line) > LONGEST:
        return ""
    if "menu" in on:
        parts = _BARS.split(line)
        if len(parts) >= 4 and all(len(p) <= 30 and len(p.split()) <= 3 for p in parts) and not _tabular(line, parts):
            return "menu"
    if len(line.split()) <= 40 and _ANY.search(line):
        return next((name for name in on if name in _FOUND and _FOUND[name].search(line)), "")
    return ""


def _tabular(line: str, parts: Sequence[str]) -> bool:
    """A row of a table is no menu: it has figures, or bars at its ends."""
    return line.startswith("|") or line.endswith("|") or any(any(c.isdigit() for c in p) for p in parts)

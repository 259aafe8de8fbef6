"""Names of persons, by a list of given and family names, capital letters, and the words around them.

A run of capitalised words is cut at common English words; what is left is weighed: words on the list, initials,
endings that family names have in many languages, a title or a phrase such as "my name is" before it, a verb of saying
after it, against towns, companies and streets. Names in lower case count after such phrases, and in texts that have no
capital at all. A part of a name found once is found again in the same text. Not covered: other scripts than Latin
without a phrase before the name, nicknames, and names that are common words and stand alone.

The list's sources and licences are in ``sharpen.guards.lexicon``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.guards.findings import Finding, Recogniser
from sharpen.guards.lexicon import FAMILY, GIVEN, PLACE, WORD, fold, lexicon
from sharpen.guards.vocabulary import COMPANY, NOT_NAMES, TITLES

TYPES = ("PERSON",)
NAME = GIVEN | FAMILY
UPPER = "".join(chr(c) for c in range(0x530) if chr(c).isupper())
TOKEN = rf"[{UPPER}][^\W\d_]*(?:[-'’][^\W\d_]+)*"
PARTICLES = "van|von|der|den|de|del|della|di|da|dos|das|do|du|la|le|el|al|bin|ibn|ben|ter|ten|zu|af|av|y|e"
RUN = re.compile(rf"(?<![\w@/\\.])(?<![\w]['’-]){TOKEN}\.?(?:[ \u00a0](?:(?:{PARTICLES}) ){{0,2}}{TOKEN}\.?)*")
WORDS = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
ENDINGS = re.compile(
    r".{2,}(?:ov|ova|ev|eva|yev|yeva|in[ao]v|enko|chuk|ski|ska|sky|skaya|wicz|vich|vic|ic|icz|ssen|sen|sson|dottir|nen|"
    r"ova|kova|ak|ek|uk|yan|ian|dze|shvili|poulos|akis|idis|escu|oglu|zadeh|son|mann|berg|strom|lund|gren|qvist|quist|"
    r"stein|feld|burg|ez|eira|inho|elli|etti|ucci|ini|ano|ard|sma|stra|aitis|auskas|iene|ans|ins)$"
)
SURE = re.compile(
    r"(?:\b(?:(?:my|your|his|her|their|full|first|last|maiden|user|partner'?s|customer|contact|patient|"
    r"account holder) ?name"
    r"(?: is|'s| was)?|name(?: is|d)|names? ?[:=]|named?|called|calls? me|call(?:ing|ed)? (?:for|him|her)|i am|"
    r"i[’']m|this is|"
    r"dear|hi|hello|hey|regards|sincerely|cheers|best wishes|yours truly|signed|attn|attention|c/o|beneficiary|"
    r"directed by|written by|speak (?:to|with)|follow up with|talk(?:ed)? to|met with|"
    r"brother|sister|father|mother|wife|husband|son|daughter|kid|child|partner|friend|uncle|aunt|cousin|boss|colleague|"
    r"mr|mrs|ms|dr|prof|doctor|nurse|producer|singer|actor|actress|author|director|president|senator|minister|player|officer|judge|"
    r"songwriter|composer|artist)|name\?)[,:.!]{0,2} {0,6}(?:user: ?)?\"?$",
    re.I,
)
LIKELY = re.compile(
    r"\b(?:by|with|said|says|told|asked|under|and|or|as|when|that|because|but|if|me|starring|than|not)[,:]? ?\"?$", re.I
)
SAYS = re.compile(
    r"(?:, [^.,\n]{1,40},)? (?:said|says|asked|told|shouted|replied|wrote|explained|added|lives|had given|"
    r"began)\b|: [\"A-Z]"
)
SPEAKS = re.compile(
    r"(?:['’]s\b|(?:, [^.,\n]{1,40},)? ?(?:said|says|asked|told|shouted|replied|wrote|writes|explained|added|lives|"
    r"lived|"
    r"works|worked|had|has|was|is|began|flew|went|came|grew|spent|called|thinks|thought|wants|likes|loves|who)\b|"
    r" ?\(\d\d|: ?\S|[,;]? and (?=[A-Z]))",
)
AT = re.compile(
    r"\b(?:in|at|from|near|visit(?:ed)?|around|across|through|outside|within|towards?|into|via|founded|joined|"
    r"support)[ \n]$",
    re.I,
)
SOFT = re.compile(r"\b(?:of|to|for|the|on|before|after)[ \n]$", re.I)
LIVES = re.compile(
    r"\b(?:lives? in|live in|living in|moved to|born in|travel(?:ling|ing)? to|flew to|based in|originally from|"
    r"here from|"
    r"(?:work(?:s|ed|ing)?|office) (?:for|at|of)|arrived (?:at|in)|where:|city:|country:|grew up in|trip to)[ \n]$",
    re.I,
)
NUMBERED = re.compile(r",? (?:\d|[Ss]t\b|[Ss]tr\b)")
BLOCK = re.compile(r"(?:\d[ ,.]{0,3}\n[\W_]{0,6}|\b(?:apt|suite|unit|box)\.? \d{1,6}[ ,]{1,2}|\d,?[ ])$", re.I)
KINDS = "|".join(written for word in sorted(COMPANY) for written in (word.title(), word.upper()))
COMPANIES = re.compile(rf"(?: (?:&|and|[{UPPER}][\w-]*)){{0,2}},? (?:{KINDS})\b")
LOWER = re.compile(
    r"\b(?:name is|name's|named|calls? me|maiden name is|mr|mrs|ms|dr|i am|i'm)\.? ([^\W\d_]{2,20})"
    r"(?: ([^\W\d_]{2,20}))?", re.I
)  # fmt: skip


def person(least: float = 1.2) -> Recogniser:
    """Return the recogniser; ``least`` is the weight from which a run of words is a name: less finds more."""
    return Recogniser(TYPES, lambda text: _find(text, least))


def known(word: str) -> int:
    """What a word is known as, hyphenated ones by all their parts."""
    names = lexicon()
    whole = names.get(word)
    if CONTRACTED.search(word):
        return WORD
    if whole is not None or not ("-" in word or "'" in word or "’" in word):
        return whole or 0
    kinds = [names.get(part, 0) for part in re.split(r"[-'’]", word) if len(part) > 1]
    return kinds[0] & (kinds[-1] | WORD) if kinds else 0


CONTRACTED = re.compile(r"['’](?:m|d|ve|ll|re|t|mon|all|em)$")


class Word:
    """A capitalised word of a run: where it is, and what it may be."""

    __slots__ = ("end", "initial", "kind", "plain", "start", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end
        self.plain = fold(text)
        self.initial = len(text) == 1
        self.kind = known(self.plain)

    @property
    def nameable(self) -> bool:
        """Whether it may belong to a name."""
        if self.plain in NOT_NAMES or self.plain in COMPANY or self.plain in TITLES:
            return False
        return self.initial or bool(self.kind & NAME) or not self.kind & WORD

    @property
    def weight(self) -> float:
        """How much it speaks for a name by itself."""
        if self.initial:
            return 0.3
        if self.text.isupper() and (len(self.text) < 4 or not self.kind & NAME):
            return -0.6
        if self.kind & NAME:
            w = 0.9 if self.text.isupper() else 1.5 if self.kind & GIVEN else 1.2
            if self.kind & WORD:
                return 0.5
            return w - 0.4 if self.kind & PLACE and not self.kind & GIVEN else w
        if self.kind & PLACE:
            return -0.5
        return 1.0 if ENDINGS.match(self.plain) else 0.4


def _find(text: str, least: float) -> Iterator[Finding]:
    found: set[str] = set()
    doubtful: list[tuple[int, int, str]] = []
    for run in RUN.finditer(text):
        for words, before, after in _candidates(text, run):
            score = _weigh(text, words, before, after)
            start, end = words[0].start, words[-1].end
            if score >= least:
                found.update(w.plain for w in words if len(w.plain) > 2 and not w.kind & WORD)
                yield Finding("PERSON", start, end, round(min(0.9, 0.4 + score / 8), 2))
            elif any(len(w.plain) > 2 for w in words):
                doubtful.append((start, end, words[0].plain if len(words) == 1 else words[-1].plain))
    for start, end, plain in doubtful:
        if plain in found:
            yield Finding("PERSON", start, end, 0.5)
    yield from _lower(text)


def _candidates(text: str, run: re.Match[str]) -> Iterator[tuple[list[Word], str, str]]:
    """Cut a run into what may be names: (words, kind of what stands before, kind of what stands after)."""
    held: list[Word] = []
    before = ""
    previous_end = run.start()
    for m in WORDS.finditer(text, run.start(), run.end()):
        raw, start, end = m[0], m.start(), m.end()
        if raw[-2:] in ("'s", "’s"):
            raw, end = raw[:-2], end - 2
        word = Word(raw, start, end)
        sentence = held and text[previous_end : previous_end + 1] == "." and not held[-1].initial
        particle = raw[0].islower()
        named = word.nameable or (held and held[-1].text[0].islower() and word.plain not in NOT_NAMES)
        if sentence or not (particle or named):
            if held and (held := _without_particles(held)):
                yield held, before, "" if sentence else word.plain
            held, before = [], word.plain
            if not sentence or not named:
                previous_end = m.end()
                continue
            before = ""
        if not particle or held:
            held.append(word)
        previous_end = m.end()
        if end < m.end():  # after a possessive a name ends
            yield held, before, ""
            held, before = [], ""
    if held := _without_particles(held):
        yield held, before, ""


def _without_particles(words: list[Word]) -> list[Word]:
    """Words without those in lower case at their end."""
    end = len(words)
    while end and words[end - 1].text[0].islower():
        end -= 1
    return words[:end]


def _weigh(text: str, words: list[Word], before: str, after: str) -> float:
    """How much speaks for a candidate being a person's name."""
    titled = before in TITLES
    if (words[0].initial and len(words) == 1) or all(w.initial for w in words) or (after in COMPANY and not titled):
        return 0.0
    full = [w for w in words if not w.initial and w.text[0].isupper()]
    start, end = words[0].start, words[-1].end
    left, right = text[max(0, start - 48) : start], text[end : end + 48]
    if not titled and (len(full) > 4 or BLOCK.search(left) or NUMBERED.match(right)):
        return 0.0
    if not titled and COMPANIES.match(right):
        return 0.0
    weights = sorted((w.weight for w in full), reverse=True)[:2]
    score = sum(max(w, 0.2) for w in weights) if full[0].kind & GIVEN and not full[0].kind & WORD else sum(weights)
    score += 0.8 * any(w.initial for w in words[1:])
    if titled:
        return score + 2
    if before:
        left = left.rstrip() + " "
    if SURE.search(left):
        return score + 1.2
    names = sum(bool(w.kind & NAME) for w in full)
    if len(full) > 1 and not names and not any(w.initial for w in words):
        score -= 0.3
    if LIVES.search(left):
        score -= 1.2 if len(full) == 1 else 0.4
    elif AT.search(left):
        score -= 0.5 if len(full) == 1 else 0.1
    elif SOFT.search(left):
        score -= 0.25 if len(full) == 1 else 0.0
    elif LIKELY.search(left):
        score += 0.3
    if SAYS.match(right):
        score += 0.8
    elif SPEAKS.match(right):
        score += 0.4
    return score


def _lower(text: str) -> Iterator[Finding]:
    """Names in lower case: after a phrase, and in texts without any capital."""
    for m in LOWER.finditer(text):
        for g in (1, 2):
            word = m[g]
            if not word or word[0].isupper() or not _unusual(fold(word)):
                break
            yield Finding("PERSON", m.start(g), m.end(g), 0.6)
    if text.islower():
        at = 0
        for line in text.split("\n"):
            yield from _lower_line(line, at)
            at += len(line) + 1


def _unusual(plain: str) -> bool:
    kind = known(plain)
    return plain not in NOT_NAMES and not kind & WORD and (bool(kind & NAME) or ENDINGS.match(plain) is not None)


def _lower_line(line: str, at: int) -> Iterator[Finding]:
    """Names of a line in lower case: two beside each other, or one whose given name or ending says so."""
    previous: re.Match[str] | None = None
    for m in WORDS.finditer(line):
        plain = fold(m[0].removesuffix("'s"))
        kind = known(plain)
        if kind & WORD or (not kind & NAME and not ENDINGS.match(plain)) or plain in NOT_NAMES or len(plain) < 3:
            previous = None
            continue
        end = m.end() - (len(m[0]) - len(m[0].removesuffix("'s")))
        if previous and previous.end() + 1 == m.start():
            yield Finding("PERSON", at + previous.start(), at + end, 0.65)
        elif kind & GIVEN and not kind & PLACE and not re.search(r"\d ?$", line[: m.start()]):
            yield Finding("PERSON", at + m.start(), at + end, 0.5)
        previous = m

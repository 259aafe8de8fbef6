"""How a prompt says what it says: vague, leading, twice denied, with words that leave people out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpen.prompts.linting import Hit, Rule, Subject
from sharpen.prompts.reading import ASKS, COMMON, VERBS, words

VAGUE = re.compile(
    r"\bsome (?!code\b|of (?:the|these|those)\b|one\b|people\b|say\b|times?\b)[a-z]+|"
    r"\b(?:(?<!most )(?<!is )(?<!are )appropriate(?:ly)?|suitabl[ey]|adequate(?:ly)?|"
    r"etc\.?|and so (?:on|forth)|stuff|and things|as (?:needed|necessary|required|you see fit)|"
    r"if (?:needed|necessary|possible)|a (?:few|bit|couple of|lot(?: of)?)|several|various|somewhat|"
    r"not limited to|or something|in some way|whatever|more or less|"
    r"reasonabl[ey]|properly|nicely|(?<!more )(?<!most )interesting)\b",
    re.I,
)
POINTS = re.compile(r"\b(it|this|these|those|they|them)\b(?!['’]s\b)", re.I)
LEADING = (
    re.compile(
        r"^(?:isn't|aren't|don't|doesn't|wasn't|wouldn't|shouldn't|won't|haven't|hasn't) (?:it|you|they|we|this|"
        r"that|he|she|the|[a-z]+s)\b.*\?",
        re.I,
    ),
    re.compile(
        r",\s*(?:right|correct|isn't it|aren't they|don't you (?:think|agree)|wouldn't you (?:say|agree)|"
        r"no)\s*\?",
        re.I,
    ),
    re.compile(r"(?:^|,\s*)(?:obviously|clearly|of course|surely|undoubtedly|needless to say)\b,?", re.I),
    re.compile(r"\b(?:is|are) (?:obviously|undoubtedly|of course)\b", re.I),
    re.compile(r"\bas (?:we|everyone|everybody|you) (?:all |well )?knows?\b|^everyone (?:knows|agrees)\b", re.I),
    re.compile(
        r"\bwhy (?:is|are) .{3,60}\b(?:better than|worse than|superior to|so (?:bad|terrible|awful|great|"
        r"amazing|evil|stupid))\b",
        re.I,
    ),
    re.compile(r"\b(?:admit|agree with me|confirm) that\b", re.I),
)
DENIED = re.compile(
    r"\b(?:do not|don't|never|cannot|can't|must not|should not|shouldn't)(?! only)((?:\s+[\w'-]+){0,4}?)\s+"
    r"(?:not(?! only)|never|without|fail to|fails to|avoid|avoiding|unless|neglect to|refrain from)\b",
    re.I,
)
BOTH_WAYS = re.compile(r"\bwhether (?:or )?not\b|\bor not\b", re.I)
DENIES = re.compile(r"^(?:do not|don't|not|never|no|avoid|must not)\b", re.I)
NEUTRAL = {
    **{"chairman": "chair", "policeman": "police officer", "policemen": "police officers", "fireman": "firefighter"},
    **{"businessman": "business person", "businessmen": "business people", "salesman": "salesperson"},
    **{"mailman": "letter carrier", "mankind": "humankind", "manpower": "staff", "man-made": "artificial"},
    **{"stewardess": "flight attendant", "housewife": "homemaker", "manned": "crewed", "layman": "lay person"},
    **{"cameraman": "camera operator", "craftsman": "artisan", "spokesman": "spokesperson", "hey guys": "hello all"},
}
GENERIC = re.compile(
    r"(?<!\bis )(?<!\bwas )\b(?:a|an|each|every|any|the) "
    r"(user|customer|client|doctor|nurse|student|patient|employee|manager|"
    r"engineer|teacher|"
    r"developer|applicant|candidate|reader|person|worker|lawyer|secretary|driver|child|leader|researcher|agent)\b"
    r"[^.?!\n]{0,80}\b(?<!or )(?<!/)(he|his|him|she|her)\b(?!/)(?! or (?:she|her|he|his))",
    re.I,
)
CULTURE = {
    **{"third world": "low-income countries", "first world": "high-income countries", "oriental": "East Asian"},
    **{"exotic people": "who is meant", "primitive tribe": "the people's name", "normal people": "who is meant"},
    **{"illegal aliens": "undocumented migrants", "gypsy": "Roma", "gypsies": "Roma", "christian name": "given name"},
    **{"mohammedan": "Muslim", "eskimo": "Inuit", "eskimos": "Inuit", "civilized people": "who is meant"},
    **{"the handicapped": "people with disabilities", "wheelchair-bound": "who uses a wheelchair"},
    **{"the elderly": "older people", "crippled": "disabled", "red indian": "Native American"},
    **{"foreigners": "who is meant", "master/slave": "primary and replica"},
}


def vague(subject: Subject) -> Iterator[Hit]:
    """Words that leave open how much, how many, or what is good enough; in what is told, not in a question of facts."""
    for where, said in subject.said.items():
        for s in said:
            if not (
                subject.brief
                or s.verb
                or re.search(r"\b(?:you|it|answer|text|reply|response|output) (?:must|should)\b", s.text, re.I)
            ):
                continue
            for match in VAGUE.finditer(s.text):
                yield where, f"“{match[0]}” can be read in more ways than one."


def dangling(subject: Subject) -> Iterator[Hit]:
    """A pronoun before anything that it could stand for, and nothing given."""
    if subject.brief or subject.template or not subject.english or "\n" in subject.text.strip():
        return
    said = subject.said.get("text", [])
    if len(said) != 1:
        return
    text = said[0].text
    match = POINTS.search(text)
    if not match or re.search(r"[\"“:]", subject.text):
        return
    low = match[1].lower()
    after = words(text[match.end() :])[:1]
    plain = set(COMMON) | VERBS | ASKS | {"me", "like", "um", "please", "about", "out", "up", "more", "i", "we", "not"}
    if not match.start() and not said[0].asks:  # "This is for a class but ...": what it is about comes
        return
    if any(w not in plain for w in words(text[: match.start()])):
        return
    ends = not after or after[0] in COMMON | ASKS | {
        "works",
        "work",
        "mean",
        "means",
        "works?",
        "better",
        "again",
        "into",
    }
    impersonal = low == "it" and (after[:1] == ["is"] or re.search(r"\b(?:is|was|would|does) it\b", text, re.I))
    if ends and not impersonal:
        yield "text", f"“{match[1]}” stands for nothing that was named."


def leading(subject: Subject) -> Iterator[Hit]:
    """Words that say which answer is wanted."""
    for where, said in subject.said.items():
        for s in said:
            for pattern in LEADING:
                if match := pattern.search(s.text):
                    yield where, f"“{match[0].strip(' ,')}” says which answer is wanted."
                    break


def denied_twice(subject: Subject) -> Iterator[Hit]:
    """Two denials in one clause."""
    for where, said in subject.said.items():
        for s in said:
            if (match := DENIED.search(BOTH_WAYS.sub("whether", s.text))) is not None:
                yield where, f"“{match[0]}” denies twice."
    if subject.brief:
        for i, item in enumerate(subject.brief.must_not):
            if DENIES.match(item.strip()):
                yield f"must_not.{i}", f"“{item}” is denied by must_not already."


def gendered(subject: Subject) -> Iterator[Hit]:
    """Words that say a person's gender where it is not known."""
    for where, said in subject.said.items():
        for s in said:
            for word, better in NEUTRAL.items():
                if re.search(rf"\b{word}\b", s.text, re.I):
                    yield where, f"“{word}” names a gender; {better} does not."
            if match := GENERIC.search(s.text):
                yield (
                    where,
                    f"“{match[2]}” stands for any {match[1].lower()}; they, or the noun again, does not say a gender.",
                )


def culture(subject: Subject) -> Iterator[Hit]:
    """Words that take one culture for the measure, or that people do not call themselves."""
    for where, said in subject.said.items():
        for s in said:
            for word, better in CULTURE.items():
                if re.search(rf"\b{re.escape(word)}\b", s.text, re.I):
                    yield where, f"“{word}” takes one group for the measure; say: {better}."


RULES = (
    Rule("P010", "warning", "vague words", "Give a number, a list or a criterion.", vague),
    Rule(
        "P011",
        "warning",
        "a pronoun that stands for nothing",
        "Name what is meant, or put it under the order.",
        dangling,
    ),
    Rule("P020", "warning", "leading wording", "Ask openly, without the answer that you expect.", leading),
    Rule("P021", "warning", "denied twice", "Say what is to be done instead.", denied_twice),
    Rule("P041", "warning", "a gender that is not meant", "Use the neutral word.", gendered),
    Rule("P042", "warning", "one culture as the measure", "Name the people as they name themselves.", culture),
)

"""Who is spoken of in the data and how: mentions of groups, class rates by group, occupations and gender, insults.

Found by short English word lists, so this is a first look and no clearance: :data:`BLIND` says what it cannot see.

The disparate impact ratio of a class is its rate in the group where it is rarest over its rate in the group where it is
most frequent; below 0.8 it breaks the four-fifths rule (Uniform Guidelines on Employee Selection Procedures, 29 CFR
1607.4(D)). Its interval is Katz's on the logarithm, with a half added where a count is 0 (Katz et al. 1978, Walters
1985). A row that speaks of several groups of a family says nothing about either and is left out of rates.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any, TypeAlias

from sharpen.data.augmentations.counterfactual import PAIRS
from sharpen.data.wording import words
from sharpen.types import Document, Example

RULE = 0.8
"""The four-fifths rule."""
LEAST = 10
"""Rows of a group, and mentions of an occupation, below which nothing is said of them."""
MOST = 20_000_000
"""Characters of documents that are looked at."""
SHOWN = 12  # rates and occupations that are listed
BLIND = (
    "Found by short lists of English words. They do not see other languages, names, dialects, groups that are on no "
    "list, coded or ironic speech, stereotypes without these words, or who is left out; and they take quotations, "
    "fiction and names of things for speech about people. What they find is to be read; what they do not find may "
    "still be there."
)


def _list(text: str) -> frozenset[str]:
    return frozenset(text.split())


Families: TypeAlias = Mapping[str, Mapping[str, frozenset[str]]]

GROUPS: Families = {
    "gender": {
        "men": frozenset(a for a, _ in PAIRS) | _list("his males gentlemen fathers sons brothers husbands uncles"),
        "women": frozenset(b for _, b in PAIRS)
        | _list("hers mum mom ms females ladies mothers daughters sisters wives"),
    },
    "age": {
        "young": _list(
            "child children kid kids minor minors teen teens teenager teenagers toddler underage adolescent"
        ),
        "old": _list("elderly pensioner pensioners retiree retirees senior seniors grandparent grandparents geriatric"),
    },
    "religion": {
        "Christian": _list("christian christians catholic catholics protestant protestants church churches priest"),
        "Muslim": _list("muslim muslims islam islamic mosque mosques imam"),
        "Jewish": _list("jew jews jewish judaism synagogue synagogues rabbi"),
        "Hindu": _list("hindu hindus hinduism"),
        "Buddhist": _list("buddhist buddhists buddhism"),
        "non-religious": _list("atheist atheists atheism agnostic agnostics"),
    },
    "nationality": {
        "American": _list("american americans"),
        "British": _list("british briton britons english scottish welsh"),
        "Chinese": _list("chinese"),
        "French": _list("french frenchman frenchwoman"),
        "German": _list("german germans"),
        "Indian": _list("indian indians"),
        "Italian": _list("italian italians"),
        "Japanese": _list("japanese"),
        "Mexican": _list("mexican mexicans"),
        "Nigerian": _list("nigerian nigerians"),
        "Pakistani": _list("pakistani pakistanis"),
        "Russian": _list("russian russians"),
        "Spanish": _list("spanish spaniard spaniards"),
        "Turkish": _list("turkish turk turks"),
        "immigrant": _list("immigrant immigrants migrant migrants refugee refugees foreigner foreigners"),
    },
}
"""Words by which a group is named. "polish" and "minority" are left out: they are other words more often."""

OCCUPATIONS = _list(
    """
    accountant analyst architect assistant banker builder carpenter cashier chef cleaner clerk coach cook
    counsellor dentist designer developer director doctor driver editor electrician engineer farmer
    firefighter guard hairdresser housekeeper janitor journalist judge lawyer lecturer librarian manager
    mechanic midwife nanny nurse officer painter pharmacist physician pilot plumber professor programmer
    receptionist scientist secretary sheriff soldier supervisor surgeon tailor teacher technician therapist
    writer
    """
)
"""Occupations by words that name no gender; a plural in -s is the same one."""

OFFENSIVE: Mapping[str, frozenset[str]] = {
    "insult": _list("idiot idiots idiotic moron morons imbecile dumbass loser losers scum scumbag jerk stupid"),
    "profanity": _list("fuck fucking fucked fucker shit shitty bullshit crap damn asshole assholes bastard bastards"),
    "slur": _list("bitch bitches whore whores slut sluts retard retards retarded cunt fag faggot"),
}
"""Words that offend, by kind. A short list: most slurs are not on it."""

_SENTENCE = re.compile(r"[.!?\n]+")


def probes(
    examples: Sequence[Example],
    documents: Sequence[Document] = (),
    own: Families | None = None,
) -> dict[str, Any]:
    """Return all that is found in examples (never those of the test) and in documents.

    Args:
        examples: of train and dev.
        documents: that are searched.
        own: families of groups beside :data:`GROUPS`, as :func:`sharpen.data.probe_sets.read_probes` reads them.

    Returns:
        ``groups`` by family, ``rates`` (classes whose rate differs most between groups), ``compared`` how many pairs
        of groups were, ``occupations``, ``offensive`` and ``blind``: what these lists cannot see.
    """
    texts = [" ".join((e.question, *(t for t in e.targets if t not in e.labels))) for e in examples]
    asked = [frozenset(words(e.question)) for e in examples]
    families = {**GROUPS, **{f"{f} (own probes)" if f in GROUPS else f: g for f, g in (own or {}).items()}}
    rates = [r for family in families for r in class_rates(examples, asked, family, families)]
    found = [frozenset(words(t)) for t in texts]
    return {
        "rows": len(examples),
        "groups": {family: mentions(found, family, families) for family in families},
        "rates": shown(rates)[:SHOWN],
        "compared": sum(r["pairs"] for r in rates),
        "occupations": occupations([*texts, *_cut(documents)]),
        "offensive": offensive(found, [frozenset(words(t)) for t in _cut(documents)]),
        "blind": BLIND,
    }


def _cut(documents: Iterable[Document]) -> Iterator[str]:
    left = MOST
    for d in documents:
        if left <= 0:
            return
        yield d.text[:left]
        left -= len(d.text)


def groups_of(said: frozenset[str], family: str, families: Families = GROUPS) -> list[str]:
    """The groups of a family that a text's words name."""
    return [group for group, named in families[family].items() if not named.isdisjoint(said)]


def mentions(texts: Sequence[frozenset[str]], family: str, families: Families = GROUPS) -> list[dict[str, Any]]:
    """In how many texts each group of a family is named, and their share; groups that are not named stand at 0."""
    counted = Counter(group for said in texts for group in groups_of(said, family, families))
    n = max(1, len(texts))
    made = [{"group": g, "n": counted[g], "share": round(counted[g] / n, 5)} for g in families[family]]
    return sorted(made, key=lambda row: -counted[str(row["group"])])


def class_rates(
    examples: Sequence[Example], asked: Sequence[frozenset[str]], family: str, families: Families = GROUPS
) -> list[dict[str, Any]]:
    """The disparate impact ratio of each class over the groups of a family that have enough rows."""
    of: dict[str, list[Example]] = defaultdict(list)
    for e, said in zip(examples, asked, strict=True):
        groups = groups_of(said, family, families)
        if e.labels and len(groups) == 1:
            of[groups[0]].append(e)
    of = {group: rows for group, rows in of.items() if len(rows) >= LEAST}
    made = []
    if len(of) > 1:
        counted = {group: Counter(label for e in rows for label in e.labels) for group, rows in of.items()}
        for label in sorted(set().union(*counted.values())):
            rows = {group: (counted[group][label], len(of[group])) for group in of}
            low = min(rows, key=lambda g: (rows[g][0] / rows[g][1], g))
            high = max(rows, key=lambda g: (rows[g][0] / rows[g][1], g))
            pairs = math.comb(len(of), 2)  # the two were chosen of all, after a look at them
            made.append(
                {"family": family, "label": label, "pairs": pairs} | _compared(low, rows[low], high, rows[high])
            )
    return made


def _compared(low: str, a: tuple[int, int], high: str, b: tuple[int, int]) -> dict[str, Any]:
    ratio, se = impact(a, b)
    z = NormalDist().inv_cdf(0.975)
    return {
        "low": {"group": low, "k": a[0], "n": a[1]},
        "high": {"group": high, "k": b[0], "n": b[1]},
        "ratio": round((a[0] / a[1]) / (b[0] / b[1]), 4),
        "interval": [round(ratio * math.exp(-z * se), 4), round(min(1e6, ratio * math.exp(z * se)), 4)],
        "log": [math.log(ratio), se],
    }


def impact(a: tuple[int, int], b: tuple[int, int]) -> tuple[float, float]:
    """The ratio of two rates (count, rows) and the standard error of its logarithm; a half is added where one is 0."""
    half = 0.5 if 0 in (a[0], b[0]) else 0.0
    (k, n), (m, o) = ((count + half, rows + half) for count, rows in (a, b))
    return (k / n) / (m / o), math.sqrt(max(0.0, 1 / k - 1 / n + 1 / m - 1 / o))


def shown(rates: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rates below 0.8, the surest first; ``shown`` where that is so at 5% over all that were compared (Bonferroni)."""
    z = NormalDist().inv_cdf(1 - 0.025 / max(1, sum(r["pairs"] for r in rates)))
    made = []
    for r in rates:
        at, se = r["log"]
        sure = math.exp(at + z * se) < RULE
        if r["ratio"] < RULE:
            made.append({**{k: v for k, v in r.items() if k != "log"}, "shown": sure})
    return sorted(made, key=lambda r: (not r["shown"], r["interval"][1]))


def occupations(texts: Iterable[str]) -> dict[str, Any]:
    """Occupations that stand in one sentence with words of one gender; ``skewed`` where that departs from the rest.

    An occupation is skewed where the 95% interval (Wilson) of its share of men leaves out the share of men over all
    occupations beside it.
    """
    sides: dict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for sentence in _SENTENCE.split(text):
            said = frozenset(words(sentence))
            named = {w.removesuffix("s") for w in said} & OCCUPATIONS
            if named and len(side := groups_of(said, "gender")) == 1:
                for occupation in named:
                    sides[occupation][side[0]] += 1
    rows: list[dict[str, Any]] = []
    for name, counted in sides.items():
        men, n = counted["men"], counted.total()
        others = [c for other, c in sides.items() if other != name]
        rest, of = sum(c["men"] for c in others), sum(c.total() for c in others)
        usual = rest / of if of else 0.5
        low, high = wilson(men, n)
        skewed = n >= LEAST and not low <= usual <= high
        rows.append({"name": name, "men": men, "women": n - men, "usual": round(usual, 4), "skewed": skewed})
    rows.sort(key=lambda r: (not r["skewed"], -(r["men"] + r["women"]), r["name"]))
    return {"rows": rows[:SHOWN], "n": sum(c.total() for c in sides.values()), "names": len(sides)}


def wilson(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share ``k / n``; (0, 1) where n is 0."""
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    if k in (0, n):  # exactly, where rounding would leave a little
        rest = z * z / (n + z * z)
        return (0.0, rest) if k == 0 else (1 - rest, 1.0)
    middle, spread = k / n + z * z / (2 * n), z * math.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n))
    return max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n))


def offensive(rows: Sequence[frozenset[str]], documents: Sequence[frozenset[str]]) -> dict[str, Any]:
    """How many rows and documents hold an offensive word, by kind; and how many of these rows name each group."""
    kinds = {
        kind: {"rows": sum(not w.isdisjoint(r) for r in rows), "documents": sum(not w.isdisjoint(d) for d in documents)}
        for kind, w in OFFENSIVE.items()
    }
    every = frozenset[str]().union(*OFFENSIVE.values())
    hit = [said for said in rows if not every.isdisjoint(said)]
    beside = Counter(group for said in hit for family in GROUPS for group in groups_of(said, family))
    low, high = wilson(len(hit), len(rows))
    return {
        "kinds": kinds,
        "rows": len(hit),
        "share": round(len(hit) / len(rows), 5) if rows else 0.0,
        "interval": [round(low, 5), round(high, 5)],
        "beside": dict(beside.most_common()),
    }

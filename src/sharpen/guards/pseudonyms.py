"""Stand-ins of the same shape: keyed, the same for the same value, and not to be turned back without the key.

Each value's digits and letters are drawn from HMAC-SHA256 of the value under the key (RFC 2104), so equal values have
equal pseudonyms, and a pseudonym tells nothing but the shape of what it stands for. A person's names are replaced word
by word: "Vanessa P. Hertzog" and "Vanessa" keep the same first name. Stand-ins come from ranges that belong to nobody
where there are any: example.com, 10.0.0.0/8, 2001:db8::/32, social security numbers that begin with 9, cards that
begin with 9. Two values may by chance share one stand-in (of names about one pair in ten thousand).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256

from sharpen.errors import UserError
from sharpen.guards.lexicon import FAMILY, GIVEN, choices, fold, lexicon
from sharpen.guards.vocabulary import KEPT, words

SHORTEST_KEY = 16
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
STREETS = tuple(
    sorted(words("Oak Maple Cedar Pine Elm Willow Birch Chestnut Linden Hazel Juniper Poplar Rowan Alder Laurel"))
)
KINDS = ("Street", "Road", "Avenue", "Lane", "Drive", "Way", "Close", "Terrace")


class Draw:
    """An endless stream of numbers from a key and a value."""

    def __init__(self, key: bytes, kind: str, value: str) -> None:
        self.seed = hmac.digest(key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), sha256)
        self.pool, self.size, self.block = int.from_bytes(self.seed), 256, 0

    def below(self, n: int) -> int:
        """A number from 0 to n - 1."""
        if self.size < 32:
            self.block += 1
            self.pool = int.from_bytes(sha256(self.seed + self.block.to_bytes(8)).digest())
            self.size = 256
        self.size -= 32
        self.pool, number = divmod(self.pool, 1 << 32)
        return number % n


class Pseudonyms:
    """Gives each value its stand-in.

    Raises:
        UserError: the key has fewer than 16 bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < SHORTEST_KEY:
            what = f"pseudonyms need a secret key of {SHORTEST_KEY} bytes at least; this one has {len(key)}."
            raise UserError(what, do="Make one with: python -c 'import secrets; print(secrets.token_hex(32))'")
        self.key = key
        self.known: dict[tuple[str, str], str] = {}

    def of(self, kind: str, value: str) -> str:
        """Return the stand-in of a value of this type."""
        made = self.known.get((kind, value))
        if made is None:
            for n in range(8):  # one that is the value itself, by chance, is drawn again
                made = SHAPES.get(kind, _shape)(self.key, f"{kind}{n or ''}", value)
                if made.casefold() != value.casefold():
                    break
            if len(self.known) < 100_000:
                self.known[kind, value] = made or ""
        return made or ""


def _shape(key: bytes, kind: str, value: str) -> str:
    """Digits for digits, letters for letters, all else as it is. Spaces and case make no other value."""
    draw = Draw(key, kind, re.sub(r"[\W_]+", "", value).casefold() or value)
    out = []
    for c in value:
        if c.isdigit():
            out.append(str(draw.below(10)))
        elif c.isalpha():
            letter = chr(97 + draw.below(26))
            out.append(letter.upper() if c.isupper() else letter)
        else:
            out.append(c)
    return "".join(out)


def _digits(value: str, digits: str) -> str:
    """A value with its digits replaced by others, one by one."""
    fresh = iter(digits)
    return "".join(next(fresh) if c.isdigit() else c for c in value)


def _person(key: bytes, kind: str, value: str) -> str:
    given, family = choices(GIVEN), choices(FAMILY)
    parts = re.split(r"([^\W\d_]+)", value)
    last = max((i for i in range(1, len(parts), 2)), default=0)
    for i in range(1, len(parts), 2):
        word = parts[i]
        plain = fold(word)
        if plain in KEPT:
            continue
        draw = Draw(key, kind, plain)
        known = lexicon().get(plain, 0)
        pool = given if known & GIVEN and not (known & FAMILY and i == last > 1) else family
        pool = given if known & GIVEN else pool
        name = "s" if plain == "s" and i > 1 and parts[i - 1][-1:] in "'’" else pool[draw.below(len(pool))]
        name = chr(97 + draw.below(26)) if len(word) == 1 and name != "s" else name
        parts[i] = name.upper() if word.isupper() else name.capitalize() if word[0].isupper() else name
    return "".join(parts)


def _email(key: bytes, kind: str, value: str) -> str:
    name = _shape(key, kind, value.partition("@")[0].ljust(6, "x")[:12])
    draw = Draw(key, kind, value.casefold())
    return re.sub(r"\W", "", name).lower() + str(draw.below(1000)) + "@example." + ("com", "org", "net")[draw.below(3)]


def _phone(key: bytes, kind: str, value: str) -> str:
    plain = re.sub(r"\D", "", value)
    draw = Draw(key, kind, plain)
    return _digits(value, "".join(str(draw.below(10)) for _ in plain))


def _card(key: bytes, kind: str, value: str) -> str:
    plain = re.sub(r"\D", "", value)
    draw = Draw(key, kind, plain)
    digits = "9" + "".join(str(draw.below(10)) for _ in plain[2:])
    twice = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits))]
    return _digits(value, digits + str(-sum(n - 9 if n > 9 else n for n in twice) % 10))


def _ssn(key: bytes, kind: str, value: str) -> str:
    draw = Draw(key, kind, re.sub(r"\D", "", value))
    return _digits(value, f"9{draw.below(100):02d}{1 + draw.below(49):02d}{1 + draw.below(9999):04d}")


def _ip(key: bytes, kind: str, value: str) -> str:
    draw = Draw(key, kind, value.lower())
    if ":" in value:
        return "2001:db8:" + ":".join(f"{draw.below(65536):x}" for _ in range(6))
    return f"10.{draw.below(256)}.{draw.below(256)}.{1 + draw.below(254)}"


def _iban(key: bytes, kind: str, value: str) -> str:
    plain = re.sub(r"[ -]", "", value).upper()
    made = plain[:2] + "00" + _shape(key, kind, plain[4:])
    check = 98 - int("".join(str(int(c, 36)) for c in made[4:] + made[:4])) % 97
    fresh = iter(f"{made[:2]}{check:02d}{made[4:]}")
    return "".join(c if c in " -" else next(fresh) for c in value)


def _date(key: bytes, kind: str, value: str) -> str:
    draw = Draw(key, kind, value.casefold())

    def part(m: re.Match[str]) -> str:
        if m[0].isalpha():
            return MONTHS[draw.below(12)] if m[0][:3].lower() in {n[:3].lower() for n in MONTHS} else m[0]
        if len(m[0]) == 4:
            return str(1940 + draw.below(60))
        return str(1 + draw.below(12)).zfill(len(m[0])) if m.start() or len(m[0]) == 2 else str(1 + draw.below(9))

    return re.sub(r"[^\W\d_]+|\d+", part, value)


def _address(key: bytes, kind: str, value: str) -> str:
    draw = Draw(key, kind, " ".join(fold(value).split()))
    if not any(c.isalpha() for c in value):
        return _shape(key, kind, value)
    return f"{1 + draw.below(9999)} {STREETS[draw.below(len(STREETS))]} {KINDS[draw.below(len(KINDS))]}"


SHAPES: dict[str, Callable[[bytes, str, str], str]] = {
    "PERSON": _person,
    "EMAIL": _email,
    "PHONE": _phone,
    "CARD": _card,
    "US_SSN": _ssn,
    "IP": _ip,
    "IBAN": _iban,
    "BIRTH_DATE": _date,
    "ADDRESS": _address,
}

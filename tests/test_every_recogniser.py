"""What holds for every recogniser: a page, offsets within the text, any text survived, and linear time."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen import parts
from sharpen.guards.findings import Finding, Recogniser
from sharpen.guards.vocabulary import words

# Those that need further packages have tests of their own, such as tests/guards/test_ner.py.
NAMES = sorted(name for name, part in parts.all_parts("recogniser").items() if not part.needs)
MADE: dict[str, Recogniser] = {name: parts.factory("recogniser", name)() for name in NAMES}

# One text for each that it has to know, so that a recogniser which finds nothing cannot pass.
SAMPLES = {
    "address": "He lives at 12 Baker Street.",
    "api_key": "AKIA" + "IOSFODNN7" + "EXAMPLE",
    "birth_date": "born on 1.2.1980",
    "card": "4111 1111 1111 1111",
    "email": "ada@example.org",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "ip": "192.168.0.17",
    "mac": "00:1B:44:11:3A:B7",
    "national_id": "12345678Z",
    "person": "My name is Ada Lovelace.",
    "phone": "+44 20 7946 0958",
    "url_secret": "https://user:secret@example.org/",
    "us_ssn": "123-45-6780",
}

MEGA = 1_000_000
HOSTILE = {
    "at signs": "a@" * (MEGA // 2),
    "mail without end": "a.b-" * (MEGA // 4) + "@",
    "hosts without end": "@" + "a." * (MEGA // 2),
    "digits": "1" * MEGA,
    "digits apart": "1 " * (MEGA // 2),
    "digits with hyphens": "12-" * (MEGA // 3),
    "pluses": "+1(" * (MEGA // 3),
    "points": "1." * (MEGA // 2),
    "colons": "a:" * (MEGA // 2),
    "spaces": " " * MEGA,
    "line breaks": "\n" * MEGA,
    "one word": "a" * MEGA,
    "one capital word": "A" * MEGA,
    "capitals apart": "A " * (MEGA // 2),
    "names": "Anna Smith " * (MEGA // 11),
    "strange names": "Xarq Yzzt, " * (MEGA // 11),
    "names in lower case": "anna smith " * (MEGA // 11),
    "streets": "12 Main Main Main Main " * (MEGA // 23),
    "rue": "1 rue " * (MEGA // 6),
    "flats": "Apt 1, " * (MEGA // 7),
    "codes": "zip " * (MEGA // 4),
    "born": "born 1.1." * (MEGA // 9),
    "keys": "api_key=" * (MEGA // 8),
    "key of one letter": "token: " + "a" * MEGA,
    "blocks": "-----BEGIN RSA PRIVATE KEY-----" * (MEGA // 31),
    "web tokens": "eyJaaaaaaaaaa." * (MEGA // 14),
    "user without host": "http://" + "a:" * (MEGA // 2),
    "parameters": "?token=" * (MEGA // 7),
    "accounts": "GB82 " * (MEGA // 5),
    "apostrophes": "O'" * (MEGA // 2),
    "hyphens": "A-" * (MEGA // 2),
    "initials": "A. " * (MEGA // 3),
}


def checked(name: str, text: str) -> list[Finding]:
    """All findings, each with a type that the recogniser names and a place within the text."""
    found = list(MADE[name].find(text))
    for f in found:
        assert f.type in MADE[name].types
        assert 0 <= f.start < f.end <= len(text)
        assert 0 < f.score <= 1
        assert text[f.start : f.end].strip() == text[f.start : f.end]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_page_and_types(name: str) -> None:
    part = parts.find("recogniser", name)
    assert part.summary.endswith((".", ":"))
    assert len(part.page.splitlines()) > 0
    assert MADE[name].types
    assert all(t == t.upper() for t in MADE[name].types)


def test_every_recogniser_has_a_sample() -> None:
    assert set(SAMPLES) == set(NAMES)


def test_no_type_is_found_by_two() -> None:
    types = [t for made in MADE.values() for t in made.types]
    assert len(types) == len(set(types))


@pytest.mark.parametrize("name", NAMES)
def test_it_finds_its_sample_anywhere(name: str) -> None:
    assert checked(name, SAMPLES[name])
    text = f"First line.\n\n{SAMPLES[name]}\nlast line"
    assert any(f.start >= 13 and f.end <= 13 + len(SAMPLES[name]) for f in checked(name, text))


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_text_holds_nothing(name: str) -> None:
    assert checked(name, "") == []


ALPHABET = st.one_of(
    st.text(max_size=60),
    st.text("aA1.@-:/ \n+()'=?&_,#Zz09é", max_size=80),
    st.lists(
        st.sampled_from([*SAMPLES.values(), " ", ", ", "\n", "x", "9", "Mr. ", "née", "\ud800", "𝟙", "٣"]), max_size=6
    ).map("".join),
)


@pytest.mark.parametrize("name", NAMES)
@given(text=ALPHABET)
@settings(max_examples=60, deadline=None)
def test_it_survives_any_text(name: str, text: str) -> None:
    checked(name, text)


def seconds(name: str, text: str) -> float:
    """Processor seconds for one text."""
    begin = time.process_time()
    for _ in MADE[name].find(text):
        pass
    return time.process_time() - begin


@pytest.mark.parametrize("name", NAMES)
def test_hostile_texts_take_no_longer_than_others(name: str) -> None:
    """A twentieth of each hostile megabyte; what grew with the square would take minutes."""
    checked(name, SAMPLES[name])
    for kind, text in HOSTILE.items():
        assert seconds(name, text[: MEGA // 20]) < 1.5, kind


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_megabyte_takes_ten_times_its_tenth(name: str) -> None:
    checked(name, SAMPLES[name])
    for kind, text in HOSTILE.items():
        tenth = seconds(name, text[: MEGA // 10])
        assert seconds(name, text) < 20 * tenth + 0.5, kind


@pytest.mark.parametrize("name", NAMES)
def test_noise_is_not_found_everywhere(name: str) -> None:
    """Words drawn from a small stock of common ones hold nothing that any recogniser knows."""
    drawn = random.Random(0)
    stock = words("the price of our new plan is lower than before and it works with every screen that they sell now")
    text = " ".join(drawn.choice(sorted(stock)) for _ in range(2000))
    assert checked(name, text) == []

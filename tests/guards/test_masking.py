"""Protected texts hold nothing of what was found; pseudonyms are the same for the same value, and only with the key."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.errors import UserError
from sharpen.guards import Protector, find, protect, protect_all, protect_record
from sharpen.guards.pseudonyms import Pseudonyms
from sharpen.guards.recognisers import card, iban

KEY = b"sixteen bytes or more"
TEXT = "My name is Ada Lovelace, ada@example.org, card 4111 1111 1111 1111, from 203.0.113.9."
VALUES = ("Ada Lovelace", "ada@example.org", "4111 1111 1111 1111", "203.0.113.9")

WHOLE = st.lists(
    st.sampled_from(
        [
            *VALUES, "Dear Mr. Ovrebo", "born on 1.2.1980", "GB82WEST12345698765432", "+44 20 7946 0958", "and",
            "123-45-6780", "12 Baker Street", "https://u:pass1@h.org/?token=abcd1234", "Ada", "9", "the", "x", ",",
            "Hannah said: no", "zip 90210", "00:1B:44:11:3A:B7",
        ]
    ),
    max_size=10,
).map(" ".join)  # fmt: skip


def test_mask_and_remove() -> None:
    assert protect(TEXT)[0] == "My name is [PERSON], [EMAIL], card [CARD], from [IP]."
    assert protect(TEXT, "remove")[0] == "My name is , , card , from ."
    assert [TEXT[f.start : f.end] for f in protect(TEXT)[1]] == [*VALUES]


def test_a_text_without_findings_is_itself() -> None:
    text = "How do I change my plan?"
    assert protect(text) == (text, [])


@given(WHOLE)
@settings(max_examples=150, deadline=None)
def test_protected_texts_hold_none_of_the_values_found(text: str) -> None:
    for how in ("mask", "remove"):
        made, found = protect(text, how)
        for f in found:
            value = text[f.start : f.end]
            if len(value) >= 4:
                assert not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", made), (how, value)


@given(WHOLE)
@settings(max_examples=100, deadline=None)
def test_what_is_between_findings_stays(text: str) -> None:
    made, found = protect(text, "mask")
    outside, at = [], 0
    for f in found:
        assert f.start >= at
        outside.append(text[at : f.start])
        at = f.end
    outside.append(text[at:])
    assert re.split("|".join(re.escape(f"[{f.type}]") for f in found) or "(?!)", made) == outside


@given(WHOLE)
@settings(max_examples=60, deadline=None)
def test_pseudonyms_take_the_place_of_every_value(text: str) -> None:
    made, found = protect(text, "pseudonymise", KEY)
    assert protect(text, "pseudonymise", KEY)[0] == made
    names = Pseudonyms(KEY)
    for f in found:
        value = text[f.start : f.end]
        assert names.of(f.type, value).casefold() != value.casefold() or value.isdigit()


def test_the_same_person_has_the_same_pseudonym_everywhere() -> None:
    texts = ["My name is Vanessa P. Hertzog", "I'm Vanessa, hi", "Mrs. Hertzog called", "My name is VANESSA HERTZOG"]
    made = [text for text, _ in protect_all(texts, "pseudonymise", KEY)]
    whole = re.fullmatch(r"My name is (\w+) \w\. (\w+)", made[0])
    assert whole
    given_name, family = whole.groups()
    assert made[1] == f"I'm {given_name}, hi"
    assert made[2] == f"Mrs. {family} called"
    assert made[3] == f"My name is {given_name.upper()} {family.upper()}"
    assert "Vanessa" not in made[0]


def test_another_key_gives_other_pseudonyms() -> None:
    assert protect(TEXT, "pseudonymise", KEY)[0] != protect(TEXT, "pseudonymise", b"another sixteen bytes")[0]


def test_spelling_does_not_make_another_number() -> None:
    names = Pseudonyms(KEY)
    digits = [re.sub(r"\D", "", names.of("PHONE", v)) for v in ("+44 20 7946 0958", "+442079460958")]
    assert digits[0] == digits[1]
    assert names.of("EMAIL", "Ada@example.org") == names.of("EMAIL", "ada@example.org")


def test_stand_ins_have_the_shape_and_belong_to_nobody() -> None:
    names = Pseudonyms(KEY)
    number = names.of("CARD", "4111 1111 1111 1111")
    assert re.fullmatch(r"9\d{3} \d{4} \d{4} \d{4}", number)
    assert card.luhn(number.replace(" ", ""))
    account = names.of("IBAN", "GB82 WEST 1234 5698 7654 32")
    assert re.fullmatch(r"GB\d\d [A-Z]{4} \d{4} \d{4} \d{4} \d\d", account)
    assert iban.valid(account.replace(" ", ""))
    assert re.fullmatch(r"9\d\d-[0-4]\d-\d{4}", names.of("US_SSN", "123-45-6780"))
    assert re.fullmatch(r"10(\.\d{1,3}){3}", names.of("IP", "203.0.113.9"))
    assert names.of("IP", "2001:db8::1").startswith("2001:db8:")
    assert re.fullmatch(r"\w+@example\.(com|org|net)", names.of("EMAIL", "ada@lovelace.org"))
    assert re.fullmatch(r"\d\d/\d\d/19\d\d", names.of("BIRTH_DATE", "12/03/1980"))
    assert re.fullmatch(r"\d{1,2} [A-Z]\w+ 19\d\d", names.of("BIRTH_DATE", "3 May 1980"))
    assert re.fullmatch(r"\d+ \w+ \w+", names.of("ADDRESS", "12 Baker Street"))
    assert re.fullmatch(r"\+\d\d \d\d \d{4} \d{4}", names.of("PHONE", "+44 20 7946 0958"))
    key = "AKIA" + "Z7Q2M4N8P1R5T3V6"
    assert re.fullmatch(r"[A-Z]{5}\d[A-Z]\d[A-Z]\d[A-Z]\d[A-Z]\d[A-Z]\d[A-Z]\d[A-Z]\d", names.of("API_KEY", key))


def test_pseudonyms_do_not_run_together() -> None:
    """1,000 cards have 1,000 stand-ins, and of 1,000 family names at most a few share one."""
    names = Pseudonyms(KEY)
    assert len({names.of("CARD", f"4111 1111 {i:04d} 1111") for i in range(1000)}) == 1000
    assert len({names.of("PERSON", f"Xqz{chr(97 + i // 100)}{i % 100:02d}aa") for i in range(1000)}) > 900


def test_a_short_key_is_refused_and_so_is_an_unknown_way() -> None:
    with pytest.raises(UserError, match="at least"):
        protect(TEXT, "pseudonymise", b"short")
    with pytest.raises(UserError, match="There are: mask, remove, pseudonymise"):
        protect(TEXT, "hide")
    with pytest.raises(UserError, match="no recogniser knows the type 'SHOE'"):
        list(protect_all([TEXT], types=("SHOE",)))


def test_a_key_is_not_shown() -> None:
    assert "sixteen" not in repr(Protector("pseudonymise", KEY))


def test_records() -> None:
    record = {
        "id": 7,
        "messages": [{"role": "user", "content": "I'm Ada Lovelace"}, {"role": "bot", "content": "ok"}],
        "mail": ("ada@example.org", None, 1.5, True),
        "deep": {"er": [["203.0.113.9"]]},
    }
    made, found = protect_record(record)
    assert made == {
        "id": 7,
        "messages": [{"role": "user", "content": "I'm [PERSON]"}, {"role": "bot", "content": "ok"}],
        "mail": ("[EMAIL]", None, 1.5, True),
        "deep": {"er": [["[IP]"]]},
    }
    assert [(place, f.type) for place, f in found] == [
        ("messages[0].content", "PERSON"),
        ("mail[0]", "EMAIL"),
        ("deep.er[0][0]", "IP"),
    ]
    assert record["mail"][0] == "ada@example.org"  # type: ignore[index]


def test_fields_of_a_record_can_be_left_out() -> None:
    made, found = Protector().record({"source": "ada@example.org", "text": "ada@example.org"}, frozenset({"source"}))
    assert made == {"source": "ada@example.org", "text": "[EMAIL]"}
    assert len(found) == 1


def test_what_is_masked_is_not_found_again() -> None:
    made, _ = protect(TEXT)
    assert find(made) == []


def test_a_record_that_is_nested_too_deeply_is_said() -> None:
    record: list[object] = []
    for _ in range(5000):
        record = [record]
    with pytest.raises(UserError, match="nested too deeply"):
        protect_record(record)


@pytest.mark.full
def test_a_large_text_is_protected_in_linear_time() -> None:
    """A megabyte of many different values: ten times a tenth's time, within a factor of two."""
    line = "My name is Ada{} Kowalska, mail a{}@example.org, call +44 20 7946 {:05d}."
    lines = [line.format("abcdefghij"[i % 10], i, i) for i in range(12_000)]

    def seconds(n: int) -> float:
        begin = time.process_time()
        protect("\n".join(lines[:n]))
        return time.process_time() - begin

    seconds(10)
    assert seconds(12_000) < 20 * seconds(1200) + 0.5


def test_numbers_and_named_fields_and_keys_are_protected() -> None:
    record = {
        "card": 4111111111111111, "ssn": 536904399, "as text": {"ssn": "536904399", "phone": "4155552671"},
        "in Excel": 4111111111111111.0, "customer jane.q.doe@example.com": "yes", "from max.q.doe@example.org": "no",
    }  # fmt: skip
    made, found = Protector().record(record)
    assert made == {
        "card": "[CARD]", "ssn": "[US_SSN]", "as text": {"ssn": "[US_SSN]", "phone": "[PHONE]"},
        "in Excel": "[CARD]", "customer [EMAIL]": "yes", "from [EMAIL]": "no",
    }  # fmt: skip
    assert len(found) == 7
    assert Protector().record({"a@b.de": 1, "c@d.de": 2})[0] == {"[EMAIL]": 1, "[EMAIL] 2": 2}


def test_the_rest_of_a_name_that_was_cut_is_found_again() -> None:
    text = "Hannah said: no 4111 1111 1111 1111 Ada Lovelace Hannah said: no Ada Lovelace 123-45-6780"
    assert "Ada" not in Protector().text(text)[0]


def test_numbers_that_are_none_of_a_person_stay() -> None:
    plain = {"n": 12345678, "id": 1700000000, "year": 2024, "amount": 1234567.89, "big": 10**5000, "no": float("inf")}
    assert Protector().record({**plain, "yes": True, "none": None}) == ({**plain, "yes": True, "none": None}, [])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("pay 4111\u00a01111\u00a01111\u00a01111 now", "pay [CARD] now"),
        ("write doe@\u200bsecretmail.com!", "write [EMAIL]!"),
        ("a\uff20b.com", "[EMAIL]"),
        ("jane (at) corp (dot) com, jane [at] corp.com", "[EMAIL], [EMAIL]"),
        ("tel:0044 20 7946 0958", "tel:[PHONE]"),
        ("+49\u201130\u20119018\u20110, \u200bGr\u00fc\u00dfe", "[PHONE], \u200bGr\u00fc\u00dfe"),
    ],
)
def test_what_looks_alike_is_found_alike(text: str, masked: str) -> None:
    assert Protector().text(text)[0] == masked

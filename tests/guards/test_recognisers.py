"""Each recogniser on cases made by hand: found, left alone, and one digit of the checksum wrong."""

from __future__ import annotations

import pytest

from sharpen import parts
from sharpen.guards import find
from sharpen.guards.findings import settled
from sharpen.guards.recognisers import card, iban, national_id


def values(name: str, text: str) -> list[str]:
    """What one recogniser finds, as text."""
    return [text[f.start : f.end] for f in settled(parts.factory("recogniser", name)().find(text))]


FOUND = [
    ("email", "Write to Ada.L+x@mail.example.co.uk, please.", "Ada.L+x@mail.example.co.uk"),
    ("email", "<jörg@bücher.example>", "jörg@bücher.example"),
    ("email", "mailto:o'neil@example.org.", "o'neil@example.org"),
    ("phone", "Ring +44 20 7946 0958 now", "+44 20 7946 0958"),
    ("phone", "(212) 555-0143 ext. 22", "(212) 555-0143 ext. 22"),
    ("phone", "212.555.0143", "212.555.0143"),
    ("phone", "1-800-555-0199", "1-800-555-0199"),
    ("phone", "Tel: 030 901820", "030 901820"),
    ("phone", "089/12345678", "089/12345678"),
    ("phone", "call me on 5550143", "5550143"),
    ("phone", "+49 (0)30 901820", "+49 (0)30 901820"),
    ("phone", "28-64-66-98 office", "28-64-66-98"),
    ("card", "4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("card", "amex 3782-822463-10005", "3782-822463-10005"),
    ("card", "no. 5555555555554444.", "5555555555554444"),
    ("iban", "to DE89 3704 0044 0532 0130 00 today", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82west12345698765432", "gb82west12345698765432"),
    ("iban", "NO9386011117947", "NO9386011117947"),
    ("us_ssn", "It is 123-45-6780.", "123-45-6780"),
    ("us_ssn", "my SSN is 123456780", "123456780"),
    ("us_ssn", "social security number 123 45 6780", "123 45 6780"),
    ("ip", "from 203.0.113.9:8080", "203.0.113.9"),
    ("ip", "at 2001:db8::8a2e:370:7334.", "2001:db8::8a2e:370:7334"),
    ("ip", "|10.0.0.1|", "10.0.0.1"),
    ("mac", "on 00-1b-44-11-3a-b7", "00-1b-44-11-3a-b7"),
    ("mac", "001b.4411.3ab7", "001b.4411.3ab7"),
    ("national_id", "NI number AB 12 34 56 C", "AB 12 34 56 C"),
    ("national_id", "Steuer-ID: 86095742719", "86095742719"),
    ("national_id", "DNI 12345678Z", "12345678Z"),
    ("national_id", "NIE X1234567L", "X1234567L"),
    ("national_id", "CF RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("national_id", "NIR 2 55 08 14 168 025 38", "2 55 08 14 168 025 38"),
    ("national_id", "111.444.777-35", "111.444.777-35"),
    ("national_id", "cpf 11144477735", "11144477735"),
    ("url_secret", "https://ann:pa55@db.example.org/x", "ann:pa55"),
    ("url_secret", "https://example.org/a?x=1&access_token=abc123def&y=2", "abc123def"),
    ("url_secret", "?X-Amz-Signature=0f9e8d7c", "0f9e8d7c"),
    ("birth_date", "Date of birth: 12/03/1980", "12/03/1980"),
    ("birth_date", "she was born on the 3rd of May 1980", "3rd of May 1980"),
    ("birth_date", "DOB 1980-03-12", "1980-03-12"),
    ("birth_date", "born in Kent on March 12, 1980.", "March 12, 1980"),
    ("address", "at 12 Baker Street, London NW1 6XE today", "12 Baker Street, London NW1 6XE"),
    ("address", "1600 Pennsylvania Ave., Washington, DC 20500", "1600 Pennsylvania Ave., Washington, DC 20500"),
    ("address", "Hauptstraße 12, 10115 Berlin", "Hauptstraße 12, 10115 Berlin"),
    ("address", "PO Box 123", "PO Box 123"),
    ("address", "ZIP code: 90210", "90210"),
    ("address", "Via Tasso 129", "Via Tasso 129"),
]

KEYS = {
    "openai": "sk-" + "proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2",
    "github": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "aws": "AKIA" + "Z7Q2M4N8P1R5T3V6",
    "slack": "xoxb-" + "123456789012-abcdefABCDEF",
    "google": "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "web token": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".c2lnbmF0dXJl",
}

LEFT_ALONE = [
    ("email", "a @ b, @handle, me@localhost, 3@4, x@.com, a@@b.com"),
    ("phone", "2024-05-17 and 17.05.2024, 2020-2024, 12:30:45"),
    ("phone", "order 212-555-0143, invoice no. 0123 456 789, #20240517"),
    ("phone", "3.14159265, 1,234,567.89, 100 200 300, $ 1234567"),
    ("phone", "192.168.100.200 and 10 20 30 40 50"),
    ("phone", "version 2024.10.12345"),
    ("card", "4111 1111 1111 1112"),
    ("card", "0000 0000 0000 0000 and 9111111111111111 and 411111111111"),
    ("card", "id4111111111111111x"),
    ("iban", "GB82 WEST 1234 5698 7654 33 and DE89 3704 0044 0532 0130"),
    ("iban", "ZZ82 WEST 1234 5698 7654 32"),
    ("us_ssn", "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 123-45-0000"),
    ("us_ssn", "123456780 and 123 45 6780 and 1123-45-6780 and 078-05-1120"),
    ("ip", "256.1.1.1, 1.2.3, version 1.2.3.4, 1.2.3.4.5, section 4.3.2.1"),
    ("ip", "12:30:45, std::vector, a::, ::, 1:2"),
    ("mac", "00:1B:44:11:3A, 12-03-19-80-11-22, 00:1B:44:11:3A:B7:00"),
    ("national_id", "GB123456A, AB123456E, 86095742718 tax, 12345678A, X1234567A"),
    ("national_id", "RSSMRA85T10A562T, 2 55 08 14 168 025 39, 111.444.777-36, 86095742719, 11144477735"),
    ("url_secret", "https://example.org:8080/a?page=2&sort=asc, a:b@c"),
    ("birth_date", "The meeting of 12/03/1980 and the birth of a nation. On 5 May 2024 we met"),
    ("address", "During 2017 we sold 12 screens. Scoring 93, 3 people on the street, drive 20 miles"),
    ("api_key", "the token is expired, password: required, my secret is chocolate, sk-learn, api_key=YOUR_KEY_HERE"),
]


@pytest.mark.parametrize(("name", "text", "value"), FOUND)
def test_found(name: str, text: str, value: str) -> None:
    assert values(name, text) == [value]


@pytest.mark.parametrize(("name", "text"), LEFT_ALONE)
def test_left_alone(name: str, text: str) -> None:
    assert values(name, text) == []


@pytest.mark.parametrize("kind", KEYS)
def test_keys_are_known_by_how_they_begin(kind: str) -> None:
    assert values("api_key", f"use {KEYS[kind]}, please") == [KEYS[kind]]


def test_keys_are_known_by_the_name_before_them() -> None:
    assert values("api_key", 'api_key = "Zx81qP0vLm27RtYw"') == ["Zx81qP0vLm27RtYw"]
    assert values("api_key", "Authorization: Bearer Zx81qP0vLm27RtYw9") == ["Zx81qP0vLm27RtYw9"]
    assert values("api_key", "password: hunTer2!x.") == ["hunTer2!x"]
    assert values("api_key", "see Zx81qP0vLm27RtYw") == []


def test_a_private_key_is_found_whole_and_where_it_is_cut_off() -> None:
    begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    assert values("api_key", f"a\n{begin}\nMIIE\n{end}\nb") == [f"{begin}\nMIIE\n{end}"]
    assert values("api_key", f"{begin}\nMIIE") == [f"{begin}\nMIIE"]


@pytest.mark.parametrize("number", ["4111111111111111", "79927398713", "378282246310005"])
def test_luhn_knows_every_single_wrong_digit(number: str) -> None:
    assert card.luhn(number)
    for i, d in enumerate(number):
        for other in "0123456789":
            assert card.luhn(number[:i] + other + number[i + 1 :]) == (other == d)


def test_iban_knows_every_single_wrong_digit_and_neighbours_exchanged() -> None:
    number = "DE89370400440532013000"
    assert iban.valid(number)
    for i in range(2, len(number)):
        assert not any(iban.valid(number[:i] + d + number[i + 1 :]) for d in "0123456789" if d != number[i])
        swapped = number[: i - 1] + number[i] + number[i - 1] + number[i + 1 :]
        assert i < 3 or swapped == number or not iban.valid(swapped)


@pytest.mark.parametrize(
    ("check", "number"),
    [
        (national_id.german, "86095742719"),
        (national_id.spanish, "12345678Z"),
        (national_id.french, "255081416802538"),
        (national_id.brazilian, "11144477735"),
    ],
)
def test_national_numbers_with_a_digit_wrong(check: object, number: str) -> None:
    assert callable(check)
    assert check(number)
    for i, d in enumerate(number):
        if d.isdigit():
            wrong = number[:i] + str((int(d) + 1) % 10) + number[i + 1 :]
            assert not check(wrong), wrong


PEOPLE = [
    ("My name is Rubija", ["Rubija"]),
    ("Dear Ms. Okonkwo-Lind,", ["Okonkwo-Lind"]),
    ("I spoke to Emily J. Watson yesterday.", ["Emily J. Watson"]),
    ("Hannah's order and Peter's reply", ["Hannah", "Peter"]),
    ("Sincerely,\nThomas Müller", ["Thomas Müller"]),
    ("Ludwig van Beethoven wrote it", ["Ludwig van Beethoven"]),
    ("my name is anna kowalska", ["anna kowalska"]),
    ("Dr. Brown will see you", ["Brown"]),
    ("John Smith Ltd. is a company", []),
    ("The Will of the people may change in May and June", []),
    ("We flew to Paris on Monday", []),
    ("Visit us at 12 Baker Street", []),
    ("Click Settings and then Privacy. Thank you!", []),
    ("I'm happy, C'mon! Oh, he'll see", []),
    ("Microsoft Word and Google Maps", []),
]


@pytest.mark.parametrize(("text", "names"), PEOPLE)
def test_persons(text: str, names: list[str]) -> None:
    assert values("person", text) == names


def test_a_name_known_once_is_known_again() -> None:
    text = "My name is Rubija Xelqar. They wrote that Xelqar has paid."
    assert [text[f.start : f.end] for f in find(text)] == ["Rubija Xelqar", "Xelqar"]

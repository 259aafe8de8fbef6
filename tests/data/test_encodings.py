"""Old encodings are told where they are sure, and never told wrongly."""

from __future__ import annotations

import sys

import pytest

from sharpen.data.encodings import told
from sharpen.data.reading import decode

pytest.importorskip("charset_normalizer")

TEXTS = {
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью.",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι.",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "zh": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
    "tw": "人人生而自由,在尊嚴和權利上一律平等。他們賦有理性和良心,並應以兄弟關係的精神相對待。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 이성과 양심을 부여받았다.",
    "pl": "Książka, którą wczoraj kupiłem, była bardzo ciężka, więc położyłem ją na półkę. Może później wyjdę z domu.",
    "de": "Grüße an alle, die übers Wochenende größere Änderungen vorgenommen haben – für Fußgänger gesperrt.",
    "fr": "Les élèves ont été prévenus à l'avance : ça coûte très cher, où que l'on aille, même en été.",
    "es": "El niño comió mañana una piña en España, ¿qué pasó después? La opinión pública cambió.",
    "pt": "Não há informações sobre a situação da população, porém é necessário avançar até amanhã.",
    "sv": "Det är så här på ön: åtta små älgar går över ängen för att äta grönt gräs på våren.",
    "fi": "Tämä on hyvä päivä, sillä äiti ja isä lähtivät töihin ja söivät päärynöitä pöydän ääressä.",
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "encoding", "said"),
    [
        ("ru", "cp1251", "Windows-1251"),
        ("ru", "koi8_r", "KOI8-R"),
        ("el", "cp1253", "Windows-1253"),
        ("ja", "cp932", "Shift JIS"),
        ("ja", "euc_jp", "EUC-JP"),
        ("zh", "gb18030", "GB 18030"),
        ("tw", "big5", "Big5"),
        ("ko", "cp949", "EUC-KR"),
        ("pl", "cp1250", "Windows-1250"),
    ],
)
def test_an_encoding_that_is_sure_is_told(language: str, encoding: str, said: str) -> None:
    text = TEXTS[language]
    assert decode(text.encode(encoding)) == (text, f"is not UTF-8 (line 1); it was read as {said}.")


@pytest.mark.parametrize("language", ["de", "fr", "es", "pt", "sv", "fi"])
@pytest.mark.parametrize("times", [1, 50])
def test_western_texts_stay_windows_1252(language: str, times: int) -> None:
    text = TEXTS[language] * times
    assert decode(text.encode("cp1252")) == (text, "is not UTF-8 (line 1); it was read as Windows-1252.")


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        *[(name, "cp1252") for name in ("de", "fr", "es", "pt", "sv", "fi")],
        *[("ru", e) for e in ("cp1251", "koi8_r", "iso8859_5")],
        *[("el", e) for e in ("cp1253", "iso8859_7")],
        *[("ja", e) for e in ("cp932", "euc_jp")],
        *[("zh", "gb18030"), ("tw", "big5"), ("ko", "cp949"), ("pl", "cp1250"), ("pl", "iso8859_2")],
    ],
)
def test_no_piece_of_a_text_is_told_wrongly(language: str, encoding: str) -> None:
    """Of any length, from anywhere: it is told rightly, or not at all."""
    text = TEXTS[language] * 3
    for length in (5, 15, 30, 60, 120):
        for at in range(0, 90, 9):
            piece = text[at : at + length].encode(encoding, "ignore")
            found = told(piece)
            assert found is None or found[0] == piece.decode(encoding)


def test_bytes_that_are_no_text_are_not_told() -> None:
    assert told(bytes(range(256)) * 40) is None
    assert told(b"") is None


def test_without_the_package_all_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    assert told(TEXTS["ru"].encode("cp1251")) is None
    assert decode(TEXTS["ru"].encode("cp1251"))[1].endswith("Windows-1252.")

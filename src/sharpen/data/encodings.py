"""Which old encoding a text is in, where that can be told for sure.

The package charset-normalizer proposes; what it proposes is believed only where the text then consists of what the
encoding is for (kana and common kanji, Hangul, Cyrillic, Greek, ...), because a short text fits many encodings. Where
the package is not installed nothing is proposed. Turkish, the Baltic languages and short texts of Central European ones
are not told from Western ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

SAMPLE = 1_000_000
"""Bytes that are looked at."""

FEWEST = 16
"""Characters beyond ASCII without which nothing is sure."""

FEWEST_LETTERS = 50
"""The same where each character is one byte, so that all readings consist of letters."""

_SCRIPTS = {
    "cyrillic": ("[\u0400-\u04ff]", ("cp1251", "koi8_r", "koi8_u", "iso8859_5")),
    "greek": ("[\u0370-\u03ff]", ("cp1253", "iso8859_7")),
    "hebrew": ("[\u0590-\u05ff]", ("cp1255", "iso8859_8")),
    "arabic": ("[\u0600-\u06ff]", ("cp1256", "iso8859_6")),
    "thai": ("[\u0e00-\u0e7f]", ("tis_620", "cp874", "iso8859_11")),
}
_KANA, _HANGUL, _HAN = "[\u3041-\u30fe]", "[\uac00-\ud7a3]", "[\u4e00-\u9fff]"
_WIDE = "[\u3000-\u303f\uff01-\uff5e\u2010-\u203b]"  # punctuation and letters of these scripts
_WITHIN = re.compile(r"(?<=[^\W\d_])[\xa1-\xbf\xd7\xf7\ufffd](?=[^\W\d_])")
"""A sign, or a byte that is none in Windows-1252, within a word."""

_BESIDE = re.compile(r"[^\W\d_][\x80-\x9f¦©¬®°±µ¶·¸ˇ˘˙¨˛˝ˇ]|[\x80-\x9f]")
"""What no Central European word has after a letter."""

_NAMES = {"cp932": "Shift JIS", "euc_jp": "EUC-JP", "gb18030": "GB 18030", "big5": "Big5", "cp949": "EUC-KR"}


def told(data: bytes) -> tuple[str, str] | None:
    """Return the text and the name of its encoding, or None where nothing is sure."""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return None
    cut = data if len(data) <= SAMPLE else data[: data.rfind(b"\n", 0, SAMPLE) + 1] or data[:SAMPLE]
    best = from_bytes(cut).best()
    if best is None or best.chaos > 0.1:
        return None
    for name, sure in _candidates(best.encoding):
        try:
            text = data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        beyond = re.sub(r"[\x00-\x7f\xa0]", "", text[:SAMPLE])
        if len(beyond) >= FEWEST and sure(beyond):
            return text, _NAMES.get(name) or name.upper().replace("CP125", "Windows-125").replace("_", "-")
    if best.encoding in ("cp1250", "iso8859_2"):
        return _central(data)
    return None


def _share(pattern: str, text: str) -> float:
    return len(re.findall(pattern, text)) / len(text)


def _letters(script: str, text: str) -> bool:
    """Whether a text is long enough and of one script."""
    return len(text) >= FEWEST_LETTERS and _share(script, text) > 0.85


def _candidates(proposed: str) -> list[tuple[str, Callable[[str], bool]]]:
    """Encodings of the family that was proposed, and what makes each sure."""
    for script, names in _SCRIPTS.values():
        if proposed in names:
            return [(proposed, partial(_letters, script))]
    if not proposed.startswith(("cp932", "shift", "euc", "gb", "hz", "big5", "cp949", "cp950", "johab")):
        return []
    return [
        ("euc_jp", lambda text: _share(_KANA, text) > 0.15 and _share(f"{_KANA}|{_HAN}|{_WIDE}", text) > 0.95),
        ("cp932", lambda text: _share(_KANA, text) > 0.15 and _share(f"{_KANA}|{_HAN}|{_WIDE}", text) > 0.95),
        ("cp949", lambda text: _share(f"{_HANGUL}|{_WIDE}", text) > 0.9 and _daily(text)),
        ("cp932", lambda text: _share(f"{_HAN}|{_WIDE}", text) > 0.95 and proposed == "cp932"),
        ("gb18030", lambda text: _share(f"{_HAN}|{_WIDE}", text) > 0.95 and _common(text, "gb2312")),
        ("big5", lambda text: _share(f"{_HAN}|{_WIDE}", text) > 0.95 and _common(text, "big5")),
    ]


def _common(text: str, encoding: str) -> bool:
    """Whether nearly all characters are of the small set that daily texts are written in."""
    return len(text.encode(encoding, errors="ignore").decode(encoding)) > 0.95 * len(text)


def _daily(text: str) -> bool:
    """Whether nearly all syllables are of the 2,350 that Korean is written in, whose two bytes are both high."""
    packed = text.encode("cp949", errors="ignore")
    return sum(b < 0xA1 for b in packed) < 0.03 * len(packed)


def _central(data: bytes) -> tuple[str, str] | None:
    """Central European, where the Western reading has signs within words and this one has letters there."""
    western = data.decode("cp1252", errors="replace")
    signs = [m.start() for m in _WITHIN.finditer(western)]
    for name, said in (("cp1250", "Windows-1250"), ("iso8859_2", "ISO 8859-2")):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if len(signs) > 2 and all(text[at].isalpha() for at in signs) and not _BESIDE.search(text):
            return text, said
    return None

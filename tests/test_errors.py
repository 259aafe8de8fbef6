"""Messages: no secrets, nothing that a terminal obeys, never endless."""

from __future__ import annotations

import pytest

from sharpen.errors import LONGEST, PluginError, UserError, harmless, shown


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "'openai:http://u:sk-SECRET@host/v1' is not a hosted model.",
            "'openai:http://***@host/v1' is not a hosted model.",
        ),
        ("opnai:http:/u:sk-SECRET@h/v1#m: there is no such file.", "opnai:http:/***@h/v1#m: there is no such file."),
        ("openai:127.0.0.1:8999/v1?api_key=sk-SECRET#m", "openai:127.0.0.1:8999/v1?api_key=***#m"),
        ("http://h/v1?a=1&token=sk-SECRET&b=2", "http://h/v1?a=1&token=***&b=2"),
        ("https://h/x?X-Amz-Key=sk-SECRET", "https://h/x?X-Amz-Key=***"),
        ("write to me@example.org, see http://h/p?page=2", "write to me@example.org, see http://h/p?page=2"),
    ],
)
def test_addresses_lose_what_is_secret(text: str, left: str) -> None:
    assert shown(text) == left
    assert "sk-SECRET" not in str(UserError(text, text, text))
    assert "sk-SECRET" not in str(PluginError("p", "o", ValueError(text)))


def test_a_terminal_is_not_told_what_to_do() -> None:
    assert shown("\x1b[31mred.pdf\u202e\ud800") == "\\x1b[31mred.pdf\\u202e\\ud800"
    assert shown("two\nlines\tand größe 日本") == "two\nlines\tand größe 日本"


def test_data_is_shown_whole_and_harmless() -> None:
    text = "\x1b[2Jred\x9b\r\u202e?token=abc\n\t" + "é日" * LONGEST
    assert harmless(text) == "\\x1b[2Jred\\x9b\\r\\u202e?token=abc\n\t" + "é日" * LONGEST


def test_what_is_endless_is_cut() -> None:
    assert len(shown("x" * 10_000_000)) < LONGEST

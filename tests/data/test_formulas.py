"""Formulas of Word files on one line."""

from __future__ import annotations

import pytest

from sharpen.data.readers._math import formula

etree = pytest.importorskip("lxml.etree")

SPACE = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'


def said(inner: str) -> str:
    return formula(etree.fromstring(f"<m:oMath {SPACE}>{inner}</m:oMath>"))


def t(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (t("m=1"), "m=1"),
        (f"<m:f><m:num>{t('a+b')}</m:num><m:den>{t('2.5')}</m:den></m:f>", "(a+b)/2.5"),
        (f"<m:sSup><m:e>{t('10')}</m:e><m:sup>{t('-6')}</m:sup></m:sSup>", "10^(-6)"),
        (f"<m:sSub><m:e>{t('x')}</m:e><m:sub>{t('i')}</m:sub></m:sSub>", "x_i"),
        (f"<m:rad><m:deg/><m:e>{t('x')}</m:e></m:rad>", "√x"),
        (f"<m:d><m:e>{t('1')}</m:e><m:e>{t('2')}</m:e></m:d>", "(1, 2)"),
        (
            f'<m:d><m:dPr><m:begChr m:val="["/><m:endChr m:val="]"/></m:dPr><m:e>{t("a")}</m:e></m:d>',
            "[a]",
        ),
        (
            f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{t("i=1")}</m:sub><m:sup>{t("n")}</m:sup>'
            f"<m:e>{t('i')}</m:e></m:nary>",
            "∑_(i=1)^n i",
        ),
        (f"<m:func><m:fName>{t('sin')}</m:fName><m:e>{t('θ')}</m:e></m:func>", "sin θ"),
        ("<m:f/>", "/"),
    ],
)
def test_formulas(inner: str, text: str) -> None:
    assert said(inner) == text


def test_a_formula_in_formulas_without_end_is_cut_off() -> None:
    assert said("<m:e>" * 200 + t("x") + "</m:e>" * 200) == ""

"""Texts of tokens that people may be shown, and the setting that names tokens."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import StrKey

from shared.domain.tokens import MAX_SYMBOL, TokenSpec, parse_tokens, readable_text

A, B = (StrKey.encode_contract(bytes([n]) * 32) for n in (1, 2))


@pytest.mark.parametrize(
    "text",
    [
        "USDC",
        "US Dollar",
        "€",
        "$1",
        "7",
        "ETH/BTC",
        "\U0001f680 GO",
        "円",
        "x" * MAX_SYMBOL,
        "e\u0301\u0323",
        "รูปี",
    ],
)
def test_a_plain_text_is_shown(text: str) -> None:
    assert readable_text(text, MAX_SYMBOL) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " USDC",
        "USDC ",
        "x" * (MAX_SYMBOL + 1),
        "US\nDC",
        "US\0DC",
        "US\x1b[31mDC",
        "\u202eCDSU",
        "US\u2066DC",
        "US\u200bDC",
        "US\u00a0DC",
        "USDC\ufeff",
        "US\u2028DC",
        "\\xff",
        "\ue000",
        "USDC\u3164",
        "US\u2800DC",
        "US\ufe0fDC",
        "US\u034fDC",
        "U\u0301\u0302\u0303SDC",
        "US\ufffcDC",
        "\U0001d159",
        "USDC\U0001d159",
        "USDC\U00013441",
        "U\U00016fe4SDC",
        *(f"A{each}" for each in "\u115f\u1160\uffa0\u3000\u1680\u2003"),
        ".",
        "- -",
        "\u0301",
        "\U0001f680",
    ],
)
def test_a_text_that_can_deceive_is_ignored(text: str) -> None:
    assert readable_text(text, MAX_SYMBOL) is None


@given(st.text(max_size=40))
def test_no_invisible_character_is_ever_shown(text: str) -> None:
    shown = readable_text(text, MAX_SYMBOL)
    assert shown in (None, text)
    for character in shown or "":
        category = unicodedata.category(character)
        assert character == " " or category[0] not in "CZ", hex(ord(character))


def test_the_setting_names_symbol_and_decimals() -> None:
    texts = [f"{A}=USDC:7", f"{B}=A:B:18"]
    specs = parse_tokens(texts)
    assert specs == (TokenSpec(A, "USDC", 7), TokenSpec(B, "A:B", 18))
    assert [str(each) for each in specs] == texts


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("USDC:7", "'USDC:7' is not a contract address: expected C…=SYMBOL:DECIMALS"),
        (f"{A[:-1]}A=USDC:7", "is not a contract address"),
        (f"{A}", "no usable symbol"),
        (f"{A}=:7", "no usable symbol"),
        (f"{A}=USDC", "no usable symbol"),
        (f"{A}=US\u202eDC:7", "no usable symbol"),
        (f"{A}=USDC:", "no usable decimals"),
        (f"{A}=USDC:39", "with 0 to 38 decimals"),
        (f"{A}=USDC:-1", "no usable decimals"),
        pytest.param(f"{A}=USDC:{'9' * 5000}", "with 0 to 38 decimals", id="5,000 digits"),
        (f"{A}=\U0001d159:7", "no usable symbol"),
        (f"{A}=USDC:７", "no usable decimals"),
    ],
)
def test_a_wrong_setting_says_what_is_expected(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_tokens([text])


def test_all_mistakes_are_named_together() -> None:
    with pytest.raises(ValueError, match=rf"^'x' is not .*; {A} is listed twice$"):
        parse_tokens(["x=Y:1", f"{A}=USDC:7", f"{A}=USDC:6"])

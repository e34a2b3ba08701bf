"""The metadata of a token: symbol, name, decimals. A value that is not known is None. Pure.

Strangers choose the texts. So a text is accepted only if it is short and cannot deceive the eye: it
has no control characters, none that are drawn blank, and none that change the direction of the
text. It has at least one letter, digit or currency sign. Any other text is ignored. It is not
shortened or corrected, because the rest could deceive too.

See docs/decisions/0084-tokens-name-themselves.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from shared.domain.strkeys import is_contract

MAX_SYMBOL = 32
MAX_NAME = 100
"""Characters. The name of an asset's contract, `CODE:ISSUER`, has at most 69."""
MAX_DECIMALS = 38
"""The largest i128 is about 1.7 × 10^38. So with more decimals no amount would reach 1."""

_INVISIBLE = re.compile(
    r"[\\\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc"
    r"\U00013441\U00013442\U00016fe4\U0001d159\U0001da7f\U0001da80"
    r"\U000e0100-\U000e01ef]"
)
"""A backslash; and what is drawn blank, although Python calls it printable: the characters of
Unicode's Default_Ignorable_Code_Point, the Braille blank, the blanks of Egyptian hieroglyphs, the
Khitan filler, the null notehead of music, the spaces of sign writing, and the object replacement
character."""
_VISIBLE = ("L", "N", "Sc")
"""Categories of Unicode: a text needs at least one letter, digit or currency sign."""
_DECIMALS = re.compile(r"\d{1,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """The metadata in a token's contract. `read_at`: the time of the read, in Unix seconds.

    `asset`: the Stellar asset that the contract represents, `native` or `CODE:ISSUER`. The
    address of the contract proves it.
    """

    symbol: str | None = None
    name: str | None = None
    decimals: int | None = None
    asset: str | None = None
    read_at: int | None = None


UNKNOWN_TOKEN = TokenInfo()
"""The metadata of a token of which nothing is known."""


class TokenSpec(NamedTuple):
    """Symbol and decimals of a token, from the setting TOKENS."""

    address: str
    symbol: str
    decimals: int

    def __str__(self) -> str:
        return f"{self.address}={self.symbol}:{self.decimals}"


def readable_text(text: str, most: int) -> str | None:
    """The text if it can be shown to people, else None. `most`: its maximum length.

    `str.isprintable` refuses control characters, formatting characters (direction, joiners) and
    all spaces but U+0020. A backslash is refused because the XDR decoder writes bytes that are not
    UTF-8 as backslash sequences.
    """
    if not 0 < len(text) <= most or not text.isprintable() or text != text.strip():
        return None
    if _INVISIBLE.search(text) or _has_stacked_marks(text) or not _has_letters(text):
        return None
    return text


def _has_letters(text: str) -> bool:
    return any(unicodedata.category(each).startswith(_VISIBLE) for each in text)


def _has_stacked_marks(text: str) -> bool:
    """True if a letter has more than two marks, such as accents: they would cover other lines."""
    runs = groupby(text, key=lambda each: unicodedata.category(each) in ("Mn", "Me"))
    return any(is_mark and len(list(run)) > 2 for is_mark, run in runs)


def parse_tokens(texts: Iterable[str]) -> tuple[TokenSpec, ...]:
    """Parse `C…=SYMBOL:DECIMALS`. Raises ValueError with all mistakes in its message."""
    found, mistakes = [], []
    for text in texts:
        try:
            found.append(_parse(text))
        except ValueError as error:
            mistakes.append(str(error))
    addresses = [each.address for each in found]
    twice = [each for each in dict.fromkeys(addresses) if addresses.count(each) > 1]
    mistakes += [f"{address} is listed twice" for address in twice]
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return tuple(found)


def _parse(text: str) -> TokenSpec:
    address, _, rest = text.partition("=")
    symbol, _, decimals = rest.rpartition(":")
    if not is_contract(address):
        raise ValueError(f"{address[:80]!r} is not a contract address: expected {_FORM}")
    if readable_text(symbol, MAX_SYMBOL) is None:
        raise ValueError(
            f"{text[:120]!r} has no usable symbol: expected {_FORM}, "
            f"with a symbol of 1 to {MAX_SYMBOL} visible characters"
        )
    if not _DECIMALS.fullmatch(decimals) or int(decimals) > MAX_DECIMALS:
        raise ValueError(
            f"{text[:120]!r} has no usable decimals: expected {_FORM}, "
            f"with 0 to {MAX_DECIMALS} decimals"
        )
    return TokenSpec(address, symbol, int(decimals))


_FORM = "C…=SYMBOL:DECIMALS, such as C…=USDC:7"

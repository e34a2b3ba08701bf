"""Parse a transaction in Horizon's JSON strictly; an error names the wrong field. Pure.

The parser never guesses a value and never skips a transaction, because that could lose an event.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared.domain.errors import HeadraceError
from shared.domain.instant import unix_seconds
from shared.domain.position import transaction_of


class MalformedError(HeadraceError, ValueError):
    """A source's answer is damaged. The indexer must neither use nor skip any part of it."""


@dataclass(frozen=True, slots=True)
class HorizonTransaction:
    """The fields of Horizon's transaction that the indexer uses. `closed_at`: an ISO 8601 time."""

    toid: int
    hash: str
    ledger: int
    closed_at: str
    successful: bool
    envelope: bytes
    result: bytes
    meta: bytes | None

    @property
    def closed(self) -> int:
        """When the ledger closed, in Unix seconds."""
        return int(unix_seconds(self.closed_at))


def parse_record(document: Mapping[str, Any]) -> HorizonTransaction:
    """Parse a transaction in Horizon's JSON. Raises MalformedError, which names the wrong field."""
    parts = []
    for name, read in _FIELDS.items():
        try:
            parts.append(read(document.get(name)))
        except (TypeError, ValueError) as error:
            raise MalformedError(f"{name!r} is missing or wrong: {error!s:.200}") from error
    record = HorizonTransaction(*parts)
    if record.toid >> 32 != record.ledger or transaction_of(record.toid) != record.toid:
        raise MalformedError(f"'paging_token' {record.toid} is not in ledger {record.ledger}")
    return record


def matching(pattern: str) -> Callable[[Any], str]:
    """Create a parser for text that matches a pattern."""
    match = re.compile(pattern, re.ASCII).fullmatch

    def read(value: Any) -> str:
        if match(value) is None:
            raise ValueError(f"{value!r} does not match {pattern}")
        return str(value)

    return read


def typed(kind: type) -> Callable[[Any], Any]:
    """Create a parser that accepts only values of exactly this type."""

    def read(value: Any) -> Any:
        if type(value) is not kind:  # isinstance() would accept a bool as an int
            raise TypeError(f"{value!r} is not of type {kind.__name__}")
        return value

    return read


@lru_cache(maxsize=256)  # all transactions of a ledger have the same time
def time_text(text: Any) -> str:
    """Check that a text is a time since 1970 with a time zone; returns the text unchanged."""
    unix_seconds(text)
    return str(text)


def base64_bytes(text: Any) -> bytes:
    """Decode base64 strictly."""
    return binascii.a2b_base64(text, strict_mode=True)


def known_meta(raw: bytes) -> bytes | None:
    """Return the meta; None if the server left its content out (Horizon's setting SKIP_TXMETA)."""
    return None if raw in _EMPTY_METAS else raw


hash_text = matching("[0-9a-f]{64}")
"""Parses the hash of a transaction or a ledger: 64 hex digits."""
_digits = matching(r"\d{1,19}")
_EMPTY_WORDS = {0: 1, 1: 2, 2: 3, 3: 5, 4: 7}
"""By version: how many zero words of 4 bytes follow the version number in an empty meta."""
_EMPTY_METAS = {version.to_bytes(4, "big") + bytes(4 * n) for version, n in _EMPTY_WORDS.items()}
"""The empty metas that Horizon sends with SKIP_TXMETA.

The real meta of a successful transaction is never equal to one of these, because it describes at
least one operation.
"""
_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "paging_token": lambda value: int(_digits(value)),
    "hash": hash_text,
    "ledger": typed(int),
    "created_at": time_text,
    "successful": typed(bool),
    "envelope_xdr": base64_bytes,
    "result_xdr": base64_bytes,
    "result_meta_xdr": lambda value: known_meta(base64_bytes(value)) if value else None,
}
"""The parser for each field of Horizon's JSON, in the order of HorizonTransaction's fields."""

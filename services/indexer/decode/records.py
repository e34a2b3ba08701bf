"""Records: a transaction as Horizon's JSON tells it, read strictly and with the mistake named.

Pure. What is not as it should be is never guessed at: a transaction that was skipped because a
field was odd would be an event lost.
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
    """What a source sent is not a transaction; nothing of it may be believed or skipped."""


@dataclass(frozen=True, slots=True)
class HorizonTransaction:
    """The parts of Horizon's transaction that are read."""

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
        """The ledger's close in Unix seconds."""
        return int(unix_seconds(self.closed_at))


def parse_record(document: Mapping[str, Any]) -> HorizonTransaction:
    """Read Horizon's JSON. Raises MalformedError that names the field."""
    parts = []
    for name, read in _FIELDS.items():
        try:
            parts.append(read(document.get(name)))
        except (TypeError, ValueError) as error:
            raise MalformedError(f"{name!r} is missing or wrong: {error!s:.200}") from error
    record = HorizonTransaction(*parts)
    if record.toid >> 32 != record.ledger or transaction_of(record.toid) != record.toid:
        raise MalformedError(f"'paging_token' {record.toid} is no transaction's of {record.ledger}")
    return record


def matching(pattern: str) -> Callable[[Any], str]:
    """Reads text of that form."""
    match = re.compile(pattern, re.ASCII).fullmatch

    def read(value: Any) -> str:
        if match(value) is None:
            raise ValueError(f"{value!r} is not like {pattern}")
        return str(value)

    return read


def typed(kind: type) -> Callable[[Any], Any]:
    """Reads what is of just that type."""

    def read(value: Any) -> Any:
        if type(value) is not kind:  # a bool is an int to Python
            raise TypeError(f"{value!r} is no {kind.__name__}")
        return value

    return read


@lru_cache(maxsize=256)  # all of a ledger share theirs
def time_text(text: Any) -> str:
    """Reads a time since 1970 with its zone, as it stands."""
    unix_seconds(text)
    return str(text)


def base64_bytes(text: Any) -> bytes:
    """Reads base64, strictly."""
    return binascii.a2b_base64(text, strict_mode=True)


def known_meta(raw: bytes) -> bytes | None:
    """A TransactionMeta; None when the server left out its whole content."""
    return None if raw in _EMPTY_METAS else raw


hash_text = matching("[0-9a-f]{64}")
"""Reads a hash of a transaction or a ledger."""
_digits = matching(r"\d{1,19}")
_EMPTY_WORDS = {0: 1, 1: 2, 2: 3, 3: 5, 4: 7}
"""Number of lists and options in a TransactionMeta by version; an empty one is a zero word."""
_EMPTY_METAS = {version.to_bytes(4, "big") + bytes(4 * n) for version, n in _EMPTY_WORDS.items()}
"""Empty metas, as Horizon sends them under SKIP_TXMETA.

A successful transaction has at least one operation, and a complete meta describes each.
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
"""Horizon's fields in the order of Record's."""

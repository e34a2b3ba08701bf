"""Convert the answer of getTransaction into a HorizonTransaction. Pure.

See docs/decisions/0023-one-proof-for-both-sources.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.indexer.sources.rpc.pages import TransactionEvents
from shared.chain.decode.records import (
    HorizonTransaction,
    MalformedError,
    base64_bytes,
    known_meta,
)
from shared.domain.errors import HeadraceError

_SUCCESS, _FAILED, _NOT_FOUND = "SUCCESS", "FAILED", "NOT_FOUND"


class LedgerNotReachedError(HeadraceError):
    """The server ends before the transaction's ledger; another server at the URL has the event."""


def read_details(result: Mapping[str, Any], transaction: TransactionEvents) -> HorizonTransaction:
    """Parse a transaction. Its meta is None if the server has trimmed the transaction.

    Raises MalformedError, which names the field; LedgerNotReachedError.
    """
    status, ledger = result.get("status"), transaction.toid >> 32
    if status == _NOT_FOUND:
        latest = result.get("latestLedger")
        if isinstance(latest, int) and latest < ledger:
            raise LedgerNotReachedError(
                f"the server ends at ledger {latest}, the transaction is in {ledger}"
            )
        return _record(transaction, True, b"", b"", None)
    if status not in (_SUCCESS, _FAILED) or result.get("ledger") != ledger:
        raise MalformedError(
            f"the transaction is {status!r} in ledger {result.get('ledger')!r}, not in {ledger}"
        )
    blobs = []
    for name in ("envelopeXdr", "resultXdr", "resultMetaXdr"):
        try:
            blobs.append(base64_bytes(result.get(name)))
        except (TypeError, ValueError) as error:
            raise MalformedError(f"{name!r} is missing or wrong: {error!s:.200}") from error
    if status == _SUCCESS and known_meta(blobs[-1]) is None:
        raise MalformedError("'resultMetaXdr' is empty")
    return _record(transaction, status == _SUCCESS, *blobs)


def _record(
    transaction: TransactionEvents,
    successful: bool,
    envelope: bytes,
    result: bytes,
    meta: bytes | None,
) -> HorizonTransaction:
    return HorizonTransaction(
        transaction.toid,
        transaction.hash,
        transaction.toid >> 32,
        transaction.closed_at,
        successful,
        envelope,
        result,
        meta,
    )

"""All of a ledger in XDR, as RPC's getLedgers shows it: LedgerHeaderHistoryEntry, LedgerCloseMeta.

It is put together from bytes, because a ledger may hold XDR that is newer than the SDK.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from deploy.simulator.chain.ledger import Ledger, Transaction

_NONE = bytes(4)  # an empty list, or a union's arm 0, or an optional that is not there


def history_entry(ledger: Ledger) -> bytes:
    """The ledger's hash and header."""
    return bytes.fromhex(ledger.hash) + ledger.header + _NONE


def close_meta(ledger: Ledger) -> bytes:
    """The LedgerCloseMeta, version 2 (protocol 23 and later)."""
    head = _number(2) + _NONE + history_entry(ledger)
    done = _many([_processed(each) for each in ledger.transactions])
    upgrades, scp, size, evicted = _NONE, _NONE, bytes(8), _NONE
    return head + _transaction_set(ledger) + done + upgrades + scp + size + evicted


def _transaction_set(ledger: Ledger) -> bytes:
    """Generalized, version 1: all in a single classic phase, without a discounted fee."""
    envelopes = [_raw(each.signed.envelope) for each in ledger.transactions]
    component = _number(0) + _NONE + _many(envelopes)
    phase = _number(0) + _many([component])
    return _number(1) + bytes.fromhex(ledger.previous) + _many([phase])


def _processed(transaction: Transaction) -> bytes:
    """A TransactionResultMetaV1: no changes by fees, before or after."""
    result = bytes.fromhex(transaction.hash) + _raw(transaction.result)
    return _NONE + result + _NONE + _raw(transaction.meta or "") + _NONE


def _many(parts: Sequence[bytes]) -> bytes:
    return _number(len(parts)) + b"".join(parts)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _raw(text: str) -> bytes:
    return base64.b64decode(text)

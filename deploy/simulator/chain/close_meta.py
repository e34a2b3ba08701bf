"""A whole ledger in XDR, as RPC's getLedgers returns it.

The parts are LedgerHeaderHistoryEntry and LedgerCloseMeta. This module joins their bytes without
the SDK, because a ledger may contain XDR that is newer than the SDK.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from deploy.simulator.chain.ledger import Ledger, Transaction

_NONE = bytes(4)  # four zero bytes: an empty list, case 0 of a union, or an absent optional


def history_entry(ledger: Ledger) -> bytes:
    """The LedgerHeaderHistoryEntry: hash and header."""
    return bytes.fromhex(ledger.hash) + ledger.header + _NONE


def close_meta(ledger: Ledger) -> bytes:
    """The LedgerCloseMeta, version 2 (protocol 23 and later)."""
    head = _number(2) + _NONE + history_entry(ledger)
    done = _many([_processed(each) for each in ledger.transactions])
    upgrades, scp, size, evicted = _NONE, _NONE, bytes(8), _NONE
    return head + _transaction_set(ledger) + done + upgrades + scp + size + evicted


def _transaction_set(ledger: Ledger) -> bytes:
    """A GeneralizedTransactionSet, version 1, with one classic phase and no discounted fee."""
    envelopes = [_raw(each.signed.envelope) for each in ledger.transactions]
    component = _number(0) + _NONE + _many(envelopes)
    phase = _number(0) + _many([component])
    return _number(1) + bytes.fromhex(ledger.previous) + _many([phase])


def _processed(transaction: Transaction) -> bytes:
    """A TransactionResultMetaV1. Fees change no entries, before or after the transaction."""
    result = bytes.fromhex(transaction.hash) + _raw(transaction.result)
    return _NONE + result + _NONE + _raw(transaction.meta or "") + _NONE


def _many(parts: Sequence[bytes]) -> bytes:
    return _number(len(parts)) + b"".join(parts)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _raw(text: str) -> bytes:
    return base64.b64decode(text)

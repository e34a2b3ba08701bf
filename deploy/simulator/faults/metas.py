"""The meta of a transaction as a broken server sends it: with a flipped bit, or emptied."""

from __future__ import annotations

import base64
from dataclasses import replace

from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.chain.values import to_base64

_WORDS = {3: 5, 4: 7}
"""An empty meta is its version, followed by this many zero words of 4 bytes."""


def corrupt(transaction: Transaction) -> Transaction:
    """The transaction with one bit flipped: the last bit in the data of its first event.

    The bit is flipped in the events and in the meta. The XDR stays readable. Only the hash in the
    result shows the change.
    """
    operation = next(n for n, events in enumerate(transaction.operations) if events)
    event, *others = transaction.operations[operation]
    raw = base64.b64decode(event.xdr)
    flipped = raw[:-1] + bytes([raw[-1] ^ 1])
    value = base64.b64decode(event.value)
    bad = replace(event, xdr=to_base64(flipped), value=to_base64(value[:-1] + flipped[-1:]))
    operations = list(transaction.operations)
    operations[operation] = (bad, *others)
    meta = base64.b64decode(transaction.meta or "").replace(raw, flipped, 1)
    return replace(transaction, meta=to_base64(meta), operations=tuple(operations))


def emptied(transaction: Transaction) -> Transaction:
    """The transaction in the form that a Horizon with SKIP_TXMETA returns.

    The meta keeps its version and is valid XDR, but all its lists are empty.
    """
    version = int.from_bytes(base64.b64decode(transaction.meta or "AAAABA==")[:4], "big")
    meta = version.to_bytes(4, "big") + bytes(4 * _WORDS[version])
    return replace(transaction, meta=to_base64(meta))

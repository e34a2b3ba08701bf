"""Proof that events are the network's own: their hash is in the transaction's result.

Whoever serves a meta can invent events. The validators agree on results only, and the result of a
contract's call is a hash over what it returned and emitted, so that the one proves the other.
"""

from hashlib import sha256

from services.indexer.xdr import TransactionMeta, TransactionResult


def verify(meta: TransactionMeta, result: TransactionResult | None) -> bool | None:
    """Return whether `result` proves all events of `meta`; None where it says nothing of them.

    None means: no result, or a transaction that called no contract. (Since protocol 23 payments
    and other classic operations may have events too, which no hash covers.)
    """
    if result is None:
        return None
    if not result.successful:
        return False if any(meta.event_xdr) else None  # what failed has left no events
    if not result.invoke_hash:
        return None
    if meta.return_value is None or len(meta.event_xdr) != 1:
        return False  # a call is its transaction's only operation, and always returns something
    return _digest(meta.return_value, meta.event_xdr[0]) == result.invoke_hash[0]


def _digest(return_value: bytes, events: tuple[bytes, ...]) -> bytes:
    """SHA-256 of the XDR of InvokeHostFunctionSuccessPreImage: a value, then an array of events."""
    return sha256(return_value + len(events).to_bytes(4, "big") + b"".join(events)).digest()

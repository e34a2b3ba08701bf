"""Prove a transaction's events by the hash in its result.

A server could invent events in a meta. But the validators sign the results of transactions, and the
result of an invocation is the SHA-256 of its return value and its events. So the result proves the
return value and the events.

See docs/decisions/0004-events-are-proved.md.
"""

from hashlib import sha256

from shared.chain.xdr import TransactionMeta, TransactionResult


def verify(meta: TransactionMeta, result: TransactionResult | None) -> bool | None:
    """Return True if `result` proves the events of `meta`, False if they do not match.

    Returns None if nothing can be proved: there is no result, or the transaction called no
    contract. Since protocol 23 (CAP-67), payments and other classic operations have events too, but
    no hash covers these events.
    """
    if result is None:
        return None
    if not result.successful:
        return False if any(meta.event_xdr) else None  # a failed transaction has no events
    if not result.invoke_hash:
        return None
    if meta.return_value is None or len(meta.event_xdr) != 1:
        return False  # a call is the only operation of its transaction, and always returns a value
    return _digest(meta.return_value, meta.event_xdr[0]) == result.invoke_hash[0]


def _digest(return_value: bytes, events: tuple[bytes, ...]) -> bytes:
    """Hash the XDR of InvokeHostFunctionSuccessPreImage: the return value, then the events."""
    return sha256(return_value + len(events).to_bytes(4, "big") + b"".join(events)).digest()

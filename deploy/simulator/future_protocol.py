"""Events in XDR that is newer than the SDK, to test dead letters.

The SDK cannot write such XDR. So a transaction is first made with XDR that the SDK knows. Then the
bytes of its events are rewritten, in its meta too, and the hash in its result is computed again. So
the hash still matches the events.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from stellar_sdk import xdr

from deploy.simulator.chain.ledger import Transaction
from deploy.simulator.chain.values import Emitted, to_base64

Change = Callable[[bytes], bytes]


def _muxed_contract(raw: bytes) -> bytes:
    """Protocol 30: make a muxed account (case 2 of SCAddress) a muxed contract (case 5)."""
    return raw.replace(struct.pack(">II", 18, 2), struct.pack(">II", 18, 5))


def _unknown_type(raw: bytes) -> bytes:
    """Change the type of `timestamp` from u64 to type 99, which does not exist yet."""
    name = b"timestamp\0\0\0"
    return raw.replace(name + struct.pack(">I", 5), name + struct.pack(">I", 99))


CHANGES: Mapping[str, Change] = {"muxed_contract": _muxed_contract, "unknown_type": _unknown_type}


def rewritten(transaction: Transaction, returned: xdr.SCVal, change: Change) -> Transaction:
    """The transaction with changed events. `returned` is the return value of its call."""
    (events,) = transaction.operations
    before = [base64.b64decode(event.xdr) for event in events]
    after = [change(raw) for raw in before]
    meta = base64.b64decode(transaction.meta or "")
    for old, new in zip(before, after, strict=True):
        meta = meta.replace(old, new)
    result = base64.b64decode(transaction.result)
    result = result.replace(_commitment(returned, before), _commitment(returned, after))
    return replace(
        transaction,
        meta=to_base64(meta),
        result=to_base64(result),
        operations=(tuple(_event(event, change) for event in events),),
    )


def _commitment(returned: xdr.SCVal, events: Sequence[bytes]) -> bytes:
    """The same hash as `InvocationOutcome.commitment`, for events that exist only as bytes."""
    image = returned.to_xdr_bytes() + struct.pack(">I", len(events)) + b"".join(events)
    return sha256(image).digest()


def _event(event: Emitted, change: Change) -> Emitted:
    def changed(text: str) -> str:
        return to_base64(change(base64.b64decode(text)))

    topics = tuple(changed(topic) for topic in event.topics)
    return replace(event, topics=topics, value=changed(event.value), xdr=changed(event.xdr))

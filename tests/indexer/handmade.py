"""Transactions made byte by byte, including those that no contract and no SDK would make."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from stellar_sdk import scval, xdr

from deploy.simulator.chain import accounts
from shared.chain.decode.contracts import WatchedContract, WatchedContracts
from shared.chain.decode.records import HorizonTransaction, parse_record
from shared.domain.position import toid

NOW = 1_770_000_000
CONTRACTS = WatchedContracts.of(accounts.STREAMS, f"{accounts.TOKEN}:token")
WATCHED, TOKEN = CONTRACTS.all
[OTHER] = WatchedContracts.of(accounts.STRANGER).all
ALICE, BOB, CAROL = (accounts.address(name) for name in ("alice", "bob", "carol"))
VOID = b"\0\0\0\1"
UNKNOWN = b"\0\0\0\x63"
"""An ScVal of an unknown type: its end cannot be found."""
DEEP = b"\0\0\0\x10\0\0\0\1\0\0\0\1" * 300 + VOID
"""300 nested vecs: the end can be found, but it is too deep to decode."""

Raw = bytes


def number(n: int) -> Raw:
    return struct.pack(">I", n)


def event(name: str, stream_id: int | None, data: Raw, contract: WatchedContract = WATCHED) -> Raw:
    """The XDR of a contract's event; `data` is an ScVal."""
    topics = [scval.to_symbol(name)]
    if stream_id is not None:
        topics.append(scval.to_uint64(stream_id))
    spelled = b"".join(topic.to_xdr_bytes() for topic in topics)
    head = number(0) + number(1) + contract.raw + number(1) + number(0)
    return head + number(len(topics)) + spelled + data


def fields(**values: xdr.SCVal) -> Raw:
    """A map with names as keys, as contracts use for their data."""
    return scval.to_struct(values).to_xdr_bytes()


def created(stream_id: int = 7) -> Raw:
    """stream_created with a deposit of 995000 at 11 a second, from Alice to Bob."""
    data = fields(
        deposited_amount=scval.to_int128(995_000),
        rate_per_second=scval.to_int128(11),
        recipient=scval.to_address(BOB),
        sender=scval.to_address(ALICE),
        start_time=scval.to_uint64(NOW),
        stream_id=scval.to_uint64(stream_id),
        token_address=scval.to_address(accounts.TOKEN),
    )
    return event("stream_created", stream_id, data)


def withdrawn(amount: int = 1100, stream_id: int = 7) -> Raw:
    data = fields(amount=scval.to_int128(amount), timestamp=scval.to_uint64(NOW + 100))
    return event("tokens_withdrawn", stream_id, data)


def array(items: Sequence[Raw]) -> Raw:
    return number(len(items)) + b"".join(items)


def meta_v4(
    *operations: Sequence[Raw], returned: Raw | None = VOID, changes: Raw = bytes(4)
) -> Raw:
    """TransactionMetaV4: `operations` has the events of each operation; `changes` precede them."""
    spelled = [bytes(8) + array(events) for events in operations]
    soroban = number(0) if returned is None else number(1) + number(0) + number(1) + returned
    return number(4) + number(0) + changes + array(spelled) + number(0) + soroban + bytes(8)


def meta_v3(*events: Raw, returned: Raw = VOID) -> Raw:
    """TransactionMetaV3 of one operation."""
    soroban = number(1) + number(0) + array(events) + returned + number(0)
    return number(3) + bytes(8) + array([bytes(4)]) + number(0) + soroban


def proof(events: Sequence[Raw], returned: Raw = VOID) -> Raw:
    return sha256(returned + array(events)).digest()


def result(digest: Raw | None, *, code: int = 0) -> Raw:
    """TransactionResult of an invocation; of a payment if there is no digest."""
    outcome = number(0) * 3 if digest is None else number(0) + number(24) + number(0) + digest
    if digest is None:
        outcome = number(0) + number(1) + number(0)  # opINNER, PAYMENT, success
    return struct.pack(">qi", 100, code) + array([outcome]) + number(0)


def fee_bump(inner: Raw) -> Raw:
    """The result of a fee bump around a successful call."""
    return struct.pack(">qi", 300, 1) + bytes(32) + inner + number(0)


def document(
    meta: Raw | None,
    outcome: Raw,
    *,
    ledger: int = 1000,
    order: int = 1,
    contract: WatchedContract = WATCHED,
    successful: bool = True,
    closed: int = NOW,
) -> dict[str, Any]:
    """Horizon's JSON of a transaction whose footprint names the contract."""
    spelled = {
        "paging_token": str(toid(ledger, order)),
        "hash": sha256(b"%d/%d" % (ledger, order)).hexdigest(),
        "ledger": ledger,
        "created_at": datetime.fromtimestamp(closed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "successful": successful,
        "envelope_xdr": base64.b64encode(b"call:" + contract.raw).decode(),
        "result_xdr": base64.b64encode(outcome).decode(),
    }
    if meta is not None:
        spelled["result_meta_xdr"] = base64.b64encode(meta).decode()
    return spelled


def record(meta: Raw | None, outcome: Raw, **where: Any) -> HorizonTransaction:
    return parse_record(document(meta, outcome, **where))


def proven(*events: Raw, **where: Any) -> HorizonTransaction:
    """The record of a call with these events, whose result proves them."""
    return record(meta_v4(events), result(proof(events)), **where)


def without(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}

"""Transactions that a wallet signs, and what became of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from headrace_client.model.fields import Json, required, whole, whole_or_none
from headrace_client.model.stream import Stream

TransactionAction = Literal["create", "top_up", "withdraw", "pause", "resume", "cancel"]
TransactionStatus = Literal["pending", "succeeded", "failed", "expired"]


class TransactionArguments(TypedDict, total=False):
    """What an action needs. `source` is the account that acts; by default that of the token.

    `create`: `recipient`, `token`, `amount` in base units, and `duration` in seconds. `top_up`:
    `stream_id` and `amount`. The others: `stream_id`.
    """

    source: str | None
    stream_id: str | None
    recipient: str | None
    token: str | None
    amount: int | None
    duration: int | None


@dataclass(frozen=True, slots=True)
class Fee:
    """The most that can be charged, in stroops (0.0000001 XLM). `total` is the sum."""

    inclusion: int
    resource: int
    total: int


@dataclass(frozen=True, slots=True)
class PreparedTransaction:
    """A transaction to sign. `xdr` is the unsigned envelope in base64.

    `action` is "restore" if archived entries must be restored first: when this transaction is
    settled, prepare the same action again. It is no call, so `function` is None. `stream_id` is
    the id of the new stream, and `amount` is what a withdrawal would pay now. `events` are objects
    as in docs/events.md, without what only a ledger can say, such as `id`. `stream` is the stream
    after the call. After `max_time` (Unix seconds) the transaction can be in no ledger any more.
    """

    action: str
    contract: str
    function: str | None
    arguments: Mapping[str, Any]
    source: str
    sequence: int
    xdr: str
    hash: str
    network_passphrase: str
    fee: Fee
    max_time: int
    stream_id: str | None
    amount: int | None
    events: tuple[Json, ...]
    stream: Stream | None
    document: Json

    @classmethod
    def from_json(cls, document: Json) -> PreparedTransaction:
        """The transaction in a JSON object. Raises ProtocolError if it is none."""
        fee, returns = required(document, "fee"), document.get("returns") or {}
        stream = document.get("stream")
        return cls(
            action=required(document, "action"),
            contract=required(document, "contract"),
            function=document.get("function"),
            arguments=required(document, "arguments"),
            source=required(document, "source"),
            sequence=whole(required(document, "sequence")),
            xdr=required(document, "xdr"),
            hash=required(document, "hash"),
            network_passphrase=required(document, "networkPassphrase"),
            fee=Fee(*(whole(required(fee, name)) for name in ("inclusion", "resource", "total"))),
            max_time=required(required(document, "timeBounds"), "maxTime"),
            stream_id=returns.get("streamId"),
            amount=whole_or_none(returns.get("amount")),
            events=tuple(document.get("events") or ()),
            stream=Stream.from_json(stream) if stream else None,
            document=document,
        )


@dataclass(frozen=True, slots=True)
class TransactionFailure:
    """Why a transaction failed: the name of the error, such as StreamInactive, and a sentence."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """What became of a transaction. `status` is final unless it is "pending".

    "expired" means that its time is over, and that it is in no ledger. `fee` is what was charged,
    in stroops. Times are in Unix seconds. `events` are objects as in docs/events.md, with their
    positions (`id`), without `publishedAt` and `stream`.
    """

    hash: str
    status: TransactionStatus
    expires_at: int | None
    ledger: int | None
    closed_at: int | None
    fee: int | None
    events: tuple[Json, ...]
    error: TransactionFailure | None
    document: Json

    @classmethod
    def from_json(cls, document: Json) -> Transaction:
        """The state in a JSON object. Raises ProtocolError if it is none."""
        error = document.get("error")
        return cls(
            hash=required(document, "hash"),
            status=required(document, "status"),
            expires_at=document.get("expiresAt"),
            ledger=document.get("ledger"),
            closed_at=document.get("closedAt"),
            fee=whole_or_none(document.get("fee")),
            events=tuple(document.get("events") or ()),
            error=error and TransactionFailure(required(error, "code"), required(error, "detail")),
            document=document,
        )

    @property
    def is_settled(self) -> bool:
        """True if the status does not change any more."""
        return self.status != "pending"

"""An event, as a subscription and the history bring it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from headrace_client.model.fields import Json, required, whole_or_none
from headrace_client.model.stream import Origin, Stream


class EventType(StrEnum):
    """The types of events. A newer server can send others, so `Event.type` is a text."""

    STREAM_CREATED = "stream.created"
    STREAM_TOPPED_UP = "stream.topped_up"
    STREAM_WITHDRAWN = "stream.withdrawn"
    STREAM_PAUSED = "stream.paused"
    STREAM_RESUMED = "stream.resumed"
    STREAM_COMPLETED = "stream.completed"
    STREAM_CANCELLED = "stream.cancelled"
    STREAM_UPDATED = "stream.updated"
    STREAM_ACCEPTED = "stream.accepted"
    STREAM_HIDDEN = "stream.hidden"
    STREAM_FEE_COLLECTED = "stream.fee_collected"
    STREAM_RECIPIENT_TRANSFERRED = "stream.recipient_transferred"
    STREAM_RATE_MODIFIED = "stream.rate_modified"
    STREAM_MILESTONE_UNLOCKED = "stream.milestone_unlocked"
    STREAM_DISPUTE_REQUESTED = "stream.dispute_requested"
    STREAM_DISPUTE_RESOLVED = "stream.dispute_resolved"
    STREAM_CLOSED = "stream.closed"
    STREAM_SNAPSHOT = "stream.snapshot"
    STREAM_UNCERTAIN = "stream.uncertain"
    STREAM_RUNNING_LOW = "stream.running_low"
    STREAM_DEPLETED = "stream.depleted"
    CONTRACT_INITIALIZED = "contract.initialized"
    CONTRACT_FEE_CONFIG_UPDATED = "contract.fee_config_updated"
    CONTRACT_ADMIN_TRANSFERRED = "contract.admin_transferred"
    CONTRACT_PAUSE_CHANGED = "contract.pause_changed"
    CONTRACT_GUARDIAN_UPDATED = "contract.guardian_updated"
    CONTRACT_UPGRADED = "contract.upgraded"
    CONTRACT_STATE_MIGRATED = "contract.state_migrated"
    TOKEN_TRANSFER = "token.transfer"
    TOKEN_MINT = "token.mint"
    TOKEN_BURN = "token.burn"
    TOKEN_CLAWBACK = "token.clawback"
    CHAIN_UNKNOWN = "chain.unknown"
    WEBHOOK_DISABLED = "webhook.disabled"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a stream, a token or the contract.

    `id` is the event's position: a subscription continues after it. `data` is the whole JSON
    object, with the fields that only this type has. `timestamp` is in Unix seconds, `published_at`
    in Unix microseconds. Only events of the chain have a contract, a ledger and a transaction.
    """

    id: str
    type: str
    stream_id: str | None
    timestamp: int
    published_at: int
    origin: Origin
    data: Json
    sender: str | None = None
    recipient: str | None = None
    token_address: str | None = None
    contract_id: str | None = None
    ledger: int | None = None
    ledger_closed_at: str | None = None
    tx_hash: str | None = None
    verified: bool | None = None

    @classmethod
    def from_json(cls, document: Json) -> Event:
        """The event in a JSON object. Raises ProtocolError if it is none."""
        return cls(
            id=required(document, "id"),
            type=required(document, "type"),
            stream_id=document.get("streamId"),
            timestamp=required(document, "timestamp"),
            published_at=required(document, "publishedAt"),
            origin=required(document, "origin"),
            data=document,
            sender=document.get("sender"),
            recipient=document.get("recipient"),
            token_address=document.get("tokenAddress"),
            contract_id=document.get("contractId"),
            ledger=document.get("ledger"),
            ledger_closed_at=document.get("ledgerClosedAt"),
            tx_hash=document.get("txHash"),
            verified=document.get("verified"),
        )

    @property
    def time(self) -> datetime:
        """When it happened, in UTC."""
        return datetime.fromtimestamp(self.timestamp, UTC)

    @property
    def amount(self) -> int | None:
        """The field `amount` in base units; None if this type of event has none."""
        return whole_or_none(self.data.get("amount"))

    @property
    def stream_version(self) -> int | None:
        """The version of the stream after this event; None if the event shows no stream."""
        stream = self.data.get("stream")
        return stream["version"] if stream else None

    @property
    def stream(self) -> Stream | None:
        """The stream after this event; None with `compact`, or if the event shows no stream."""
        stream = self.data.get("stream")
        return Stream.from_json(stream) if stream and "id" in stream else None

"""Events: one fact about one stream (or about the contract), and the names they go by.

An `Event` is what happened, before it is written: the journal gives an API event its position.
`facts` are the event's own fields exactly as they stand in its JSON: camelCase, amounts and 64-bit
ids as decimal strings, times as Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.position import Position


class EventType(StrEnum):
    """Every type that Headrace publishes; the SSE `event:` name as it stands."""

    STREAM_CREATED = "stream.created"
    STREAM_TOPPED_UP = "stream.topped_up"
    STREAM_WITHDRAWN = "stream.withdrawn"
    STREAM_PAUSED = "stream.paused"
    STREAM_RESUMED = "stream.resumed"
    STREAM_COMPLETED = "stream.completed"
    STREAM_CANCELLED = "stream.cancelled"
    STREAM_UPDATED = "stream.updated"
    STREAM_FEE_COLLECTED = "stream.fee_collected"
    STREAM_RECIPIENT_TRANSFERRED = "stream.recipient_transferred"
    STREAM_RATE_MODIFIED = "stream.rate_modified"
    STREAM_RUNNING_LOW = "stream.running_low"
    STREAM_DEPLETED = "stream.depleted"
    CONTRACT_INITIALIZED = "contract.initialized"
    CONTRACT_FEE_CONFIG_UPDATED = "contract.fee_config_updated"
    CONTRACT_ADMIN_TRANSFERRED = "contract.admin_transferred"
    TOKEN_TRANSFER = "token.transfer"
    TOKEN_MINT = "token.mint"
    TOKEN_BURN = "token.burn"
    TOKEN_CLAWBACK = "token.clawback"
    CHAIN_UNKNOWN = "chain.unknown"
    CHAIN_GAP = "chain.gap"
    JOURNAL_RESET = "journal.reset"


LOSS_TYPES = frozenset({EventType.CHAIN_GAP, EventType.JOURNAL_RESET})
"""Events about losses. They are for every subscriber: what was lost may have been for anyone."""

TOKEN_TYPES = frozenset(kind for kind in EventType if kind.startswith("token."))
"""What token contracts say: of no stream, and for those alone whom it names."""


class Origin(StrEnum):
    """Who made a stream or an event: the contract on chain, or our API."""

    CHAIN = "chain"
    API = "api"


Facts = Mapping[str, object]
"""An event's own fields, JSON-ready."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where on the chain an event comes from.

    `verified`: the events of the transaction hashed to what consensus signed (facts of Stellar,
    docs/decisions.md 4); None when the source gave no result to check against.
    """

    contract_id: str
    ledger: int
    closed_at: str
    tx_hash: str
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `position` is set for chain events; the API's get theirs from the commit."""

    type: EventType
    stream_id: str | None
    timestamp: int
    facts: Facts
    position: Position | None = None
    provenance: Provenance | None = None

    @property
    def origin(self) -> Origin:
        """Chain when it has a provenance, API otherwise."""
        return Origin.CHAIN if self.provenance else Origin.API

    def text(self, name: str) -> str | None:
        """The fact `name` when it is a string, such as an address; None otherwise."""
        value = self.facts.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int | None:
        """The fact `name` as an integer, from a decimal string or a number; None when absent."""
        value = self.facts.get(name)
        return int(value) if isinstance(value, str | int) else None

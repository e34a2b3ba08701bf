"""Events: each says one thing that happened to a stream, a token or a contract.

An `Event` is not in the journal yet. The commit gives an event of the API its position. `facts` are
the fields of this event type, as in the event's JSON: camelCase names, amounts and 64-bit ids as
decimal strings, times in Unix seconds.

See docs/decisions/0004-events-are-proved.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.position import Position


class EventType(StrEnum):
    """Every event type that Headrace publishes. The value is also the `event:` name in SSE."""

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
    CHAIN_GAP = "chain.gap"
    JOURNAL_RESET = "journal.reset"
    WEBHOOK_DISABLED = "webhook.disabled"


LOSS_TYPES = frozenset({EventType.CHAIN_GAP, EventType.JOURNAL_RESET})
"""Events that announce a loss. Every subscriber gets them: a lost event may concern anyone."""

TOKEN_TYPES = frozenset(kind for kind in EventType if kind.startswith("token."))
"""Events of token contracts. They have no stream; their topics are the accounts in them."""


class Origin(StrEnum):
    """Where a stream or an event comes from: the contract on the chain, or the API of Headrace."""

    CHAIN = "chain"
    API = "api"


Facts = Mapping[str, object]
"""The fields of one event type, ready for JSON."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where on the chain an event comes from.

    `closed_at` is the close time of the ledger as the source wrote it (RFC 3339). `verified` is
    True if the proof of the event succeeded, False if it failed, and None if there is no hash to
    compare with.
    """

    contract_id: str
    ledger: int
    closed_at: str
    tx_hash: str
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """One event. A chain event is made with its `position`, an API event gets one by the commit."""

    type: EventType
    stream_id: str | None
    timestamp: int
    facts: Facts
    position: Position | None = None
    provenance: Provenance | None = None

    @property
    def origin(self) -> Origin:
        """CHAIN when the event has a provenance, else API."""
        return Origin.CHAIN if self.provenance else Origin.API

    def text(self, name: str) -> str | None:
        """The value of `name` in `facts` if it is a string, such as an address; else None."""
        value = self.facts.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int | None:
        """The value of `name` in `facts`, a decimal string or number, as an integer; else None."""
        value = self.facts.get(name)
        return int(value) if isinstance(value, str | int) else None

    def require_text(self, name: str) -> str:
        """Like `text`, but raises ValueError instead of returning None."""
        if (value := self.text(name)) is None:
            raise ValueError(self._lacks(name))
        return value

    def require_number(self, name: str) -> int:
        """Like `number`, but raises ValueError instead of returning None."""
        if (value := self.number(name)) is None:
            raise ValueError(self._lacks(name))
        return value

    def _lacks(self, name: str) -> str:
        return f"{self.type} of stream {self.stream_id} has no {name!r}"

"""Models of announced events: they are on no network yet (docs/events.md)."""

from __future__ import annotations

from services.api.models.chain_events import StreamEventModel
from services.api.models.responses import Address, Amount


class MilestoneUnlocked(StreamEventModel):
    """An amount became claimable, because `caller` confirmed its condition."""

    milestone_id: int
    amount: Amount
    caller: Address


class DisputeRequested(StreamEventModel):
    """The sender asked the arbiter to cancel the stream."""

    arbiter: Address


class DisputeResolved(StreamEventModel):
    """The arbiter decided. If `approved`, `stream.cancelled` follows."""

    arbiter: Address
    approved: bool


class Closed(StreamEventModel):
    """The stream had ended, and the contract removed it from its storage."""

    closer: Address

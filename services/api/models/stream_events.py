"""Every event that is published, as a model by type: for AsyncAPI.

The committer writes events without them (shared.journal.wire); the tests hold each published event
against its model. A contract's fields are tolerated when they are more than expected, or fewer.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from services.api.models.chain_events import (
    ContractEventModel,
    EventModel,
    JournalResetModel,
    LedgersLostModel,
    TokenBurned,
    TokenClawedBack,
    TokenMinted,
    TokenTransferred,
    UnknownEventModel,
)
from services.api.models.responses import Address, Amount, Seconds, StreamDocument, StreamIdText
from shared.domain.events import EventType
from shared.domain.stream import NOTICE_THRESHOLDS


class StreamEventModel(EventModel):
    """An event of a stream; what is known of the stream stands beside."""

    stream_id: StreamIdText
    sender: Address = ""
    recipient: Address = ""
    token_address: Address = ""
    stream: Annotated[StreamDocument | None, Field(description="the stream after it")] = None


class Created(StreamEventModel):
    """A stream began."""

    sender: Address
    recipient: Address
    token_address: Address
    rate_per_second: Amount
    deposited_amount: Amount
    start_time: Seconds
    metadata: Annotated[dict[str, Any], Field(default_factory=dict)]


class ToppedUp(StreamEventModel):
    """More money at the same rate."""

    amount: Amount = "0"
    new_deposited_amount: Amount
    new_end_time: Seconds = 0


class Withdrawn(StreamEventModel):
    """All that was claimable went to the recipient."""

    amount: Amount


class Paused(StreamEventModel):
    """Accrual stands still from `pausedAt`."""

    paused_at: Seconds


class Resumed(StreamEventModel):
    """Accrual goes on; the pause does not count."""

    new_end_time: Seconds = 0


class Completed(StreamEventModel):
    """All of the deposit has been withdrawn."""

    total_withdrawn: Amount = "0"


class Cancelled(StreamEventModel):
    """Settled and refunded; `amountWithdrawn` is all in all."""

    amount_withdrawn: Amount
    refunded_amount: Amount


class Updated(StreamEventModel):
    """New metadata."""

    metadata: dict[str, Any]


class FeeCollected(StreamEventModel):
    """A fee on the creation or top-up that follows in the same transaction."""

    fee_amount: Amount = "0"
    treasury: Address = ""
    token: Address = ""


class RecipientTransferred(StreamEventModel):
    """The stream has another recipient from now on."""

    old_recipient: Address = ""
    new_recipient: Address
    settled_amount: Amount = "0"


class RateModified(StreamEventModel):
    """Money accrues at another rate."""

    old_rate_per_second: Amount = "0"
    new_rate_per_second: Amount
    new_end_time: Seconds = 0


class RunningLow(StreamEventModel):
    """The stream will be dry in `secondsLeft` from `timestamp`, unless it is topped up."""

    ends_at: Seconds
    seconds_left: Annotated[int, Field(json_schema_extra={"enum": list(NOTICE_THRESHOLDS[:-1])})]


class Depleted(StreamEventModel):
    """The stream is dry; what was not withdrawn still can be."""

    ends_at: Seconds


_MODELS: dict[EventType, type[EventModel]] = {
    EventType.STREAM_CREATED: Created,
    EventType.STREAM_TOPPED_UP: ToppedUp,
    EventType.STREAM_WITHDRAWN: Withdrawn,
    EventType.STREAM_PAUSED: Paused,
    EventType.STREAM_RESUMED: Resumed,
    EventType.STREAM_COMPLETED: Completed,
    EventType.STREAM_CANCELLED: Cancelled,
    EventType.STREAM_UPDATED: Updated,
    EventType.STREAM_FEE_COLLECTED: FeeCollected,
    EventType.STREAM_RECIPIENT_TRANSFERRED: RecipientTransferred,
    EventType.STREAM_RATE_MODIFIED: RateModified,
    EventType.STREAM_RUNNING_LOW: RunningLow,
    EventType.STREAM_DEPLETED: Depleted,
    EventType.CONTRACT_INITIALIZED: ContractEventModel,
    EventType.CONTRACT_FEE_CONFIG_UPDATED: ContractEventModel,
    EventType.CONTRACT_ADMIN_TRANSFERRED: ContractEventModel,
    EventType.TOKEN_TRANSFER: TokenTransferred,
    EventType.TOKEN_MINT: TokenMinted,
    EventType.TOKEN_BURN: TokenBurned,
    EventType.TOKEN_CLAWBACK: TokenClawedBack,
    EventType.CHAIN_UNKNOWN: UnknownEventModel,
    EventType.CHAIN_GAP: LedgersLostModel,
    EventType.JOURNAL_RESET: JournalResetModel,
}


def event_model(kind: EventType) -> type[EventModel]:
    """The model of one type, named after it, its `type` no other."""
    base = _MODELS[kind]
    name = "".join(part.capitalize() for part in kind.replace(".", "_").split("_"))
    literal: Any = Literal[kind.value]
    return create_model(name, __base__=base, __doc__=base.__doc__, type=(literal, ...))

"""Models of all published events, by event type, for AsyncAPI.

The API does not use them at run time: shared.journal.wire writes events. The tests check each
published event against its model. Other versions of the contract may have more or fewer fields. So
most fields have a default, and unknown fields are allowed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from services.api.models.announced_events import (
    Closed,
    DisputeRequested,
    DisputeResolved,
    MilestoneUnlocked,
)
from services.api.models.chain_events import (
    ContractEventModel,
    EventModel,
    JournalResetModel,
    LedgersLostModel,
    StreamEventModel,
    TokenBurned,
    TokenClawedBack,
    TokenMinted,
    TokenTransferred,
    UnknownEventModel,
    WebhookDisabledModel,
)
from services.api.models.responses import (
    Address,
    Amount,
    ContractAddress,
    Seconds,
    StreamSchedule,
)
from shared.domain.events import EventType
from shared.domain.stream import NOTICE_THRESHOLDS, Acceptance, StreamStatus


class Created(StreamEventModel):
    """A stream was created."""

    sender: Address
    recipient: Address
    token_address: Address
    rate_per_second: Amount
    deposited_amount: Amount
    start_time: Seconds
    schedule: Annotated[
        StreamSchedule | None, Field(description="absent if the stream is linear")
    ] = None
    metadata: Annotated[dict[str, Any], Field(default_factory=dict)]
    acceptance: Annotated[
        Literal[Acceptance.ACCEPTED, Acceptance.PENDING],
        Field(description="pending: the recipient has not answered yet"),
    ] = Acceptance.ACCEPTED


class ToppedUp(StreamEventModel):
    """The sender added money. The rate stays the same."""

    amount: Amount = "0"
    new_deposited_amount: Amount
    new_end_time: Seconds = 0


class Withdrawn(StreamEventModel):
    """The recipient withdrew everything that was claimable."""

    amount: Amount


class Paused(StreamEventModel):
    """The stream was paused. No money accrues from `pausedAt` on."""

    paused_at: Seconds


class Resumed(StreamEventModel):
    """The stream was resumed. Money accrues again; nothing accrued during the pause."""

    new_end_time: Seconds = 0


class Completed(StreamEventModel):
    """The whole deposit was withdrawn."""

    total_withdrawn: Amount = "0"


class Cancelled(StreamEventModel):
    """The stream ended: the recipient was paid, and the rest was refunded.

    `amountWithdrawn` is the total of all withdrawals.
    """

    amount_withdrawn: Amount
    refunded_amount: Amount


class Updated(StreamEventModel):
    """The metadata was replaced."""

    metadata: dict[str, Any]


class Accepted(StreamEventModel):
    """The recipient accepted the stream. It is now in the recipient's lists and sums."""


class Hidden(StreamEventModel):
    """The recipient hid the stream. It is in none of the recipient's lists and sums any more."""


class FeeCollected(StreamEventModel):
    """A fee for the creation or top-up that comes next in the same transaction."""

    fee_amount: Amount = "0"
    treasury: Address = ""
    token: Address = ""


class RecipientTransferred(StreamEventModel):
    """The stream has a new recipient."""

    old_recipient: Address = ""
    new_recipient: Address
    settled_amount: Amount = "0"


class RateModified(StreamEventModel):
    """The rate was changed."""

    old_rate_per_second: Amount = "0"
    new_rate_per_second: Amount
    new_end_time: Seconds = 0


class Snapshot(StreamEventModel):
    """The state of the stream was read from the contract. No money moved.

    The state is as of the end of `stateLedger`. There are four reasons for this event: the stream
    was created before the first ledger that was read; the stored state differed from the
    contract's; the schedule was not known; the contract's record was archived or restored.
    """

    contract_id: ContractAddress
    sender: Address
    recipient: Address
    token_address: Address
    rate_per_second: Amount
    deposited_amount: Amount
    withdrawn_amount: Amount
    refunded_amount: Amount
    start_time: Seconds
    last_update_time: Seconds
    paused_at: Seconds | None
    status: StreamStatus
    schedule: StreamSchedule
    state_ledger: Annotated[int, Field(ge=1)]
    archived: Annotated[bool, Field(description="true: the contract's record is archived")]


class Uncertain(StreamEventModel):
    """Headrace may have missed events of the stream, so its amounts are not known.

    A `stream.snapshot` makes them known again. `reason`: ledgers were lost (`gap`), or the
    contract's record is missing or cannot be read (`record_unreadable`).
    """

    reason: Annotated[str, Field(json_schema_extra={"enum": ["gap", "record_unreadable"]})]


class RunningLow(StreamEventModel):
    """The deposit runs out `secondsLeft` seconds after `timestamp`, unless it is topped up."""

    ends_at: Seconds
    seconds_left: Annotated[int, Field(json_schema_extra={"enum": list(NOTICE_THRESHOLDS[:-1])})]


class Depleted(StreamEventModel):
    """The deposit has run out. The recipient can still withdraw the rest."""

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
    EventType.STREAM_ACCEPTED: Accepted,
    EventType.STREAM_HIDDEN: Hidden,
    EventType.STREAM_FEE_COLLECTED: FeeCollected,
    EventType.STREAM_RECIPIENT_TRANSFERRED: RecipientTransferred,
    EventType.STREAM_RATE_MODIFIED: RateModified,
    EventType.STREAM_MILESTONE_UNLOCKED: MilestoneUnlocked,
    EventType.STREAM_DISPUTE_REQUESTED: DisputeRequested,
    EventType.STREAM_DISPUTE_RESOLVED: DisputeResolved,
    EventType.STREAM_CLOSED: Closed,
    EventType.STREAM_SNAPSHOT: Snapshot,
    EventType.STREAM_UNCERTAIN: Uncertain,
    EventType.STREAM_RUNNING_LOW: RunningLow,
    EventType.STREAM_DEPLETED: Depleted,
    EventType.CONTRACT_INITIALIZED: ContractEventModel,
    EventType.CONTRACT_FEE_CONFIG_UPDATED: ContractEventModel,
    EventType.CONTRACT_ADMIN_TRANSFERRED: ContractEventModel,
    EventType.CONTRACT_PAUSE_CHANGED: ContractEventModel,
    EventType.CONTRACT_GUARDIAN_UPDATED: ContractEventModel,
    EventType.CONTRACT_UPGRADED: ContractEventModel,
    EventType.CONTRACT_STATE_MIGRATED: ContractEventModel,
    EventType.TOKEN_TRANSFER: TokenTransferred,
    EventType.TOKEN_MINT: TokenMinted,
    EventType.TOKEN_BURN: TokenBurned,
    EventType.TOKEN_CLAWBACK: TokenClawedBack,
    EventType.CHAIN_UNKNOWN: UnknownEventModel,
    EventType.CHAIN_GAP: LedgersLostModel,
    EventType.JOURNAL_RESET: JournalResetModel,
    EventType.WEBHOOK_DISABLED: WebhookDisabledModel,
}


def event_model(kind: EventType) -> type[EventModel]:
    """The model of one event type. The model's `type` accepts only this type."""
    base = _MODELS[kind]
    name = "".join(part.capitalize() for part in kind.replace(".", "_").split("_"))
    literal: Any = Literal[kind.value]
    return create_model(name, __base__=base, __doc__=base.__doc__, type=(literal, ...))

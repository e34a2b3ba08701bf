"""What the API answers, as models: nobody validates by them at run time, the documents tell them.

The tests compare every answer with them (tests/api/reference/test_documents.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.events import Origin
from shared.domain.stream import U64_MAX, StreamStatus

Amount = Annotated[
    str,
    Field(pattern=r"^-?[0-9]+$", description="base units, in decimal digits", examples=["995000"]),
]
Address = Annotated[str, Field(description="G…, C… or M… (SEP-23)")]
ContractAddress = Annotated[str, Field(description="C… (SEP-23)")]
Seconds = Annotated[int, Field(ge=0, le=U64_MAX, description="Unix seconds")]
Microseconds = Annotated[int, Field(ge=0, description="Unix microseconds")]
PositionText = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,20}-[0-9]{1,20}$",
        description="where an event stands in the journal; what EventSource resumes from",
        examples=["16010972359577600-1"],
    ),
]
StreamIdText = Annotated[
    str,
    Field(
        pattern=r"^([1-9][0-9]{0,19}|api-[0-9a-f-]{36})$",
        description="a chain stream's number, or api-<uuid7>",
        examples=["7"],
    ),
]
CursorText = Annotated[str, Field(description="goes into `cursor` for the page that follows")]


class ResponseModel(BaseModel):
    """Any answer: camelCase, nothing that is not told here."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Claimable(ResponseModel):
    """What the recipient could withdraw at `asOf`."""

    amount: Amount
    as_of: Seconds


class StreamDocument(ResponseModel):
    """A stream after its latest event."""

    version: Annotated[int, Field(ge=1, description="one more with each event; the ETag")]
    id: StreamIdText
    origin: Origin
    contract_id: ContractAddress | None
    sender: Address
    recipient: Address
    token_address: Address
    rate_per_second: Amount
    deposited_amount: Amount
    withdrawn_amount: Amount
    refunded_amount: Amount
    start_time: Seconds
    last_update_time: Annotated[int, Field(description="Unix seconds from which money accrues")]
    end_time: Annotated[
        int | None, Field(description="when it runs dry, or ended; null while paused")
    ]
    paused_at: Seconds | None
    status: StreamStatus
    ending: Annotated[
        str | None,
        Field(
            json_schema_extra={"enum": [None, "48h", "24h", "depleted"]},
            description="how near its end it is known to be while it is active",
        ),
    ]
    claimable: Claimable
    metadata: dict[str, Any]
    created_at: Seconds
    updated_at: Seconds
    position: PositionText


class StreamPage(ResponseModel):
    """A page of streams."""

    items: list[StreamDocument]
    total: Annotated[
        int | None, Field(ge=0, description="all that the filter matches; null with several")
    ]
    next: CursorText | None
    position: PositionText


class Gap(ResponseModel):
    """Events after `from` up to and including `to` are not kept any more."""

    from_: PositionText = Field(alias="from")
    to: PositionText


class AnyEvent(BaseModel):
    """An event; its own fields by its type are in /asyncapi.json."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    id: PositionText
    published_at: Microseconds
    type: str
    stream_id: StreamIdText | None
    timestamp: Annotated[int, Field(description="Unix seconds at which it happened")]
    origin: Origin


class HistoryPage(ResponseModel):
    """A page of past events; `next` goes into `after` (asc) or `before` (desc)."""

    items: list[AnyEvent]
    next: PositionText | None
    position: PositionText
    gap: Gap | None


class StatusCounts(ResponseModel):
    """Streams by status."""

    active: int
    paused: int
    completed: int
    cancelled: int


class StatusCountsBySide(ResponseModel):
    """Streams by status, of those sent and those received."""

    sent: StatusCounts
    received: StatusCounts


class SentTotals(ResponseModel):
    """Sums over the streams that the account sends."""

    deposited: Amount
    withdrawn: Amount
    refunded: Amount
    remaining: Amount


class ReceivedTotals(ResponseModel):
    """Sums over the streams that the account receives."""

    withdrawn: Amount
    claimable: Amount
    remaining: Amount


class TokenTotals(ResponseModel):
    """Sums in one token."""

    token_address: Address
    sent: SentTotals
    received: ReceivedTotals


class AccountSummary(ResponseModel):
    """What an account's streams come to; `streams` were added up, more follow under `next`."""

    account: Address
    streams: Annotated[int, Field(ge=0)]
    counts: StatusCountsBySide
    tokens: list[TokenTotals]
    next: CursorText | None
    position: PositionText


class ServiceIndex(BaseModel):
    """What this is, whether it asks for a login, and where things are, by name."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    service: str
    about: str
    network: Annotated[str, Field(description="the network's passphrase")]
    auth_mode: Literal["open", "required"]
    wallet_login: bool


class FieldError(BaseModel):
    """One wrong field: of a body by `pointer` (RFC 6901), of a query by `parameter`."""

    model_config = ConfigDict(extra="forbid")

    pointer: str = ""
    parameter: str = ""
    detail: str


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457); some types say more."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(pattern="^/problems/[a-z-]+$", examples=["/problems/invalid"])]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: list[FieldError] = []

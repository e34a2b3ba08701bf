"""Models of the API's responses, for OpenAPI. The API does not use them at run time.

The tests check the API's responses against these models (tests/api/reference/test_documents.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.events import Origin
from shared.domain.schedule import ClaimableUnknown, ScheduleKind
from shared.domain.stream import U64_MAX, Acceptance, StreamStatus

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
        description="position of an event in the journal; an EventSource resumes from it",
        examples=["16010972359577600-1"],
    ),
]
StreamIdText = Annotated[
    str,
    Field(
        pattern=r"^([1-9][0-9]{0,19}|api-[0-9a-f-]{36})$",
        description="the number of a chain stream, or api-<uuid7>",
        examples=["7"],
    ),
]
CursorText = Annotated[str, Field(description="value of `cursor` for the next page")]


class ResponseModel(BaseModel):
    """A response. Its JSON names are in camelCase, and it has no other fields."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Claimable(ResponseModel):
    """The amount that the recipient could withdraw at `asOf`."""

    amount: Amount
    as_of: Seconds


class ScheduleStep(ResponseModel):
    """An amount that becomes claimable at `time`."""

    time: Seconds
    amount: Amount


class StreamSchedule(ResponseModel):
    """How the money of a stream becomes claimable.

    `linear`: each second, from `lastUpdateTime` on. `cliff`: the same, but nothing before
    `cliffTime`. `cliff_amount`: `cliffAmount` at `cliffTime`, and the rest each second from then
    on. `steps`: amounts at fixed times. `allowance`: nothing is deposited. `conditions`: amounts
    when somebody confirms a condition. `unknown`: the schedule is not known.
    """

    kind: ScheduleKind
    cliff_time: Seconds | None = None
    cliff_amount: Amount = "0"
    last_time: Annotated[Seconds | None, Field(description="the time of the last step")] = None
    steps: Annotated[
        list[ScheduleStep], Field(description="empty until the contract's state was read")
    ] = []


class StreamDocument(ResponseModel):
    """A stream after its latest event."""

    version: Annotated[int, Field(ge=1, description="grows by one with each event; also the ETag")]
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
    last_update_time: Annotated[
        int, Field(description="Unix seconds; money accrues from this time on")
    ]
    end_time: Annotated[
        int | None,
        Field(
            description="Unix seconds: when the deposit runs out, or when the stream ended; null "
            "while the stream is paused or its rate is zero"
        ),
    ]
    paused_at: Seconds | None
    status: StreamStatus
    ending: Annotated[
        str | None,
        Field(
            json_schema_extra={"enum": [None, "48h", "24h", "depleted"]},
            description="the last notice for an active stream: 48h or 24h left, or depleted",
        ),
    ]
    acceptance: Annotated[Acceptance, Field(description="the recipient's answer")]
    schedule: StreamSchedule
    claimable: Annotated[
        Claimable | None, Field(description="null: not known; see `claimableUnknown`")
    ]
    claimable_unknown: Annotated[
        ClaimableUnknown | None, Field(description="why `claimable` cannot be computed")
    ]
    archived: Annotated[
        bool,
        Field(
            description="true: at the last audit, the contract's record was archived; the next "
            "transaction that uses the stream restores it, for a fee"
        ),
    ]
    metadata: dict[str, Any]
    state_ledger: Annotated[
        int | None,
        Field(
            description="the ledger as of which the state was last read from the contract; null if "
            "it was computed from events only"
        ),
    ]
    created_at: Seconds
    updated_at: Seconds
    position: PositionText


class ServiceIndex(BaseModel):
    """The service, its login mode, and the paths of its endpoints by name."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    service: str
    about: str
    network: Annotated[str, Field(description="passphrase of the network")]
    auth_mode: Literal["open", "required"]
    wallet_login: bool
    api_streams: Annotated[bool, Field(description="POST /v1/streams makes streams of the API")]
    explorer: Annotated[
        str | None, Field(description="URL of a block explorer for this network, without a path")
    ]


class FieldError(BaseModel):
    """One invalid field: `pointer` (RFC 6901) names it in a body, `parameter` in a query."""

    model_config = ConfigDict(extra="forbid")

    pointer: str = ""
    parameter: str = ""
    detail: str


class ProblemDocument(BaseModel):
    """An error (RFC 9457). The page at `type` explains the error. Some types have more fields."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(pattern="^/problems/[a-z-]+$", examples=["/problems/invalid"])]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: list[FieldError] = []


class ProblemTypeDocument(ResponseModel):
    """A type of problem: what it means and what to do."""

    type: Annotated[str, Field(pattern="^/problems/[a-z-]+$", examples=["/problems/invalid"])]
    title: str
    statuses: list[Annotated[int, Field(ge=400, le=599)]]
    meaning: str
    remedy: str
    example: ProblemDocument


class ProblemTypeList(ResponseModel):
    """All types of problems."""

    items: list[ProblemTypeDocument]

"""What a request may say: bodies and queries, each field checked on its own.

Amounts come as JSON strings of decimal digits and leave here as int; times are Unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from services.api.events.history import Span
from services.api.http.page_cursor import decode_cursor
from shared.domain.events import EventType, Origin
from shared.domain.position import END, START, Position, parse_position
from shared.domain.stream import I128_MAX, Status
from shared.domain.strkeys import is_account, is_contract
from shared.domain.topics import ALL, Subscription, is_stream_id, user_topic
from shared.journal.indexes import EVERYTHING

_DIGITS = re.compile(r"[1-9][0-9]{0,38}", re.ASCII)
_LATEST = 253_402_300_799  # the end of year 9999; milliseconds of today are beyond it
_ALL = frozenset({EVERYTHING})
_FILTERS = ("sender", "recipient", "user", "status", "token", "origin")


def _amount(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('must be a JSON string, such as "1000": JSON numbers lose digits')
    if not _DIGITS.fullmatch(value) or int(value) > I128_MAX:
        raise ValueError(f"must be a whole number from 1 to {I128_MAX}, in decimal digits")
    return int(value)


def _account(value: str) -> str:
    if not is_account(value):
        raise ValueError("must be a valid G…, C… or M… address (its checksum counts)")
    return value


def _contract(value: str) -> str:
    if not is_contract(value):
        raise ValueError("must be a valid contract address, C… (its checksum counts)")
    return value


def _whole(value: object) -> object:
    """1.0 is an integer in JSON Schema, and some clients write it so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _stream_id(value: str) -> str:
    if not is_stream_id(value):
        raise ValueError("is no stream id: expected a number from 1, or api-<uuid>")
    return value


def _place(value: object) -> Position:
    return parse_position(str(value))


def _text(form: str, pattern: str, **more: object) -> WithJsonSchema:
    """How a field stands in OpenAPI; what a pattern cannot say, `format` names."""
    return WithJsonSchema({"type": "string", "format": form, "pattern": pattern, **more})


Amount = Annotated[
    int, BeforeValidator(_amount), _text("i128", "^[1-9][0-9]{0,38}$", examples=["995000"])
]
Account = Annotated[
    str, AfterValidator(_account), _text("stellar-account", "^[GCM][A-Z2-7]{55,68}$")
]
Contract = Annotated[str, AfterValidator(_contract), _text("stellar-contract", "^C[A-Z2-7]{55}$")]
Instant = Annotated[int, Field(strict=True, ge=0, le=_LATEST), BeforeValidator(_whole)]
StreamId = Annotated[
    str,
    AfterValidator(_stream_id),
    _text("stream-id", "^([1-9][0-9]{0,19}|api-[0-9a-f-]{36})$", examples=["7"]),
]
Place = Annotated[
    Position,
    BeforeValidator(_place),
    _text("position", "^[0-9]{1,20}-[0-9]{1,20}$", examples=["16010972359577600-1"]),
]
Cursor = Annotated[str, AfterValidator(decode_cursor), _text("cursor", "^[A-Za-z0-9_-]+$")]
Tag = Annotated[str, Field(min_length=1, max_length=50)]


class Body(BaseModel):
    """Any request body: camelCase, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Nothing(Body):
    """The body of a call that takes none: absent, or `{}`."""


class Metadata(Body):
    """What the parties note down about a stream; moves no money."""

    label: Annotated[str, Field(max_length=200)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None

    def facts(self) -> Mapping[str, object]:
        """What was given, JSON-ready."""
        return self.model_dump(exclude_none=True)


class CreateStream(Body):
    """POST /v1/streams. `depositedAmount` is net of fees; without `startTime` it starts now."""

    sender: Account
    recipient: Account
    token_address: Contract
    rate_per_second: Amount
    deposited_amount: Amount
    start_time: Instant | None = None
    metadata: Metadata = Metadata()


class TopUp(Body):
    """POST /v1/streams/{id}/top-up."""

    amount: Amount


class PatchStream(Body):
    """PATCH /v1/streams/{id}: metadata in place of what there was."""

    metadata: Metadata


class Query(BaseModel):
    """Any query: unknown parameters refused; those in `many` may repeat or hold several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    many: ClassVar[frozenset[str]] = frozenset()


class ListQuery(Query):
    """GET /v1/streams: a stream is listed when every filter given holds."""

    sender: Account | None = None
    recipient: Account | None = None
    user: Account | None = None
    status: Status | None = None
    token: Contract | None = None
    origin: Origin | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None
    order: Literal["asc", "desc"] = "desc"
    sort: Literal["created", "updated"] = "created"

    def indexes(self) -> frozenset[str]:
        """The indexes (shared.journal.indexes) in each of which a listed stream stands."""
        given = ((name, getattr(self, name)) for name in _FILTERS)
        return frozenset(f"{name}:{value}" for name, value in given if value) or _ALL


class EventsQuery(Query):
    """GET /v1/streams/{id}/events: which part of a history."""

    many: ClassVar[frozenset[str]] = frozenset({"types"})

    types: Annotated[tuple[EventType, ...], Field(max_length=50)] = ()
    after: Place | None = None
    before: Place | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    order: Literal["asc", "desc"] = "desc"

    @property
    def span(self) -> Span:
        """The span of the journal that is asked for."""
        return Span(self.after or START, self.before or END)

    def subscription(self, *topics: str) -> Subscription:
        """These topics, narrowed to the types."""
        return Subscription(tuple(dict.fromkeys(topics)), frozenset(self.types))


class HistoryQuery(EventsQuery):
    """GET /v1/events: the filters of a subscription; at least one of streams, users, all."""

    many: ClassVar[frozenset[str]] = frozenset({"types", "streams", "users"})

    streams: Annotated[tuple[StreamId, ...], Field(max_length=100)] = ()
    users: Annotated[tuple[Account, ...], Field(max_length=100)] = ()
    all: Literal["true", "false"] = "false"

    def topics(self) -> tuple[str, ...]:
        """What is asked for, () for nothing."""
        everything = [ALL] if self.all == "true" else []
        return (*everything, *self.streams, *map(user_topic, self.users))


class SummaryQuery(Query):
    """GET /v1/users/{account}/summary."""

    limit: Annotated[int, Field(ge=1, le=2000)] = 1000
    cursor: Cursor | None = None

"""What a request may say: bodies and queries, each field checked on its own.

Amounts come as JSON strings of decimal digits and leave here as int; times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    Field,
)

from services.api.http.fields import (
    Account,
    Amount,
    Contract,
    Cursor,
    Tag,
    UnixSeconds,
)
from services.api.http.models import QueryParameters, RequestBody
from shared.domain.events import Origin
from shared.domain.stream import StreamStatus
from shared.journal.indexes import EVERYTHING

_ALL = frozenset({EVERYTHING})
_FILTERS = ("sender", "recipient", "user", "status", "token", "origin")


class Metadata(RequestBody):
    """What the parties note down about a stream; moves no money."""

    label: Annotated[str, Field(max_length=200)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None

    def facts(self) -> Mapping[str, object]:
        """What was given, JSON-ready."""
        return self.model_dump(exclude_none=True)


class CreateStream(RequestBody):
    """POST /v1/streams. `depositedAmount` is net of fees; without `startTime` it starts now."""

    sender: Account
    recipient: Account
    token_address: Contract
    rate_per_second: Amount
    deposited_amount: Amount
    start_time: UnixSeconds | None = None
    metadata: Metadata = Metadata()


class TopUp(RequestBody):
    """POST /v1/streams/{id}/top-up."""

    amount: Amount


class PatchStream(RequestBody):
    """PATCH /v1/streams/{id}: metadata in place of what there was."""

    metadata: Metadata


class ListQuery(QueryParameters):
    """GET /v1/streams: a stream is listed when every filter given holds."""

    sender: Account | None = None
    recipient: Account | None = None
    user: Account | None = None
    status: StreamStatus | None = None
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


class SummaryQuery(QueryParameters):
    """GET /v1/users/{account}/summary."""

    limit: Annotated[int, Field(ge=1, le=2000)] = 1000
    cursor: Cursor | None = None

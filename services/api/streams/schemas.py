"""The bodies and query parameters of requests about streams.

An amount is a JSON string of decimal digits and becomes an int. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import orjson
from pydantic import Field, model_validator

from services.api.http.fields import (
    Account,
    Amount,
    Contract,
    Cursor,
    Tag,
    Text,
    UnixSeconds,
)
from services.api.http.models import QueryParameters, RequestBody
from shared.domain.events import Origin
from shared.domain.stream import Acceptance, StreamStatus
from shared.journal.indexes import EVERYTHING, received

MAX_METADATA_BYTES = 2048
"""The largest metadata of a stream: bytes of its JSON in UTF-8, as it is stored. Each event of the
stream contains it, so a limit of characters would not bound the journal."""

_ALL = frozenset({EVERYTHING})
_FILTERS = ("sender", "recipient", "user", "status", "token", "origin")


class Metadata(RequestBody):
    """Notes of the parties about a stream. They do not change its money.

    As JSON in UTF-8 they may have at most 2048 bytes together.
    """

    label: Annotated[Text, Field(max_length=200)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None
    note: Annotated[Text, Field(max_length=2000)] | None = None

    def facts(self) -> Mapping[str, object]:
        """The fields that were given, ready for JSON."""
        return self.model_dump(exclude_none=True)

    def size(self) -> int:
        """The bytes of its JSON, as it is stored."""
        return len(orjson.dumps(self.facts()))

    @model_validator(mode="after")
    def _bounded(self) -> Metadata:
        if (size := self.size()) > MAX_METADATA_BYTES:
            raise ValueError(
                f"has {size} bytes of JSON (UTF-8); at most {MAX_METADATA_BYTES} are allowed"
            )
        return self


class CreateStream(RequestBody):
    """POST /v1/streams. `depositedAmount` excludes fees. Default of `startTime`: now."""

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
    """PATCH /v1/streams/{id}: the new metadata. It replaces all old metadata."""

    metadata: Metadata


class ListQuery(QueryParameters):
    """GET /v1/streams: the list of streams that match all given filters.

    `user` finds the streams that the account sends, and those that it receives and has accepted.
    `acceptance` finds those that `recipient` (or else `user`) receives, by this account's answer;
    without an account, it finds all streams to which their recipients gave this answer.
    """

    sender: Account | None = None
    recipient: Account | None = None
    user: Account | None = None
    status: StreamStatus | None = None
    token: Contract | None = None
    origin: Origin | None = None
    acceptance: Acceptance | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None
    order: Literal["asc", "desc"] = "desc"
    sort: Literal["created", "updated"] = "created"

    def indexes(self) -> frozenset[str]:
        """The indexes that contain every matching stream (shared.journal.indexes)."""
        filters = {name: getattr(self, name) for name in _FILTERS}
        found = set()
        if self.acceptance and (recipient := self.recipient or self.user):
            found.add(received(recipient, self.acceptance))
            filters["recipient"] = recipient if self.acceptance is Acceptance.ACCEPTED else None
            filters["user"] = None if self.user == recipient else self.user
        found |= {f"{name}:{value}" for name, value in filters.items() if value}
        return frozenset(found) or _ALL

    def unindexed(self) -> Acceptance | None:
        """The acceptance to look for in each stream. It has no index when no account is given."""
        return None if self.recipient or self.user else self.acceptance


class SummaryQuery(QueryParameters):
    """GET /v1/users/{account}/summary."""

    limit: Annotated[int, Field(ge=1, le=2000)] = 1000
    cursor: Cursor | None = None

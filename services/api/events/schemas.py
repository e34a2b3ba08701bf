"""Query parameters of the event history."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from services.api.events.ranges import PositionRange
from services.api.http.fields import (
    Account,
    PositionParam,
    QuerySeconds,
    StreamId,
)
from services.api.http.models import QueryParameters
from shared.domain.events import EventType
from shared.domain.position import END, START
from shared.domain.topics import ALL, Subscription, user_topic


class EventSelection(QueryParameters):
    """Which events of a history: their types, and a range of positions."""

    many: ClassVar[frozenset[str]] = frozenset({"types"})

    types: Annotated[tuple[EventType, ...], Field(max_length=50)] = ()
    after: PositionParam | None = None
    before: PositionParam | None = None

    @property
    def range(self) -> PositionRange:
        """The range of positions that the client asked for."""
        return PositionRange(self.after or START, self.before or END)

    def subscription(self, *topics: str) -> Subscription:
        """A subscription to these topics, limited to the types of the query."""
        return Subscription(tuple(dict.fromkeys(topics)), frozenset(self.types))


class EventsQuery(EventSelection):
    """GET /v1/streams/{id}/events: a part of a stream's history."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    order: Literal["asc", "desc"] = "desc"


class TopicFilter(QueryParameters):
    """The topics of a subscription. One of streams, users, all is required.

    With a token, a request without them is for the events of the token's own account.
    """

    many: ClassVar[frozenset[str]] = frozenset({"types", "streams", "users"})

    streams: Annotated[tuple[StreamId, ...], Field(max_length=100)] = ()
    users: Annotated[tuple[Account, ...], Field(max_length=100)] = ()
    all: Literal["true", "false"] = "false"

    def topics(self) -> tuple[str, ...]:
        """The topics that the client asked for; () if none."""
        everything = [ALL] if self.all == "true" else []
        return (*everything, *self.streams, *map(user_topic, self.users))


class HistoryQuery(TopicFilter, EventsQuery):
    """GET /v1/events: the filters of a subscription."""


class ExportQuery(TopicFilter, EventSelection):
    """GET /v1/events/export: all events that match, oldest first, as one file.

    `from` and `to` are Unix seconds, both inclusive. They are compared with the `timestamp` of each
    event.
    """

    format: Literal["csv", "ndjson", "parquet"] = "csv"
    from_: Annotated[QuerySeconds | None, Field(alias="from")] = None
    to: QuerySeconds | None = None

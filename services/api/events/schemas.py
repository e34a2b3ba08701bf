"""Queries of the history: which events, of which streams and users."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import (
    Field,
)

from services.api.events.history import PositionRange
from services.api.http.fields import (
    Account,
    PositionParam,
    StreamId,
)
from services.api.http.models import QueryParameters
from shared.domain.events import EventType
from shared.domain.position import END, START
from shared.domain.topics import ALL, Subscription, user_topic


class EventsQuery(QueryParameters):
    """GET /v1/streams/{id}/events: which part of a history."""

    many: ClassVar[frozenset[str]] = frozenset({"types"})

    types: Annotated[tuple[EventType, ...], Field(max_length=50)] = ()
    after: PositionParam | None = None
    before: PositionParam | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    order: Literal["asc", "desc"] = "desc"

    @property
    def span(self) -> PositionRange:
        """The span of the journal that is asked for."""
        return PositionRange(self.after or START, self.before or END)

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

"""Models of the responses about connections of fanouts, for OpenAPI.

The tests check the responses against these models (tests/api/system/test_connections.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.api.models.responses import CursorText, ResponseModel


class ConnectionDocument(ResponseModel):
    """A connection of a subscriber. All times are Unix seconds, null while the time is unknown."""

    replica: Annotated[str, Field(description="its fanout; see `replicas`")]
    id: Annotated[str, Field(description="the `clientId` that its client got in `connected`")]
    account: Annotated[str | None, Field(description="`sub` of its token; null without a token")]
    address: Annotated[
        str | None,
        Field(
            description="IP address (with CONNECTIONS_PER_IP, of IPv6 the /64 network); null if "
            "the client is behind a trusted proxy and CONNECTIONS_PER_IP is 0"
        ),
    ]
    connected_at: Annotated[float | None, Field(description="up to 0.25 s too early")]
    replaying: Annotated[bool, Field(description="it still gets events that it missed")]
    topics: Annotated[
        list[str] | None,
        Field(max_length=20, description="its first 20 topics; null while it is replaying"),
    ]
    topic_count: int | None
    types: Annotated[list[str] | None, Field(description="event types; null: all")]
    view: Literal["full", "compact"]
    gzip: bool
    events: Annotated[int, Field(ge=0, description="events that were sent to it")]
    backlog_bytes: Annotated[int, Field(ge=0, description="unsent bytes; it is slow if above 0")]
    behind_since: Annotated[
        float | None, Field(description="when its backlog began; null if all events were sent")
    ]


class FanoutReplicaDocument(ResponseModel):
    """A fanout that was asked for this page, or a service that may be one and did not answer."""

    replica: Annotated[str | None, Field(description="null if its name has no address")]
    url: Annotated[str, Field(description="host and port, as in the API's settings")]
    address: Annotated[str | None, Field(description="IP address; null if it is not known")]
    trouble: Annotated[str | None, Field(description="why its connections are missing, else null")]
    connections: Annotated[int | None, Field(description="all its connections, without filters")]
    lag_seconds: Annotated[
        float | None, Field(description="seconds since the close of the last ledger that it knows")
    ]


class ConnectionPage(ResponseModel):
    """Connections of all fanouts. A page can be short or empty although there are more: `next`."""

    as_of: Annotated[float, Field(description="Unix seconds")]
    items: list[ConnectionDocument]
    replicas: list[FanoutReplicaDocument]
    next: CursorText | None

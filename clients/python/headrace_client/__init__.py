"""A client for Headrace: events of payment streams on Stellar, none lost and none twice.

async with Client("https://headrace.example", token="…") as client:
    async for event in client.events(users=["G…"]):
        print(event.type, event.stream_id, event.amount)

README.md has more examples. This package needs nothing of the Headrace server.
"""

from __future__ import annotations

from headrace_client.client import Client
from headrace_client.errors import (
    ForbiddenError,
    GapError,
    HeadraceError,
    InvalidRequestError,
    NotFoundError,
    ProblemError,
    ProtocolError,
    RateLimitedError,
    RefusedError,
    ResetError,
    ServerError,
    ServerUnreachableError,
    StaleVersionError,
    UnauthorizedError,
)
from headrace_client.follow import Changed, FollowedStreams, Loaded
from headrace_client.model.answers import EventPage, StreamPage, Summary, Token
from headrace_client.model.event import Event, EventType
from headrace_client.model.stream import Claimable, Schedule, Stream
from headrace_client.model.transaction import (
    Fee,
    PreparedTransaction,
    Transaction,
    TransactionAction,
    TransactionFailure,
    TransactionStatus,
)
from headrace_client.positions import START, is_after
from headrace_client.subscribe.cursors import CursorStore, FileCursor, RedisCursor
from headrace_client.subscribe.events import EventStream
from headrace_client.subscribe.state import State
from headrace_client.version import __version__

__all__ = [
    "START",
    "Changed",
    "Claimable",
    "Client",
    "CursorStore",
    "Event",
    "EventPage",
    "EventStream",
    "EventType",
    "Fee",
    "FileCursor",
    "FollowedStreams",
    "ForbiddenError",
    "GapError",
    "HeadraceError",
    "InvalidRequestError",
    "Loaded",
    "NotFoundError",
    "PreparedTransaction",
    "ProblemError",
    "ProtocolError",
    "RateLimitedError",
    "RedisCursor",
    "RefusedError",
    "ResetError",
    "Schedule",
    "ServerError",
    "ServerUnreachableError",
    "StaleVersionError",
    "State",
    "Stream",
    "StreamPage",
    "Summary",
    "Token",
    "Transaction",
    "TransactionAction",
    "TransactionFailure",
    "TransactionStatus",
    "UnauthorizedError",
    "__version__",
    "is_after",
]

"""What the server sends in a subscription, as typed values (docs/events.md, "The wire"). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from headrace_client.errors import GapError, ProtocolError, ResetError
from headrace_client.model.event import Event
from headrace_client.positions import position_key
from headrace_client.subscribe.sse import Message


@dataclass(frozen=True, slots=True)
class Connected:
    """The first frame. The events that follow are those after `position`."""

    position: str


@dataclass(frozen=True, slots=True)
class Sync:
    """All events up to `position` were sent. None: the server does not know it at the moment."""

    position: str | None
    ledger: int | None
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class TokenExpiring:
    """The connection ends at `at` (Unix seconds) unless a new token replaces it."""

    at: float | None


@dataclass(frozen=True, slots=True)
class Ending:
    """The server ends the connection: `goodbye`, or `overload` if it accepts none now.

    `retry` is in seconds; None if the server named no time.
    """

    name: str
    reason: str
    retry: float | None


Frame: TypeAlias = Event | Connected | Sync | TokenExpiring | Ending | GapError | ResetError


def frame_of(message: Message) -> Frame | None:
    """The frame in a message; None if this version does not know it. Raises ProtocolError."""
    try:
        data: Any = orjson.loads(message.data)
        return _frame(message, data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(
            f"the frame {message.event!r} cannot be read: {error or type(error).__name__}"
        ) from error


def _frame(message: Message, data: Any) -> Frame | None:
    match message.event:
        case "message":
            return Connected(_position(message.id)) if data["type"] == "connected" else None
        case "sync":
            position = data["position"] and _position(data["position"])
            return Sync(position, data.get("ledger"), data.get("lagSeconds"))
        case "gap":
            at_source = data.get("type") == "chain.gap"
            position = _position(message.id)
            return GapError(data["from"], data["to"], position, at_source=at_source)
        case "reset":
            return ResetError(data["reason"], _position(message.id))
        case "token_expiring":
            return TokenExpiring(data.get("at"))
        case "goodbye" | "overload" as name:
            return Ending(name, data["reason"], _seconds(data.get("retry")))
        case name if "." in name:
            _position(data["id"])
            return Event.from_json(data)
    return None


def _position(text: str) -> str:
    """The text, if it is a position. Raises ValueError."""
    position_key(text)
    return text


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000

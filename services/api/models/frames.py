"""Models of the SSE frames that are not journal events, by frame name, for AsyncAPI."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.api.models.responses import PositionText
from shared.web.problems import Goodbye


class FrameModel(BaseModel):
    """The data of a frame that is not a journal event."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)


class ConnectedFrame(FrameModel):
    """The first frame of a connection. It has no event name."""

    type: Literal["connected"]
    client_id: str
    subscriptions: list[str]
    position: PositionText


class SyncFrame(FrameModel):
    """All your events up to `position` were sent. This frame also serves as heartbeat.

    It is sent before a connection is silent for longer than SYNC_SECONDS (15), and at least once in
    four times SYNC_SECONDS.

    The position is null during a replay, and while the indexer restores events that Redis lost in a
    failover.
    """

    position: PositionText | None
    ledger: int | None
    ledger_closed_at: str | None
    lag_seconds: float | None


class GapFrame(FrameModel):
    """Events between two positions are not stored any more. Load the state again."""

    from_: PositionText = Field(alias="from")
    to: PositionText
    history_url: str


class ResetFrame(FrameModel):
    """Events sent before may be wrong or belong to another journal. Load the state again."""

    position: PositionText
    reason: str


class OverloadFrame(FrameModel):
    """There are too many connections. Reconnect after `retry` milliseconds."""

    reason: str
    retry: int


class TokenExpiringFrame(FrameModel):
    """The token expires soon, and then the connection ends. Reconnect with a new token."""

    at: Annotated[float | None, Field(description="Unix seconds")]


class GoodbyeFrame(FrameModel):
    """The server closes the connection. Reconnect after `retry` milliseconds."""

    reason: Goodbye
    retry: int


FRAMES: dict[str, type[FrameModel]] = {
    "connected": ConnectedFrame,
    "sync": SyncFrame,
    "gap": GapFrame,
    "reset": ResetFrame,
    "overload": OverloadFrame,
    "token_expiring": TokenExpiringFrame,
    "goodbye": GoodbyeFrame,
}

"""Every frame of a subscription that is no event of a stream, as a model by name: for AsyncAPI."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.api.models.responses import PositionText
from shared.web.problems import Goodbye


class FrameModel(BaseModel):
    """The data of a frame that is no event of a stream."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)


class ConnectedFrame(FrameModel):
    """The first frame, unnamed."""

    type: Literal["connected"]
    client_id: str
    subscriptions: list[str]
    position: PositionText


class SyncFrame(FrameModel):
    """Everything up to here that is yours has been sent; also the heartbeat.

    The position is null during a replay, and while the indexer restores events that a failover of
    Redis lost.
    """

    position: PositionText | None
    ledger: int | None
    ledger_closed_at: str | None
    lag_seconds: float | None


class GapFrame(FrameModel):
    """Events between two positions are not kept any more: load the state anew."""

    from_: PositionText = Field(alias="from")
    to: PositionText
    history_url: str


class ResetFrame(FrameModel):
    """What was sent before may be wrong, or is of another journal: load the state anew."""

    position: PositionText
    reason: str


class OverloadFrame(FrameModel):
    """Too many connections; come back after `retry` milliseconds."""

    reason: str
    retry: int


class TokenExpiringFrame(FrameModel):
    """The connection ends with its token: connect anew with a fresh one."""

    at: Annotated[float | None, Field(description="Unix seconds")]


class GoodbyeFrame(FrameModel):
    """The server closes; come back after `retry` milliseconds."""

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

"""Models of the responses about webhooks, for OpenAPI. Not used at run time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.api.models.responses import (
    Address,
    CursorText,
    PositionText,
    ResponseModel,
    Seconds,
    StreamIdText,
)
from shared.domain.events import EventType
from shared.webhooks.attempts import AttemptKind
from shared.webhooks.endpoint import DeliveryOrder
from shared.webhooks.state import EndpointState

EndpointId = Annotated[
    str,
    Field(pattern="^wh_[0-9a-f]{24}$", examples=["wh_5f0c1d2e3a4b5f0c1d2e3a4b"]),
]
Reason = Annotated[
    str | None,
    Field(
        json_schema_extra={"enum": [None, "gone", "failed"]},
        description="why it is disabled: the receiver answered 410, or failed for days",
    ),
]


class WebhookDocument(ResponseModel):
    """A webhook. It contains no secret."""

    id: EndpointId
    version: Annotated[int, Field(ge=1, description="grows by one with each change; also the ETag")]
    account: Annotated[
        str | None,
        Field(
            description="the owner; null if it was made in AUTH_MODE=open: such a webhook gets "
            "nothing in AUTH_MODE=required"
        ),
    ]
    url: Annotated[str, Field(examples=["https://shop.example/headrace"])]
    streams: list[StreamIdText]
    users: list[Address]
    all: bool
    types: Annotated[list[EventType], Field(description="empty: all types")]
    description: str
    batch: Annotated[int, Field(ge=1, description="the most events of one delivery")]
    order: DeliveryOrder
    enabled: Annotated[bool, Field(description="false: the owner has paused it")]
    created_at: Seconds
    position: Annotated[
        PositionText | None,
        Field(
            description="all events up to this position were acknowledged, or do not match the "
            "filter; while there are no events for it, it moves forward every 30 seconds or so"
        ),
    ]
    state: Annotated[EndpointState, Field(description="what it does now")]
    disabled_reason: Reason
    disabled_at: Seconds | None
    failures: Annotated[int, Field(ge=0, description="failed attempts since the last success")]
    failing_since: Seconds | None
    retry_at: Annotated[Seconds | None, Field(description="when the next attempt is made")]
    old_secret_expires_at: Annotated[
        Seconds | None,
        Field(description="until when older secrets sign too; null: there are none"),
    ]


class WebhookWithSecret(WebhookDocument):
    """A webhook with its newest secret. No other response shows the secret."""

    secret: Annotated[
        str | None,
        Field(
            examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
            description="in the response to a repeated request: the secret that the first one "
            "made, or null after a rotation has ended it",
        ),
    ]


class WebhookPage(ResponseModel):
    """A page of webhooks, the oldest first."""

    items: list[WebhookDocument]
    next: CursorText | None


class DeliveryAttempt(ResponseModel):
    """One request to the receiver."""

    at: Annotated[float, Field(description="Unix seconds")]
    kind: AttemptKind
    message_id: Annotated[str, Field(description="the header `webhook-id`")]
    events: Annotated[int, Field(ge=0, description="how many events it had")]
    seconds: Annotated[float, Field(ge=0, description="how long it took")]
    taken: Annotated[bool, Field(description="the receiver answered 2xx")]
    status: Annotated[int | None, Field(description="null: there was no answer; see `error`")]
    answer: Annotated[str, Field(description="the beginning of the answer's body")]
    error: str


class DeliveryAttempts(ResponseModel):
    """The last attempts, the newest first. Older ones are not kept."""

    items: list[DeliveryAttempt]
    next: None


class RequestedTest(ResponseModel):
    """A test message will be sent soon."""

    message_id: Annotated[str, Field(description="its header `webhook-id`")]


class RedeliveryDocument(ResponseModel):
    """A redelivery that has not ended. Both positions are inclusive."""

    id: str
    from_: PositionText = Field(
        alias="from", description="where the rest begins; it moves forward with each delivery"
    )
    to: PositionText


class Redeliveries(ResponseModel):
    """The redeliveries of a webhook that have not ended."""

    items: list[RedeliveryDocument]
    next: None


class BatchBody(ResponseModel):
    """The body of a delivery to a webhook whose `batch` is above 1."""

    events: list[dict[str, object]]


class GapBody(ResponseModel):
    """Events after `from` and up to `to` are not kept any more. Load your state again."""

    type: Literal["gap"]
    from_: PositionText = Field(alias="from")
    to: PositionText
    history_url: str


class ResetBody(ResponseModel):
    """Redis lost an event that you received. Load your state again.

    The next event is the one after `position`.
    """

    type: Literal["reset"]
    position: PositionText
    reason: str


class WebhookTestBody(ResponseModel):
    """The body of a test message."""

    type: Literal["webhook.test"]
    webhook_id: EndpointId
    timestamp: Seconds

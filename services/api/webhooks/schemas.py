"""The bodies and query parameters of requests about webhooks."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema

from services.api.http.fields import Account, PositionParam, StreamId, Text, cursor_of, integer
from services.api.http.models import QueryParameters, RequestBody
from shared.domain.events import EventType
from shared.webhooks.endpoint import DeliveryOrder
from shared.webhooks.urls import MOST_CHARACTERS

MOST_BATCH = 100
MOST_OVERLAP = 7 * 86_400
"""The longest time in seconds for which an old secret still signs."""

_CURSOR = r"^[0-9]{1,12}\.wh_[0-9a-f]{24}$"
_Batch = Annotated[int, Field(strict=True, ge=1, le=MOST_BATCH), BeforeValidator(integer)]
_Overlap = Annotated[int, Field(strict=True, ge=0, le=MOST_OVERLAP), BeforeValidator(integer)]
_Url = Annotated[
    str,
    Field(min_length=1, max_length=MOST_CHARACTERS),
    WithJsonSchema(
        {
            "type": "string",
            "format": "webhook-url",
            "pattern": "^https?://",
            "minLength": 1,
            "maxLength": MOST_CHARACTERS,
            "examples": ["https://shop.example/headrace"],
        }
    ),
]
_Cursor = Annotated[str, cursor_of(_CURSOR), Field(json_schema_extra={"pattern": _CURSOR})]
_First = Annotated[
    PositionParam | None,
    Field(alias="from", description="position of the first event that is delivered"),
]


class WebhookSelection(RequestBody):
    """What a webhook gets: the filters of a subscription."""

    streams: Annotated[tuple[StreamId, ...], Field(max_length=100)] = ()
    users: Annotated[tuple[Account, ...], Field(max_length=100)] = ()
    all: StrictBool = False
    types: Annotated[
        tuple[EventType, ...], Field(max_length=50, description="empty: all types")
    ] = ()


class WebhookFields(WebhookSelection):
    """What an owner can choose for a webhook.

    `batch` is the most events of one delivery. With `order` = `endpoint`, each delivery waits for
    the one before it; with `stream`, only for the one before it of the same stream.
    """

    description: Annotated[Text, Field(max_length=200)] = ""
    batch: _Batch = 1
    order: DeliveryOrder = DeliveryOrder.ENDPOINT
    enabled: StrictBool = True
    from_: _First = None


class CreateWebhook(WebhookFields):
    """POST /v1/webhooks. Without streams, users and all: the events of your own account.

    Without `from`, delivery begins with the next event.
    """

    url: _Url


def _without_defaults(schema: dict[str, Any]) -> None:
    """A field that is not sent has no default: it stays as it is."""
    for each in schema["properties"].values():
        each.pop("default", None)


class PatchWebhook(WebhookFields):
    """PATCH /v1/webhooks/{id}. Fields that are not sent stay as they are.

    `enabled: true` begins the delivery again at once, also if the webhook was disabled or waits for
    its next attempt. It goes on where it stopped, or from the event at `from`.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    url: _Url = ""


class RotateSecret(RequestBody):
    """POST /v1/webhooks/{id}/rotate-secret. The old secret signs too, for `seconds`."""

    seconds: _Overlap = 86_400


class RedeliverEvents(RequestBody):
    """POST /v1/webhooks/{id}/redeliver: the events from one position to another, both inclusive.

    Without `to`: up to the event that is the newest now. While the webhook is paused or disabled,
    the redelivery waits.
    """

    from_: Annotated[PositionParam, Field(alias="from")]
    to: PositionParam | None = None


class WebhooksQuery(QueryParameters):
    """GET /v1/webhooks: the webhooks of an account; without it your own, or all for an admin."""

    account: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: _Cursor | None = None

"""The operations of webhooks, and what a receiver gets, for the OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel

from services.api.http.models import EmptyBody
from services.api.models import webhooks as answers
from services.api.models.pages import AnyEvent
from services.api.reference.json_schemas import Json
from services.api.reference.operation import WEBHOOKS, ApiOperation
from services.api.webhooks.schemas import (
    CreateWebhook,
    PatchWebhook,
    RedeliverEvents,
    RotateSecret,
    WebhooksQuery,
)

_BODY = (400, 413, 415, 422)

WEBHOOK_OPERATIONS: dict[tuple[str, str], ApiOperation] = {
    ("POST", "/webhooks"): ApiOperation(
        "Create a webhook; only this response shows its secret",
        WEBHOOKS,
        body=CreateWebhook,
        answer=answers.WebhookWithSecret,
        status=201,
        changes=True,
        headers=("ETag", "Location"),
        problems=(*_BODY, 404, 409),
    ),
    ("GET", "/webhooks"): ApiOperation(
        "List webhooks", WEBHOOKS, query=WebhooksQuery, answer=answers.WebhookPage, problems=(422,)
    ),
    ("GET", "/webhooks/{id}"): ApiOperation(
        "Read a webhook and its state",
        WEBHOOKS,
        answer=answers.WebhookDocument,
        headers=("ETag",),
        problems=(404,),
    ),
    ("PATCH", "/webhooks/{id}"): ApiOperation(
        "Change, pause or resume a webhook",
        WEBHOOKS,
        body=PatchWebhook,
        answer=answers.WebhookDocument,
        versioned=True,
        headers=("ETag",),
        problems=(*_BODY, 404, 412),
    ),
    ("DELETE", "/webhooks/{id}"): ApiOperation(
        "Delete a webhook", WEBHOOKS, body=EmptyBody, status=204, problems=(*_BODY, 404)
    ),
    ("POST", "/webhooks/{id}/test"): ApiOperation(
        "Send a test message soon",
        WEBHOOKS,
        body=EmptyBody,
        answer=answers.RequestedTest,
        status=202,
        problems=(*_BODY, 404, 429),
    ),
    ("POST", "/webhooks/{id}/rotate-secret"): ApiOperation(
        "Get a new secret; the old one signs too for a time",
        WEBHOOKS,
        body=RotateSecret,
        answer=answers.WebhookWithSecret,
        changes=True,
        headers=("ETag",),
        problems=(*_BODY, 404, 409),
    ),
    ("POST", "/webhooks/{id}/redeliver"): ApiOperation(
        "Deliver events of a range once more",
        WEBHOOKS,
        body=RedeliverEvents,
        answer=answers.RedeliveryDocument,
        status=202,
        changes=True,
        problems=(*_BODY, 404, 409, 429),
    ),
    ("GET", "/webhooks/{id}/redeliveries"): ApiOperation(
        "List the redeliveries that have not ended",
        WEBHOOKS,
        answer=answers.Redeliveries,
        problems=(404,),
    ),
    ("DELETE", "/webhooks/{id}/redeliveries/{redelivery}"): ApiOperation(
        "Stop a redelivery", WEBHOOKS, body=EmptyBody, status=204, problems=(*_BODY, 404)
    ),
    ("GET", "/webhooks/{id}/deliveries"): ApiOperation(
        "Read the last attempts to deliver",
        WEBHOOKS,
        answer=answers.DeliveryAttempts,
        problems=(404,),
    ),
}
"""The operations by method and path without /v1."""

RECEIVED: dict[str, tuple[str, type[BaseModel]]] = {
    "event": ("One event, as on the wire; /asyncapi.json has the fields of each type", AnyEvent),
    "batch": ("Several events, if `batch` of the webhook is above 1", answers.BatchBody),
    "gap": ("Events are not kept any more", answers.GapBody),
    "reset": ("An event that you received was lost", answers.ResetBody),
    "test": ("A test message, after POST /v1/webhooks/{id}/test", answers.WebhookTestBody),
}
"""What a receiver gets, by name: the meaning, and the model of the body."""

_HEADERS = {
    "webhook-id": "id of the message: the position of the event, or of the last one of a batch",
    "webhook-timestamp": "when the message was sent, in Unix seconds",
    "webhook-signature": "`v1,` and a signature, for each secret that signs, separated by spaces",
}


def received_requests() -> Json:
    """The section `webhooks` of the document: the requests that Headrace sends to a receiver."""
    return {name: {"post": _request(name, *row)} for name, row in RECEIVED.items()}


def _request(name: str, summary: str, model: type[BaseModel]) -> Json:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "operationId": f"receive-{name}",
        "summary": summary,
        "tags": [WEBHOOKS],
        "parameters": [
            {
                "name": header,
                "in": "header",
                "required": True,
                "description": f"{meaning} (Standard Webhooks)",
                "schema": {"type": "string"},
            }
            for header, meaning in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}},
        "responses": {
            "2XX": {"description": "Taken. The next message follows."},
            "410": {"description": "Gone. The webhook is disabled."},
            "default": {"description": "Not taken. The message is sent again later."},
        },
        "security": [],
    }

"""The AsyncAPI 3.0 document of the events, generated from their models."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from services.api.models.frames import FRAMES
from services.api.models.stream_events import event_model
from services.api.reference.json_schemas import Json, schemas_of
from shared.domain.events import EventType

_PARAMETERS = (
    "Query parameters: streams=<id>,… users=<G…>,… all=true (at least one), types=<type>,…, "
    "view=compact. The schemas describe view=full. With view=compact, the field `stream` of an "
    "event has only `version`. "
    "To resume, send the header Last-Event-ID."
)


def asyncapi() -> Json:
    """The document as a JSON object."""
    models: dict[str, type[BaseModel]] = {str(kind): event_model(kind) for kind in EventType}
    models |= FRAMES
    names = {name: model.__name__ for name, model in models.items()}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:headrace:events",
        "info": {
            "title": "Headrace events",
            "version": "1",
            "description": "Payment streams on Stellar, in real time, over Server-Sent Events.",
        },
        "defaultContentType": "application/json",
        "channels": {"events": _channel(names)},
        "operations": {
            "receiveEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "The events that a subscriber gets, in the order of the journal.",
            }
        },
        "components": {
            "messages": {key(name): _message(name, model) for name, model in models.items()},
            "schemas": schemas_of(models.values(), "serialization"),
        },
    }


def key(name: str) -> str:
    """The key of a message: its name without characters that a reference does not allow."""
    return name.replace(".", "_")


def _channel(names: Mapping[str, str]) -> Json:
    return {
        "address": "/v1/events/subscribe",
        "title": "Events",
        "description": f"GET returns text/event-stream. {_PARAMETERS}",
        "messages": {key(name): {"$ref": f"#/components/messages/{key(name)}"} for name in names},
    }


def _message(name: str, model: type[BaseModel]) -> Json:
    return {
        "name": name,
        "title": model.__name__,
        "summary": (model.__doc__ or "").strip().partition("\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }

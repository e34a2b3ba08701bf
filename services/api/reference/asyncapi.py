"""The AsyncAPI 3.0 document of the events, made from their models."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from services.api.models.frames import FRAMES
from services.api.models.stream_events import event_model
from services.api.reference.json_schemas import Json, schemas_of
from shared.domain.events import EventType

_PARAMETERS = (
    "Query: streams=<id>,… users=<G…>,… all=true (at least one), types=<type>,…; to resume, the "
    "header Last-Event-ID."
)


def asyncapi() -> Json:
    """The document, JSON-ready."""
    models: dict[str, type[BaseModel]] = {str(kind): event_model(kind) for kind in EventType}
    models |= FRAMES
    names = {name: model.__name__ for name, model in models.items()}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:headrace:events",
        "info": {
            "title": "Headrace events",
            "version": "1",
            "description": "Payment streams on Stellar, as they happen, over Server-Sent Events.",
        },
        "defaultContentType": "application/json",
        "channels": {"events": _channel(names)},
        "operations": {
            "receiveEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "What a subscriber gets, in the order of the journal.",
            }
        },
        "components": {
            "messages": {key(name): _message(name, model) for name, model in models.items()},
            "schemas": schemas_of(models.values(), "serialization"),
        },
    }


def key(name: str) -> str:
    """The key of a message: a name that may stand in a reference."""
    return name.replace(".", "_")


def _channel(names: Mapping[str, str]) -> Json:
    return {
        "address": "/v1/events/subscribe",
        "title": "Events",
        "description": f"GET, answered with text/event-stream. {_PARAMETERS}",
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

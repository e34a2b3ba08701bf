"""The OpenAPI 3.1 document, generated from the router, from `operations` and from their models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel

from services.api.http.models import EmptyBody
from services.api.models.responses import ProblemDocument
from services.api.reference.json_schemas import Json, schemas_of
from services.api.reference.operation import TAGS, ApiOperation
from services.api.reference.operations import OPERATIONS
from services.api.reference.webhook_operations import RECEIVED, received_requests
from services.api.webhooks.schemas import RotateSecret

_ABOUT = (
    "Create, read, list and change payment streams on Stellar, and follow their events in real "
    "time. Every path of streams, events and login exists with and without /v1. Amounts are "
    "decimal strings in base units. Times are Unix seconds."
)
_OPTIONAL_BODIES = (EmptyBody, RotateSecret)
_PROBLEM = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
}
_HEADERS = {
    "ETag": "version of the stream or webhook, for If-Match",
    "Location": "URL of the stream, webhook or transaction, or of the fanout",
    "Headrace-Position": "top of the journal before the read; subscribe from it to miss no event",
}
_VERSIONED = (
    *("/streams", "/events", "/users", "/tokens", "/transactions", "/webhooks"),
    *("/auth", "/keys", "/system"),
)
_PATH = {
    "id": {"type": "string", "examples": ["7"]},
    "account": {"type": "string", "format": "stellar-account"},
    "address": {"type": "string", "format": "stellar-contract"},
    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "file": {"type": "string", "examples": ["style.css"]},
    "replica": {"type": "string", "examples": ["0f5a9c7d31e2"]},
    "redelivery": {"type": "string", "examples": ["5f0c1d2e3a4b5f0c"]},
    "slug": {"type": "string", "examples": ["invalid"]},
    "folder": {"type": "string", "examples": ["headrace"]},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "entity tags of versions; the stream or webhook must have one of these versions",
    "schema": {"type": "string", "format": "entity-tags", "examples": ['"1"']},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "within 24 hours, a repeated request with this key gets the stored response",
    "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
}


def routes_of(router: web.UrlDispatcher) -> list[tuple[str, str]]:
    """Method and path of every route except HEAD, in the order in which they were added."""
    found = [
        (route.method, route.resource.canonical)
        for route in router.routes()
        if route.resource is not None and route.method != "HEAD"
    ]
    return list(dict.fromkeys(found))


def openapi(router: web.UrlDispatcher) -> Json:
    """The document as a JSON object."""
    routes = [(m, p, OPERATIONS[m, p.removeprefix("/v1") or "/"]) for m, p in routes_of(router)]
    operations = [operation for *_, operation in routes]
    paths: Json = {}
    for method, path, operation in routes:
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headrace API", "version": "1", "description": _ABOUT},
        "tags": [{"name": name} for name in TAGS],
        "paths": paths,
        "webhooks": received_requests(),
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _schemas(operations: Sequence[ApiOperation]) -> Json:
    queries: list[type[BaseModel]] = [o.query for o in operations if o.query]
    bodies: list[type[BaseModel]] = [o.body for o in operations if o.body]
    answers: list[type[BaseModel]] = [ProblemDocument, *(o.answer for o in operations if o.answer)]
    answers += [model for _, model in RECEIVED.values()]
    found: Json = schemas_of([*queries, *bodies], "validation") | schemas_of(
        answers, "serialization"
    )
    return {name: each for name, each in found.items() if name not in {q.__name__ for q in queries}}


def _operation(method: str, path: str, operation: ApiOperation) -> Json:
    words = re.findall(r"[A-Za-z0-9]+", path)
    document: Json = {
        "operationId": "-".join([method.lower(), *words]),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(path, operation),
        "responses": _responses(operation),
        "security": [{}] if operation.open else [{}, {"token": []}],
    }
    if not path.startswith("/v1") and f"/v1{path}" in _versioned():
        document["description"] = f"The same as /v1{path}."
    if operation.body is not None:
        document["requestBody"] = {
            "required": operation.body not in _OPTIONAL_BODIES,
            "content": {"application/json": {"schema": _ref(operation.body)}},
        }
    return document


def _versioned() -> frozenset[str]:
    """The paths that also exist with /v1."""
    return frozenset(f"/v1{path}" for _, path in OPERATIONS if path.startswith(_VERSIONED))


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _parameters(path: str, operation: ApiOperation) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH[name]}
        for name in re.findall(r"{(\w+)}", path)
    ]
    if operation.query is not None:
        found += _query(operation.query)
    if operation.versioned:
        found.append(_IF_MATCH)
    if operation.changes:
        found.append(_KEY)
    return found


def _query(model: type[BaseModel]) -> list[Json]:
    schema = schemas_of([model], "validation")[model.__name__]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _not_null(each)}
        for name, each in schema["properties"].items()
    ]


def _not_null(schema: Json) -> Json:
    """The schema without null, because a query parameter cannot be null."""
    kinds: list[Json] = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {name: each for name, each in schema.items() if name != "anyOf"} | kinds[0]


def _responses(operation: ApiOperation) -> Json:
    good: Json = {"description": HTTPStatus(operation.status).phrase}
    if operation.headers:
        good["headers"] = {
            name: {"description": _HEADERS[name], "schema": {"type": "string"}}
            for name in operation.headers
        }
    content: Json = {kind: {"schema": {"type": "string"}} for kind in operation.media}
    if operation.answer is not None:
        content["application/json"] = {"schema": _ref(operation.answer)}
    elif operation.status == HTTPStatus.OK and not content:
        content["application/json"] = {"schema": {"type": "object"}}
    if content:
        good["content"] = content
    refusals = {
        str(status): {"description": HTTPStatus(status).phrase, "content": _PROBLEM}
        for status in operation.problems
    }
    rest = {"description": "Another problem", "content": _PROBLEM}
    return {str(operation.status): good, **refusals, "default": rest}

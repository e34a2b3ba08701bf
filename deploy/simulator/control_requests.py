"""Requests and answers of the control API: JSON objects, and an error text for a wrong one."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from aiohttp import web


def answer(body: object) -> web.Response:
    """An answer in JSON."""
    return web.Response(body=orjson.dumps(body), content_type="application/json")


async def read_body(request: web.Request) -> Mapping[str, object]:
    """Read the JSON object of a request. Raises HTTPBadRequest."""
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        raise bad_request(str(error)) from None
    if not isinstance(body, dict):
        raise bad_request("an object is expected")
    return body


def number(body: Mapping[str, object], name: str, default: int) -> int:
    """A field that is a number, 0 or more. Raises HTTPBadRequest."""
    value = body.get(name, default)
    if not isinstance(value, int) or value < 0:
        raise bad_request(f"{name} must be a number, 0 or more")
    return value


def bad_request(text: str) -> web.HTTPBadRequest:
    """The error 400 with this text."""
    return web.HTTPBadRequest(
        text=orjson.dumps({"error": text}).decode(), content_type="application/json"
    )

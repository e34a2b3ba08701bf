"""What the middleware keeps in a request: who calls, and the headers of the rate limits."""

from __future__ import annotations

from aiohttp import web

from shared.auth.principal import Principal

LIMIT_HEADERS: web.RequestKey[dict[str, str]] = web.RequestKey("limit_headers", dict)

CALLER = web.RequestKey("caller", Principal)
"""Set by the guard; absent on routes that are open to everyone."""


def caller(request: web.Request) -> Principal:
    """Who asks; in AUTH_MODE=open everybody is ANYONE."""
    return request[CALLER]

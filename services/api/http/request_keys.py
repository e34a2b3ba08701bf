"""The values that the middleware stores in a request: the caller, and the rate limit headers."""

from __future__ import annotations

from aiohttp import web

from shared.auth.principal import Principal

LIMIT_HEADERS: web.RequestKey[dict[str, str]] = web.RequestKey("limit_headers", dict)

CALLER = web.RequestKey("caller", Principal)
"""The caller. The guard stores it, except on routes that are open to everyone."""


def caller(request: web.Request) -> Principal:
    """The caller of a request. In AUTH_MODE=open this is ANYONE."""
    return request[CALLER]

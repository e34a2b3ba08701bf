"""CORS: which web pages may read our responses (WHATWG Fetch, "CORS protocol")."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

ANY_ORIGIN = "*"
_ORIGIN = re.compile(r"[!-~]+")
"""Browsers send an origin in visible ASCII (RFC 6454 6.2). Other text is not sent back."""

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, Last-Event-ID"
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED = (
    "Allow",
    "Content-Disposition",
    "Date",
    "ETag",
    "Headrace-Gap",
    "Headrace-Next",
    "Headrace-Position",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
)
"""The response headers that pages of other origins may read: all that clients need."""


class Cors:
    """An allow-list of exact origins. `*` allows any origin.

    The response repeats the request's origin, because browsers refuse `*` for requests with
    cookies.
    """

    def __init__(self, origins: Sequence[str], expose: Sequence[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._exposed = {"Access-Control-Expose-Headers": ", ".join((*_EXPOSED, *expose))}

    def headers(self, request: web.Request) -> dict[str, str]:
        """The CORS headers for a request. `Vary` makes caches keep one response per origin."""
        origin = request.headers.get("Origin", "")
        allowed = ANY_ORIGIN in self._origins or origin in self._origins
        if not allowed or not _ORIGIN.fullmatch(origin):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
        }

    def middleware(self) -> Middleware:
        """Adds the CORS headers to every response, and answers preflight requests."""

        @web.middleware
        async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
            headers = self.headers(request)
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return web.Response(status=204, headers=headers | _PREFLIGHT)
            response = await handler(request)
            if not response.prepared:
                varies = response.headers.getall("Vary", [])
                response.headers.update(headers | self._exposed)
                response.headers["Vary"] = ", ".join([headers["Vary"], *varies])
            return response

        return cors

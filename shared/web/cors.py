"""CORS: which origins' pages may read an answer (WHATWG Fetch, "CORS protocol")."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

ANY_ORIGIN = "*"

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
"""All headers of our answers that a program reads; pages of other origins can read only these."""


class Cors:
    """Answers by an allow-list of exact origins; `*` allows any, by name, so cookies work too."""

    def __init__(self, origins: Sequence[str], expose: Sequence[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._exposed = {"Access-Control-Expose-Headers": ", ".join((*_EXPOSED, *expose))}

    def headers(self, request: web.Request) -> dict[str, str]:
        """The headers of an answer to this request; `Vary` always, so that caches keep apart."""
        origin = request.headers.get("Origin")
        if not origin or not (ANY_ORIGIN in self._origins or origin in self._origins):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
        }

    def middleware(self) -> Middleware:
        """Adds the headers to every answer and answers preflights itself."""

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

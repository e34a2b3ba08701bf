"""The headers of every response: request id, rate limits, and security headers for browsers.

Sources: OWASP REST Security Cheat Sheet; WHATWG Fetch for `nosniff`; W3C CSP 3. TLS ends at the
proxy, so the proxy sets Strict-Transport-Security.
"""

from __future__ import annotations

import logging
import re
import secrets
import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from services.api.http.request_keys import CALLER, LIMIT_HEADERS
from shared.auth.principal import ANYONE
from shared.web.problems import REQUEST_ID

log = structlog.get_logger()

HEADER = "X-Request-ID"
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
EXPOSED = ("RateLimit", "RateLimit-Policy", HEADER)
"""Headers that pages of other origins may read, in addition to those of `shared.web.cors`."""
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_DATA = "default-src 'none'; frame-ancestors 'none'"
_PAGE = "frame-ancestors 'none'"
_ANY_PAGE = frozenset({"/auth", "/.well-known/stellar.toml"})
"""Paths that pages of every origin may read (SEP-10 "Cross-Origin Headers", SEP-1)."""


def request_id(given: str | None) -> str:
    """The id that the client sent, if it is safe to log; else a new random id."""
    return given if given and _SAFE_ID.fullmatch(given) else secrets.token_hex(16)


@web.middleware
async def response_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the request id to every log line of the request, and the headers to its response."""
    name = request_id(request.headers.get(HEADER))
    request[REQUEST_ID] = name
    started = time.perf_counter()
    # No need to unbind the id: this task serves only one connection, and the next request on this
    # connection binds a new id.
    structlog.contextvars.bind_contextvars(request_id=name)
    response = await handler(request)
    if log.is_enabled_for(logging.DEBUG):
        log.debug(
            "request",
            method=request.method,
            path=request.path,  # without the query, which may contain a token
            status=response.status,
            milliseconds=round((time.perf_counter() - started) * 1e3, 2),
        )
    if not response.prepared:
        _add_headers(request, response, name)
    return response


def _add_headers(request: web.Request, response: web.StreamResponse, name: str) -> None:
    headers = response.headers
    kind = headers.get("Content-Type", "")
    headers.setdefault("Content-Security-Policy", _PAGE if kind.startswith("text/html") else _DATA)
    headers.update({**_ALWAYS, **request.get(LIMIT_HEADERS, {}), HEADER: name})
    if request.path.removeprefix("/v1") in _ANY_PAGE:
        headers.setdefault("Access-Control-Allow-Origin", "*")
    if request.get(CALLER, ANYONE) is not ANYONE:
        headers.setdefault("Cache-Control", "private, no-cache")

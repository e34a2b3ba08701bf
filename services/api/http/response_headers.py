"""What every answer bears, whatever it says: a request id, limits, and headers for browsers.

Headers: OWASP REST Security Cheat Sheet; `nosniff`: WHATWG Fetch; CSP: W3C CSP 3. TLS ends at the
proxy, so Strict-Transport-Security is the proxy's.
"""

from __future__ import annotations

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
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
EXPOSED = ("RateLimit", "RateLimit-Policy", HEADER)
"""What pages of other origins may read beside the headers of `shared.web.cors`."""
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_DATA = "default-src 'none'; frame-ancestors 'none'"
_PAGE = "frame-ancestors 'none'"
_ANY_PAGE = frozenset({"/auth", "/.well-known/stellar.toml"})
"""What any page may read: the standards want it (SEP-10 "Cross-Origin Headers", SEP-1)."""


def request_id(given: str | None) -> str:
    """The id that came with a request where it is harmless in a log, else one of ours."""
    return given if given and _SANE.fullmatch(given) else secrets.token_hex(16)


@web.middleware
async def response_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind the request's id to every log line, and complete the answer."""
    name = request_id(request.headers.get(HEADER))
    request[REQUEST_ID] = name
    started = time.perf_counter()
    # Not unbound: the next request of the connection, whose task this is, binds its own.
    structlog.contextvars.bind_contextvars(request_id=name)
    response = await handler(request)
    log.debug(
        "request",
        method=request.method,
        path=request.path,  # never the query: it may hold a token
        status=response.status,
        milliseconds=round((time.perf_counter() - started) * 1e3, 2),
    )
    if not response.prepared:
        _complete(request, response, name)
    return response


def _complete(request: web.Request, response: web.StreamResponse, name: str) -> None:
    headers = response.headers
    kind = headers.get("Content-Type", "")
    headers.setdefault("Content-Security-Policy", _PAGE if kind.startswith("text/html") else _DATA)
    headers.update({**_ALWAYS, **request.get(LIMIT_HEADERS, {}), HEADER: name})
    if request.path.removeprefix("/v1") in _ANY_PAGE:
        headers.setdefault("Access-Control-Allow-Origin", "*")
    if request.get(CALLER, ANYONE) is not ANYONE:
        headers.setdefault("Cache-Control", "private, no-cache")

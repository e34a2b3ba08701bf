"""Routes of the console: the page at `/`, its scripts and styles, and headrace.js for others.

No build step: the files are served as they stand. The page needs no outside host, and its policy
lets it reach none but the fanouts that this API sends an EventSource on to.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from services.api.http.requests import (
    json_response,
)
from services.api.settings import SETTINGS, ApiSettings
from services.api.streams.service import (
    Document,
)
from shared.runtime.urls import origin
from shared.web.problems import Problem, Slug

_FOLDER = Path(__file__).parent
_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".ts": "text/plain",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_HTML = "text/html"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """A file of the console as it is served."""

    kind: str
    body: bytes
    packed: bytes
    tag: str


_PARTS: web.AppKey[dict[str, ConsoleFile]] = web.AppKey("console", dict)


def add_console_routes(app: web.Application) -> None:
    """The routes; the files are read once."""
    app[_PARTS] = dict(_parts())
    app.router.add_get("/", front)
    app.router.add_get("/console/{folder}/{file}", console_file)


def _parts() -> Iterable[tuple[str, ConsoleFile]]:
    for path in sorted(_FOLDER.rglob("*.*")):
        if kind := _KINDS.get(path.suffix):
            body = path.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
            packed = gzip.compress(body, mtime=0)
            yield path.relative_to(_FOLDER).as_posix(), ConsoleFile(kind, body, packed, tag)


async def front(request: web.Request) -> web.Response:
    """The page for who asks for HTML, as browsers do; else what this is and where things are."""
    if _HTML in request.headers.get("Accept", ""):
        response = _serve(request, request.app[_PARTS]["index.html"])
        response.headers["Content-Security-Policy"] = content_security_policy(
            request.app[SETTINGS].fanout_urls
        )
    else:
        response = json_response(
            service_index(request.app[SETTINGS]), headers={"Cache-Control": "no-cache"}
        )
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response


def content_security_policy(fanout_urls: Iterable[str]) -> str:
    """The Content-Security-Policy of the page. CSP 3 holds redirects to `connect-src` too."""
    return _POLICY.format(" ".join(["'self'", *dict.fromkeys(map(origin, fanout_urls))]))


async def console_file(request: web.Request) -> web.Response:
    """A part of the page."""
    name = f"{request.match_info['folder']}/{request.match_info['file']}"
    if (found := request.app[_PARTS].get(name)) is None:
        raise Problem(404, Slug.NOT_FOUND, "there is no such part of the console")
    return _serve(request, found)


def _serve(request: web.Request, console_file: ConsoleFile) -> web.Response:
    """Kept by browsers and asked about each time, so a new release is seen at once."""
    headers = {"Cache-Control": "no-cache", "ETag": console_file.tag, "Vary": "Accept-Encoding"}
    if console_file.tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    body = console_file.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = console_file.packed, "gzip"
    return web.Response(body=body, content_type=console_file.kind, charset="utf-8", headers=headers)


def service_index(settings: ApiSettings) -> Document:
    """What this is and where things are."""
    return {
        "service": "headrace api",
        "about": "payment streams on Stellar, and their events as they happen",
        "network": settings.network_passphrase,
        "authMode": settings.auth_mode,
        "walletLogin": bool(settings.signing_seed),
        "streams": "/v1/streams",
        "events": "/v1/events/subscribe",
        "history": "/v1/events",
        "login": "/v1/auth",
        "console": "/",
        "reference": "/docs",
        "problems": "/problems",
        "openapi": "/openapi.json",
        "asyncapi": "/asyncapi.json",
        "live": "/livez",
        "ready": "/readyz",
        "metrics": "/metrics",
    }

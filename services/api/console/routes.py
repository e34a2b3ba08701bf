"""Routes of the console: the page at `/`, its scripts and styles, and headrace.js for other pages.

There is no build step: the files are served unchanged. headrace.js is a package of its own in
clients/js/. A clone, the wheel and the image have it at the same place beside `services/`. The page
loads nothing from other hosts. Its Content-Security-Policy allows connections only to this API and
to the fanouts that the API redirects to.

See docs/decisions/0029-one-connection-for-all-tabs.md,
docs/decisions/0108-headrace-js-is-a-package.md.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from services.api.console.explorer import explorer_url
from services.api.http.requests import json_response
from services.api.settings import SETTINGS, ApiSettings
from services.api.streams.service import Document
from shared.runtime.urls import origin
from shared.web.problems import Problem, Slug

_PAGE = Path(__file__).parent
_CLIENT = Path(__file__).parents[3] / "clients/js/src"
_FOLDERS = {"": _PAGE, "css/": _PAGE / "css", "js/": _PAGE / "js", "headrace/": _CLIENT}
"""Where the files of each folder of the URL are."""

_CONTENT_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".ts": "text/plain",
    ".svg": "image/svg+xml",
}
_HTML = "text/html"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """A file of the console: content type, body, compressed body and ETag."""

    kind: str
    body: bytes
    compressed: bytes
    tag: str


_FILES: web.AppKey[dict[str, ConsoleFile]] = web.AppKey("console", dict)


def add_console_routes(app: web.Application) -> None:
    """Add the routes. The files are read once, when the API starts."""
    app[_FILES] = dict(_read_files())
    app.router.add_get("/", front)
    app.router.add_get("/console/{folder}/{file}", console_file)


def _read_files() -> Iterable[tuple[str, ConsoleFile]]:
    for prefix, folder in _FOLDERS.items():
        for path in sorted(folder.iterdir()):
            if kind := _CONTENT_TYPES.get(path.suffix):
                yield prefix + path.name, _read_file(path, kind)


def _read_file(path: Path, kind: str) -> ConsoleFile:
    body = path.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return ConsoleFile(kind, body, gzip.compress(body, mtime=0), tag)


async def front(request: web.Request) -> web.Response:
    """The page, if the client accepts HTML; else an index of the endpoints as JSON."""
    if _HTML in request.headers.get("Accept", ""):
        response = _serve(request, request.app[_FILES]["index.html"])
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
    """The Content-Security-Policy of the page. `connect-src` also applies to redirects (CSP 3)."""
    return _POLICY.format(" ".join(["'self'", *dict.fromkeys(map(origin, fanout_urls))]))


async def console_file(request: web.Request) -> web.Response:
    """A file of the page."""
    name = f"{request.match_info['folder']}/{request.match_info['file']}"
    if (found := request.app[_FILES].get(name)) is None:
        raise Problem(404, Slug.NOT_FOUND, "There is no such file of the console.")
    return _serve(request, found)


def _serve(request: web.Request, file: ConsoleFile) -> web.Response:
    """Browsers cache the file, but ask each time for changes. So a new release is used at once."""
    headers = {"Cache-Control": "no-cache", "ETag": file.tag, "Vary": "Accept-Encoding"}
    if file.tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    body = file.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = file.compressed, "gzip"
    return web.Response(body=body, content_type=file.kind, charset="utf-8", headers=headers)


def service_index(settings: ApiSettings) -> Document:
    """The name of the service, the settings that clients need, and the paths of the endpoints."""
    return {
        "service": "headrace api",
        "about": "payment streams on Stellar, and their events in real time",
        "network": settings.network_passphrase,
        "authMode": settings.auth_mode,
        "walletLogin": bool(settings.signing_seed),
        "apiStreams": settings.api_streams == "on",
        "explorer": explorer_url(settings.explorer_url, settings.network_passphrase),
        "streams": "/v1/streams",
        "events": "/v1/events/subscribe",
        "history": "/v1/events",
        "transactions": "/v1/transactions" if settings.rpc_url else None,
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

"""Routes of what describes the API: /openapi.json, /asyncapi.json, and a page to read both.

The page needs no outside host, and its policy lets it reach none.
"""

from __future__ import annotations

from pathlib import Path

import orjson
from aiohttp import web

from services.api.reference.asyncapi import asyncapi
from services.api.reference.openapi import openapi
from shared.web.problems import Problem, Slug

_FOLDER = Path(__file__).parent
_KINDS = {
    "index.html": "text/html",
    "style.css": "text/css",
    "script.js": "text/javascript",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DOCUMENTS: web.AppKey[dict[str, bytes]] = web.AppKey("documents", dict)


def add_reference_routes(app: web.Application) -> None:
    """The routes; call it after all others, whose table the document is made from."""
    app[_DOCUMENTS] = {}
    app.router.add_get("/openapi.json", serve_document)
    app.router.add_get("/asyncapi.json", serve_document)
    app.router.add_get("/docs", serve_page)
    app.router.add_get("/docs/{file}", serve_page)


async def serve_document(request: web.Request) -> web.Response:
    """The document of that name, made once."""
    made, name = request.app[_DOCUMENTS], request.path
    if name not in made:
        whole = asyncapi() if name == "/asyncapi.json" else openapi(request.app.router)
        made[name] = orjson.dumps(whole)
    return web.Response(body=made[name], content_type="application/json")


async def serve_page(request: web.Request) -> web.Response:
    """The page, or a part of it."""
    name = request.match_info.get("file", "index.html")
    if name not in _KINDS:
        raise Problem(404, Slug.NOT_FOUND, "there is no such page")
    body = (_FOLDER / name).read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return web.Response(body=body, content_type=_KINDS[name], charset="utf-8", headers=headers)

"""Routes of the reference: /openapi.json, /asyncapi.json, the page /docs, and /problems.

The pages load nothing from other hosts: their Content-Security-Policy forbids other hosts.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import orjson
from aiohttp import web

from services.api.http.requests import json_response
from services.api.reference.asyncapi import asyncapi
from services.api.reference.openapi import openapi
from services.api.reference.problem_pages import index_page, problem_types, type_page
from services.api.reference.problems import PROBLEM_TYPES
from shared.web.problems import Problem, Slug

_FOLDER = Path(__file__).parent
_KINDS = {
    "index.html": "text/html",
    "style.css": "text/css",
    "script.js": "text/javascript",
}
_HTML = "text/html"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_BY_ACCEPT = {"Cache-Control": "no-cache", "Vary": "Accept"}
_DOCUMENTS: web.AppKey[dict[str, bytes]] = web.AppKey("documents", dict)


def add_reference_routes(app: web.Application) -> None:
    """Add the routes. Call this last: the OpenAPI document lists the routes that exist by then."""
    app[_DOCUMENTS] = {}
    app.router.add_get("/openapi.json", serve_document)
    app.router.add_get("/asyncapi.json", serve_document)
    app.router.add_get("/docs", serve_page)
    app.router.add_get("/docs/{file}", serve_page)
    app.router.add_get("/problems", list_problems)
    app.router.add_get("/problems/{slug}", explain_problem)


async def serve_document(request: web.Request) -> web.Response:
    """OpenAPI or AsyncAPI, generated at the first request."""
    documents, name = request.app[_DOCUMENTS], request.path
    if name not in documents:
        document = asyncapi() if name == "/asyncapi.json" else openapi(request.app.router)
        documents[name] = orjson.dumps(document)
    return web.Response(body=documents[name], content_type="application/json")


async def serve_page(request: web.Request) -> web.Response:
    """The page /docs, or one of its files."""
    name = request.match_info.get("file", "index.html")
    if name not in _KINDS:
        raise Problem(404, Slug.NOT_FOUND, "There is no such page.")
    body = (_FOLDER / name).read_bytes()
    return web.Response(
        body=body, content_type=_KINDS[name], charset="utf-8", headers=_PAGE_HEADERS
    )


async def list_problems(request: web.Request) -> web.Response:
    """GET /problems: all types of problems."""
    if _wants_html(request):
        return _page(index_page())
    return json_response({"items": problem_types()}, headers=_BY_ACCEPT)


async def explain_problem(request: web.Request) -> web.Response:
    """GET /problems/{slug}: what a type of problem means and what to do. `type` links to it."""
    slug = None
    with suppress(ValueError):
        slug = Slug(request.match_info["slug"])
    if slug is None:
        raise Problem(404, Slug.NOT_FOUND, "There is no such type of problem. See /problems.")
    document = PROBLEM_TYPES[slug].document(slug)
    if _wants_html(request):
        example = orjson.dumps(document["example"], option=orjson.OPT_INDENT_2).decode()
        return _page(type_page(slug, example))
    return json_response(document, headers=_BY_ACCEPT)


def _wants_html(request: web.Request) -> bool:
    return _HTML in request.headers.get("Accept", "")


def _page(text: str) -> web.Response:
    headers = _PAGE_HEADERS | {"Vary": "Accept"}
    return web.Response(text=text, content_type=_HTML, charset="utf-8", headers=headers)

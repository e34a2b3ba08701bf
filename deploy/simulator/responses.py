"""Answers as Horizon and RPC send them: content types, JSON, headers, gzip, chunks."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase

import orjson
from aiohttp import HttpVersion11, web
from aiohttp.http import SERVER_SOFTWARE

from deploy.simulator.problems import ProblemError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HAL, SSE = "application/hal+json", "text/event-stream"
_TYPES = (HAL, "application/json", SSE, "application/octet-stream")
_SHARED = (("GET", "HEAD", "POST"), ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""The HTTP methods with which pages of other origins may read answers of Horizon and RPC."""
_BUFFER = 2048
"""A size in bytes. Go's net/http sends a longer answer in chunks, without its length."""


def negotiated(accept: str) -> str:
    """The type in `accept` that Horizon knows, the one with the highest quality; "" if none."""
    clauses = [each.strip() for each in accept.split(",")] if accept else ["*/*"]
    for clause in sorted(clauses, key=_quality, reverse=True):
        wanted = clause.split(";")[0].strip()
        for each in _TYPES:
            if fnmatchcase(each, wanted):
                return each
    return ""


def _quality(clause: str) -> float:
    for part in clause.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0


def wants_stream(request: web.Request) -> bool:
    """True if the client asks for SSE."""
    return negotiated(request.headers.get("Accept", "")) == SSE


def require_json(request: web.Request) -> None:
    """Raise ProblemError 406 unless the client accepts a JSON document."""
    if negotiated(request.headers.get("Accept", "")) not in _TYPES[:2]:
        raise ProblemError(406)


def base_url(request: web.Request) -> str:
    """The URL under which the client reached this server, for links."""
    return f"{request.headers.get('X-Forwarded-Proto') or request.scheme}://{request.host}"


def to_json(document: object, option: int = 0) -> bytes:
    """JSON as Go writes it: characters that are special in HTML are escaped."""
    text = orjson.dumps(document, option=option)
    return text.replace(b"&", rb"\u0026").replace(b"<", rb"\u003c").replace(b">", rb"\u003e")


def hal(document: object) -> web.Response:
    """A document of Horizon."""
    headers = {"Content-Type": f"{HAL}; charset=utf-8", "Content-Disposition": "inline"}
    return web.Response(body=to_json(document, orjson.OPT_INDENT_2), headers=headers)


def problem_response(problem: ProblemError) -> web.Response:
    """A problem of Horizon."""
    headers = {"Content-Type": "application/problem+json; charset=utf-8"}
    body = to_json(problem.body(), orjson.OPT_INDENT_2)
    return web.Response(status=problem.status, body=body, headers=headers)


def refused_method() -> web.Response:
    """The 405 of both servers. It has no body and no header `Allow`."""
    return web.Response(status=405)


@web.middleware
async def pack(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress documents for clients that accept gzip, and send long documents in chunks."""
    answer = await handler(request)
    if not isinstance(answer, web.Response) or answer.content_type != HAL or answer.prepared:
        return answer
    body = answer.body if isinstance(answer.body, bytes) else b""
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        answer.body = body = gzip.compress(body)
        answer.headers.update({"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
    if len(body) > _BUFFER and request.version >= HttpVersion11:
        answer.enable_chunked_encoding()
    return answer


async def head(request: web.Request, answer: web.StreamResponse) -> None:
    """Set the headers that Horizon or RPC sends with all answers, except on the page of a proxy."""
    if answer.headers.get("Server") != SERVER_SOFTWARE:
        return
    del answer.headers["Server"]
    answer.headers.setdefault("Vary", "Origin")
    _allow_origin(request, answer)
    if request.path == "/rpc":
        answer.headers["Accept-Post"] = "application/json"
    else:
        answer.headers.setdefault("Cache-Control", "no-cache, no-store, max-age=0")


def _allow_origin(request: web.Request, answer: web.StreamResponse) -> None:
    """Allow pages of other origins to read the answer. Only Horizon also lists readable headers."""
    origin = request.headers.get("Origin")
    of_rpc, controlling = request.path == "/rpc", request.path.startswith("/sim/")
    if not origin or controlling or request.method not in _SHARED[of_rpc]:
        return
    answer.headers.setdefault("Access-Control-Allow-Origin", origin)
    if not of_rpc:
        answer.headers["Access-Control-Expose-Headers"] = "Date, Latest-Ledger"

"""Faults of an HTTP exchange: error answers, missing answers, broken connections, broken bodies."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import orjson
from aiohttp import web

from deploy.simulator.app_keys import FAULT, FAULTS, NETWORK
from deploy.simulator.faults.faults import HORIZON, Fault, FaultKind, kinds_for
from deploy.simulator.problems import ProblemError, processing_limit
from deploy.simulator.responses import (
    Handler,
    problem_response,
    refused_method,
    wants_stream,
)

RATE_LIMIT = {
    "Retry-After": "1",
    "X-RateLimit-Limit": "101",
    "X-RateLimit-Remaining": "0",
    "X-RateLimit-Reset": "101",
}
"""Horizon's headers in a 429, except in streams. Its default limit is 3600 requests an hour."""
WRONG_PASSPHRASE = "Some Other Network ; January 1970"


@web.middleware
async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn the problems that handlers raise into answers."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return problem_response(problem)
    except web.HTTPNotFound:
        return problem_response(ProblemError(404))
    except web.HTTPMethodNotAllowed:
        return refused_method()


@web.middleware
async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Apply the next fault that fits this request."""
    surface = await surface_of(request)
    fault = request.app[FAULTS].take(surface, kinds_for(surface)) if surface else None
    if fault is None:
        return await handler(request)
    if fault.kind in _INSTEAD:
        return await _INSTEAD[fault.kind](request, handler, fault)
    if surface == "stream":
        request[FAULT] = fault
        return await handler(request)
    return await _corrupt_response(request, await handler(request), fault)


async def surface_of(request: web.Request) -> str:
    """The surface of a request (see `faults`); empty for a path that has no faults."""
    match request.path.strip("/").split("/"):
        case [""]:
            return "root"
        case ["transactions"]:
            return "stream" if wants_stream(request) else "page"
        case ["transactions", _]:
            return "transaction"
        case ["ledgers"]:
            return "stream" if wants_stream(request) else "ledgers"
        case ["ledgers", _]:
            return "ledger"
        case ["rpc"]:
            return _method(await request.read())
    return ""


def _method(body: bytes) -> str:
    try:
        match orjson.loads(body):
            case {"method": str(method)}:
                return method
    except orjson.JSONDecodeError:
        pass
    return "rpc"


async def _refusal(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    answer = problem_response(ProblemError(int(fault.kind)))
    if fault.kind is FaultKind.RATE_LIMITED and await surface_of(request) in HORIZON - {"stream"}:
        answer.headers.update(RATE_LIMIT)
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


async def _timeout(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    return web.Response(status=504)


async def _proxys_page(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    title = f"{fault.status} {HTTPStatus(fault.status).phrase}"
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return web.Response(
        status=fault.status, text=page, content_type="text/html", headers={"Server": "proxy"}
    )


async def _hang(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    await asyncio.sleep(fault.seconds or float("inf"))
    return await handler(request)


_INSTEAD = {
    FaultKind.RATE_LIMITED: _refusal,
    FaultKind.UNAVAILABLE: _refusal,
    FaultKind.TIMEOUT: _timeout,
    FaultKind.NOT_FOUND: _proxys_page,
    FaultKind.HANG: _hang,
}


async def _corrupt_response(
    request: web.Request, answer: web.StreamResponse, fault: Fault
) -> web.StreamResponse:
    """The answer, changed by the fault."""
    body = answer.body if isinstance(answer, web.Response) else None
    if not isinstance(body, bytes):
        return answer
    match fault.kind:
        case FaultKind.DROP:
            await abort(request)
            return web.Response()
        case FaultKind.CUT:
            begun = await _send(request, answer, body[: len(body) // 2], len(body))
            await abort(request)
            return begun
        case FaultKind.SLOW:
            return await _send(request, answer, body, len(body), fault.seconds)
        case FaultKind.MALFORMED:
            return _answer(answer, body[: len(body) // 2])
        case FaultKind.PASSPHRASE:
            right = request.app[NETWORK].settings.network_passphrase
            return _answer(answer, body.replace(right.encode(), WRONG_PASSPHRASE.encode()))
        case _:
            number = orjson.loads(body).get("id")
            error = {"jsonrpc": "2.0", "id": number, "error": processing_limit().body()}
            return _answer(answer, orjson.dumps(error))


def _answer(answer: web.StreamResponse, body: bytes) -> web.Response:
    kind = answer.headers["Content-Type"]
    return web.Response(status=answer.status, body=body, headers={"Content-Type": kind})


async def abort(request: web.Request) -> None:
    """Send everything that was written, then break the connection."""
    await asyncio.sleep(0.01)  # uvloop writes after each iteration; abort drops unwritten bytes
    if request.transport is not None:
        request.transport.abort()


async def _send(
    request: web.Request,
    answer: web.StreamResponse,
    body: bytes,
    length: int,
    pause: float | None = None,
) -> web.StreamResponse:
    """Send `body`, but announce `length` bytes. With a `pause`, send small pieces."""
    headers = {"Content-Type": answer.headers["Content-Type"], "Content-Length": str(length)}
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    step = len(body) if pause is None else 64
    for at in range(0, len(body), step):
        await response.write(body[at : at + step])
        await asyncio.sleep(pause or 0)
    return response

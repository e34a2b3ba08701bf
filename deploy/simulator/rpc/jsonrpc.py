"""JSON-RPC 2.0 over HTTP: single calls, batches and notifications, as in stellar-rpc."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
from aiohttp import web

from deploy.simulator.problems import INVALID_REQUEST, PARSE_ERROR, RpcProblem

Method = Callable[[str, object], dict[str, object]]
"""Takes the name and the parameters of a method and returns its result. Raises RpcProblem."""
_MEMBERS = frozenset({"jsonrpc", "id", "method", "params", "error", "result"})


async def respond(request: web.Request, method: Method) -> web.Response:
    """The answer to a request; 204 if the request contains only notifications.

    If the body is not JSON, the answer is HTTP 500 with plain text. Every other error is answered
    in JSON.
    """
    if request.content_type != "application/json":
        return _text(415, "content-type must be application/json")
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        return _text(500, f"[{PARSE_ERROR}] invalid request value")
    calls = body if isinstance(body, list) else [body]
    answers = [await _answer(call, method) for call in calls]
    replies = [each for each in answers if each is not None]
    if not replies:
        return web.Response(status=204)
    document = replies if isinstance(body, list) else replies[0]
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def _text(status: int, line: str) -> web.Response:
    return web.Response(status=status, text=f"{line}\n")


async def _answer(call: object, method: Method) -> dict[str, object] | None:
    """The answer to one call; None for a notification, which is a call without an id."""
    number = call.get("id") if isinstance(call, dict) else None
    answer = {"jsonrpc": "2.0", "id": None if isinstance(number, (bool, list, dict)) else number}
    try:
        name, params = _read(call)
        if number is None:
            return None
        return answer | {"result": method(name, params)}
    except RpcProblem as error:
        await asyncio.sleep(error.seconds)
        return answer | {"error": error.body()}


def _read(call: object) -> tuple[str, object]:
    """The method and the parameters of a call. Raises RpcProblem if the call is invalid."""
    if not isinstance(call, dict):
        raise RpcProblem(PARSE_ERROR, "request is not a JSON object")
    if isinstance(call.get("id"), (bool, list, dict)):
        raise RpcProblem(INVALID_REQUEST, "invalid request ID")
    if not isinstance(name := call.get("method") or "", str):
        raise RpcProblem(PARSE_ERROR, "invalid method name")
    if not isinstance(params := call.get("params"), (dict, list, type(None))):
        raise RpcProblem(INVALID_REQUEST, "parameters must be array or object")
    if call.get("jsonrpc") != "2.0":
        raise RpcProblem(INVALID_REQUEST, "invalid version marker")
    if extra := [each for each in call if each not in _MEMBERS]:
        raise RpcProblem(INVALID_REQUEST, "extra fields in request", data=extra)
    return name, params

"""Servers that are not a correct RPC: the kind of each error, and limits of answers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from deploy.simulator.chain import accounts
from services.indexer.sources.rpc.source import RpcSource
from shared.chain import http as http_module
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.errors import SourceError
from shared.chain.rpc import RpcClient
from shared.domain.position import toid
from tests.indexer.handmade import created, meta_v4, proof, result
from tests.indexer.simulated import PASSPHRASE, Read
from tests.support.web import serving

pytestmark = [pytest.mark.io, pytest.mark.timeout(20)]
LEDGER = 3_700_000
START = toid(LEDGER)
HASH = "ab" * 32
OUTSIDE = {
    "code": -32600,
    "message": f"startLedger must be within the ledger range: {LEDGER} - {LEDGER}",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def split(raw: bytes) -> tuple[list[str], str]:
    """Topics and value of `created`: a symbol and a u64, then the data."""
    ends = [52, 76, 88, len(raw)]
    parts = [base64.b64encode(raw[a:b]).decode() for a, b in pairwise(ends)]
    return parts[:-1], parts[-1]


def event(n: int = 0, order: int = 1, **changed: object) -> dict[str, object]:
    topics, value = split(created())
    fields = {
        "type": "contract",
        "ledger": LEDGER,
        "ledgerClosedAt": "2026-07-21T18:01:10Z",
        "contractId": accounts.STREAMS,
        "id": f"{toid(LEDGER, order):019d}-{n:010d}",
        "topic": topics,
        "value": value,
        "txHash": HASH,
    }
    return {k: v for k, v in (fields | changed).items() if v is not ...}


def answer(*events: object, **changed: object) -> dict[str, object]:
    fields = {
        "events": list(events),
        "cursor": f"{toid(LEDGER + 1) - 1:019d}-4294967295",
        "latestLedger": LEDGER,
        "oldestLedger": 1,
        "latestLedgerCloseTime": "1770000000",
    }
    return {k: v for k, v in (fields | changed).items() if v is not ...}


def details(**changed: object) -> dict[str, object]:
    spelled = {
        "envelopeXdr": b"call",
        "resultXdr": result(proof([created()])),
        "resultMetaXdr": meta_v4([created()]),
    }
    fields: dict[str, object] = {k: base64.b64encode(v).decode() for k, v in spelled.items()}
    fields |= {"status": "SUCCESS", "ledger": LEDGER, "latestLedger": LEDGER}
    return {k: v for k, v in (fields | changed).items() if v is not ...}


@asynccontextmanager
async def served(
    events: object = None,
    transaction: object = None,
    odd: Handler | None = None,
    seconds: float = 10,
) -> AsyncIterator[RpcSource]:
    """A source with these results of getEvents and getTransaction, or answered by `odd`.

    `seconds` is the time limit of a call.
    """
    results = {
        "getNetwork": {"passphrase": PASSPHRASE},
        "getVersionInfo": {"version": "30.0.0"},
        "getEvents": answer(event()) if events is None else events,
        "getTransaction": details() if transaction is None else transaction,
    }

    async def rpc(request: web.Request) -> web.StreamResponse:
        call = orjson.loads(await request.read())
        method, params = call["method"], call.get("params", {})
        if method == "getEvents" and params.get("startLedger") == 1:  # asks for the range
            return web.json_response({"jsonrpc": "2.0", "id": 1, "error": OUTSIDE})
        if odd and method == "getEvents":
            return await odd(request)
        return web.json_response({"jsonrpc": "2.0", "id": 1, "result": results[method]})

    async with serving(web.post("/", rpc)) as port, aiohttp.ClientSession() as session:
        yield RpcSource(
            RpcClient(session, f"http://127.0.0.1:{port}", seconds=seconds),
            passphrase=PASSPHRASE,
            contracts=WatchedContracts.of(accounts.STREAMS),
            poll_seconds=0.01,
        )


async def fails(source: RpcSource, kind: str, word: str = "") -> None:
    with pytest.raises(SourceError) as caught:
        await anext(source.batches(START))
    assert caught.value.kind == kind
    assert word in str(caught.value)


async def test_a_correct_answer_is_accepted() -> None:
    async with served() as source:
        read = await Read(START).up_to(START + 1, source)
    assert read.positions == [f"{toid(LEDGER, 1)}-0"]
    assert not read.kinds


def answering(body: bytes, status: int = 200, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        sent = {k.replace("_", "-"): v for k, v in headers.items()}
        return web.Response(body=body, status=status, headers=sent)

    return handler


JSON: dict[str, Any] = {"Content_Type": "application/json"}
ODD = [
    (
        answering(b"", 302, Location="http://127.0.0.1:9/"),
        "status_302",
        "the target is http://127.0.0.1:9",
    ),
    (answering(b"", 307, Location="/"), "status_307", ""),
    (answering(b"no", 400), "status_400", "no"),
    (answering(b"no", 404), "status_404", "no"),
    (answering(b"no", 401), "status_401", "check the key"),
    (answering(b"", 500), "status_500", ""),
    (answering(b"<html>", Content_Type="text/html"), "content_type", "text/html"),
    (answering(b"{}"), "content_type", "octet-stream"),
    (answering(b"", **JSON), "malformed", "not JSON"),
    (answering(b"[1]", **JSON), "malformed", "not a JSON object"),
    (answering(b"\xff", **JSON), "malformed", ""),
    (answering(b"{}", **JSON), "malformed", "neither a result nor an error"),
    (answering(b'{"result":[]}', **JSON), "malformed", "neither a result nor an error"),
    (answering(b'{"error":{"code":-32001,"message":"x"}}', **JSON), "rpc_timeout", ""),
    (answering(b'{"error":{"code":-32603,"message":"sick"}}', **JSON), "rpc_error", "sick"),
    (answering(b'{"error":{"code":-32600,"message":"odd"}}', **JSON), "rpc_error", "odd"),
    (answering(b'{"error":"no"}', **JSON), "malformed", ""),
]


@pytest.mark.parametrize(
    ("odd", "kind", "word"), ODD, ids=[f"{i}-{k}" for i, (_, k, _) in enumerate(ODD)]
)
async def test_wrong_answers_have_their_kind(odd: Handler, kind: str, word: str) -> None:
    async with served(odd=odd) as source:
        await fails(source, kind, word)


async def test_a_body_that_is_too_large_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "_MAX_BYTES", 1 << 20)
    sent = 0

    async def giant(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" " * (1 << 16))
            sent += 1 << 16

    async with served(odd=giant) as source:
        await fails(source, "malformed", "more than 1048576 bytes")
    assert sent < 64 << 20


async def test_an_answer_that_arrives_too_slowly_is_an_error() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" ")
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.05)
        return response

    async with served(odd=drip, seconds=3) as source, asyncio.timeout(15):
        await fails(source, "dropped", "Timeout")


async def test_a_server_that_sends_nothing_is_an_error() -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with served(odd=silent, seconds=1) as source, asyncio.timeout(15):
        await fails(source, "unreachable", "Timeout")

"""Servers that are not a correct Horizon: the kind of each error."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import aiohttp
import orjson
import pytest
from aiohttp import web

from deploy.simulator.horizon.transaction_stream import BYEBYE, HELLO
from services.indexer.sources.base import Batch
from services.indexer.sources.horizon.source import HorizonSource
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.position import toid
from tests.indexer.handmade import CONTRACTS, created, document, meta_v4, proof, result, withdrawn
from tests.indexer.simulated import PASSPHRASE, Read
from tests.support.waiting import until
from tests.support.web import serving

pytestmark = [pytest.mark.io, pytest.mark.timeout(20)]
START = toid(3_700_000)


async def until_error(source: HorizonSource, cursor: int, kind: str) -> AsyncIterator[Batch]:
    """Batches until an error of that kind."""
    with pytest.raises((SourceError, FatalSourceError)) as caught:  # noqa: PT012 - it reads until then
        async for batch in source.batches(cursor):
            yield batch
    assert isinstance(caught.value, SourceError | FatalSourceError)
    assert caught.value.kind == kind


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def horizon_of(
    *routes: web.RouteDef, latest: int = 3_700_100
) -> AsyncIterator[HorizonSource]:
    """A source with these routes, and a root that has ledgers 1 to `latest`.

    All answer at once, so its time limit is only for a machine that stands still for seconds.
    """

    async def root(_: web.Request) -> web.Response:
        ends = {"history_elder_ledger": 1, "history_latest_ledger": latest}
        return web.json_response(ends | {"network_passphrase": PASSPHRASE})

    async with (
        serving(web.get("/", root), *routes) as port,
        aiohttp.ClientSession() as session,
    ):
        yield HorizonSource(
            session,
            f"http://127.0.0.1:{port}",
            passphrase=PASSPHRASE,
            contracts=CONTRACTS,
            rpc=None,
            read_seconds=10,
        )


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[HorizonSource]:
    """A source whose stream `handler` answers."""
    async with horizon_of(web.get("/transactions", handler)) as source:
        yield source


def answering(
    body: bytes, content_type: str = "text/event-stream", status: int = 200, **headers: str
) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        sent = {
            "Content-Type": content_type,
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return web.Response(body=body, status=status, headers=sent)

    return handler


def refusing(status: int, slug: str) -> Handler:
    """An error as Horizon sends it."""
    problem = {"type": f"https://stellar.org/horizon-errors/{slug}", "status": status}
    return answering(orjson.dumps(problem), "application/problem+json; charset=utf-8", status)


def wire(document: dict[str, object], token: str | None = None) -> bytes:
    id_ = str(document["paging_token"]) if token is None else token
    return f"id: {id_}\ndata: ".encode() + orjson.dumps(document) + b"\n\n"


GOOD = document(meta_v4([created()]), result(proof([created()])), ledger=3_700_000)
NEXT = document(meta_v4([withdrawn()]), result(proof([withdrawn()])), ledger=3_700_000, order=2)
UNKNOWN_ENTRY = bytes(3) + b"\1" + bytes(4 + 4) + b"\0\0\0\x63"  # a change to an entry of type 99

ODD = [
    (answering(b"", status=302, Location="http://127.0.0.1:9/"), "status_302"),
    (answering(b"", status=301, Location="/"), "status_301"),
    (answering(b"<html>", "text/html"), "content_type"),
    (answering(b"{}", "application/hal+json"), "content_type"),
    (refusing(400, "bad_request"), "bad_request"),
    (refusing(404, "not_found"), "not_found"),
    (refusing(406, "not_acceptable"), "not_acceptable"),
    (refusing(410, "before_history"), "before_history"),
    (answering(b"{}", status=500), "status_500"),
    (answering(HELLO), "dropped"),
    (answering(b""), "dropped"),
    (answering(HELLO + b"id: 5\ndata: [1]\n\n"), "malformed"),
    (answering(HELLO + b"id: 5\ndata: {}\n\n"), "malformed"),
    (answering(HELLO + b"id: 5\ndata: \xff\n\n"), "malformed"),
    (answering(HELLO + wire(GOOD, token="7")), "malformed"),
    (answering(HELLO + wire(GOOD).replace(b"id: ", b"di: ")), "malformed"),
    (answering(b"event: surprise\ndata: x\n\n"), "in_band"),
    (answering(b"event: surprise\ndata: \xff\n\n"), "in_band"),
]


@pytest.mark.parametrize(("handler", "kind"), ODD, ids=[f"{i}-{k}" for i, (_, k) in enumerate(ODD)])
async def test_wrong_answers_have_their_kind(handler: Handler, kind: str) -> None:
    async with served(handler) as source:
        assert [b async for b in until_error(source, START, kind)] == []


BAD_ENDS = [b"id: 1\ndata: \xff\n\n", b"event: error\ndata: no\n\n", wire(GOOD), wire(NEXT, "5")]


@pytest.mark.parametrize("bad", BAD_ENDS, ids=range(len(BAD_ENDS)))
async def test_transactions_before_an_error_in_the_same_chunk_are_kept(bad: bytes) -> None:
    kinds = {0: "malformed", 1: "in_band", 2: "disorder", 3: "malformed"}
    async with served(answering(HELLO + wire(GOOD) + wire(NEXT) + bad)) as source:
        kind = kinds[BAD_ENDS.index(bad)]
        [batch] = [b async for b in until_error(source, START, kind)]
    assert [str(e.position) for e in batch.events] == [f"{START + (n << 12)}-0" for n in (1, 2)]


@pytest.mark.parametrize(("header", "seconds"), [("5", 5.0), ("9" * 400, 3600.0), ("soon", None)])
async def test_retry_after_is_used_up_to_a_limit(header: str, seconds: float | None) -> None:
    async with served(answering(b"", status=503, Retry_After=header)) as source:
        with pytest.raises(SourceError) as caught:
            await anext(source.batches(START))
    assert caught.value.retry_after == seconds


async def test_a_meta_with_an_unknown_arm_is_one_dead_letter() -> None:
    meta = meta_v4([created()], changes=UNKNOWN_ENTRY)
    odd = document(meta, result(proof([created()])), ledger=3_700_000)
    async with served(answering(HELLO + wire(odd) + wire(NEXT))) as source:
        read = await Read(START).up_to(int(NEXT["paging_token"]), source)
    assert read.kinds == ["undecodable"]
    [letter] = [letter for batch in read.batches for letter in batch.dead]
    assert letter["xdr"] == base64.b64encode(meta).decode()
    assert "unknown arm 99" in str(letter["why"])
    assert read.positions == [f"{NEXT['paging_token']}-0"]


async def test_a_frame_of_megabytes_is_read() -> None:
    """Metas have up to a few megabytes; aiohttp's limits for lines must not matter."""
    large = GOOD | {"memo": "x" * (12 << 20)}
    async with served(answering(HELLO + wire(large))) as source:
        read = await Read(START).up_to(int(GOOD["paging_token"]), source)
    assert read.positions == [f"{GOOD['paging_token']}-0"]


async def test_a_frame_that_arrives_slowly_is_read() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for at in range(0, len(body := HELLO + wire(GOOD)), 7):
            await response.write(body[at : at + 7])
        await asyncio.Event().wait()
        return response

    async with served(drip) as source, aclosing(source.batches(START)) as batches:
        assert (await anext(batches)).cursor == int(GOOD["paging_token"])


async def test_an_unreachable_server_is_named() -> None:
    async with aiohttp.ClientSession() as session:
        source = HorizonSource(
            session,
            "http://127.0.0.1:9",
            passphrase=PASSPHRASE,
            contracts=CONTRACTS,
            rpc=None,
            read_seconds=1,
        )
        with pytest.raises(SourceError, match="unreachable"):
            await source.start("latest")


async def test_byebye_in_a_loop_does_not_hammer_the_server() -> None:
    """`byebye` means to reconnect at once, except to a server that sends nothing else."""
    asked = 0

    async def bye(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(body=HELLO + BYEBYE, content_type="text/event-stream")

    async with served(bye) as source, aclosing(source.batches(START)) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.wait({waiting}, timeout=2)
        assert not waiting.done()
        assert asked < 40
        await until(lambda: asked >= 2, what="another connection")  # this process may stand still
        waiting.cancel()
        await asyncio.wait({waiting})

"""Answers that are not Horizon's own: which are fatal, how long to wait, and hidden secrets."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import orjson
import pytest
from aiohttp import web

from services.indexer.sources.horizon import source as horizon_module
from services.indexer.sources.horizon.history import HorizonHistory
from services.indexer.sources.horizon.source import HorizonSource
from services.indexer.sources.rpc.source import RpcSource
from shared.chain.errors import FatalSourceError, SourceError
from shared.chain.http import retry_after
from shared.chain.rpc import RpcClient
from shared.web import client as http
from tests.indexer.handmade import CONTRACTS
from tests.indexer.simulated import PASSPHRASE, Read, simulated
from tests.indexer.sources.horizon.test_source_odd import (
    START,
    Handler,
    answering,
    refusing,
    served,
)
from tests.support.proxy import proxying
from tests.support.web import serving

pytestmark = pytest.mark.timeout(20)
FINAL = {400: "bad_request", 404: "not_found", 406: "not_acceptable", 410: "before_history"}
PROBLEM = "application/problem+json"


def horizon_at(session: aiohttp.ClientSession, url: str) -> HorizonSource:
    return HorizonSource(
        session, url, passphrase=PASSPHRASE, contracts=CONTRACTS, rpc=None, read_seconds=10
    )


def rpc_at(session: aiohttp.ClientSession, url: str) -> RpcSource:
    return RpcSource(
        RpcClient(session, url), passphrase=PASSPHRASE, contracts=CONTRACTS, poll_seconds=1
    )


def json_body(**body: object) -> bytes:
    return orjson.dumps(body)


OF_A_PROXY: list[tuple[bytes, str]] = [
    (b"<html><h1>404 Not Found</h1></html>", "text/html"),
    (b"", "text/plain"),
    (b"404 page not found\n", "text/plain; charset=utf-8"),
    (json_body(message="no healthy upstream"), "application/json"),
    (json_body(type="https://stellar.org/horizon-errors/not_found"), "application/json"),
    (json_body(type="about:blank", title="Not Found"), PROBLEM),
    (json_body(type="https://gateway.example/errors/not_found"), PROBLEM),
    (json_body(type="https://stellar.org/horizon-errors/"), PROBLEM),
    (json_body(type=404), PROBLEM),
    (b"[]", PROBLEM),
    (b"<html>", PROBLEM),
    (b"", PROBLEM),
]


@pytest.mark.io
@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("body", OF_A_PROXY, ids=lambda pair: pair[0][:30].decode() or "empty")
async def test_errors_of_a_proxy_are_not_fatal(status: int, body: tuple[bytes, str]) -> None:
    async with served(answering(*body, status=status)) as source:
        with pytest.raises(SourceError) as caught:
            await anext(source.batches(START))
    assert caught.value.kind == f"status_{status}"


@pytest.mark.io
@pytest.mark.parametrize(("status", "slug"), FINAL.items())
async def test_errors_of_horizon_itself_are_fatal(status: int, slug: str) -> None:
    async with served(refusing(status, slug)) as source:
        with pytest.raises(FatalSourceError) as caught:
            await anext(source.batches(START))
    assert caught.value.kind == slug
    assert "Horizon itself: http://127.0.0.1:" in str(caught.value)
    assert f"/transactions?cursor=…&order=…&limit=… answered {status} {slug}" in str(caught.value)


@pytest.mark.io
@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("surface", ["stream", "root", "ledger"])
async def test_a_proxys_page_while_horizon_restarts_loses_nothing(
    status: int, surface: str
) -> None:
    async with simulated(ledgers=10) as sim:
        await sim.arm("not_found", surface=surface, status=status, times=2)
        source = sim.horizon()
        if surface == "ledger":  # requested by hash: a proxy's 404 does not mean a missing ledger
            with pytest.raises(SourceError, match=f"status_{status}"):
                await source.hash_of(3_700_001)
            return
        read = await Read(START).up_to(sim.tip, source)
        assert read.kinds == [f"status_{status}"] * 2
        assert read.positions == sim.positions()


GATEWAY: list[tuple[Handler, str, str]] = [
    (answering(b"", status=401), "status_401", "check the key or password in the URL"),
    (answering(b"no", status=403), "status_403", "check the key or password in the URL: no"),
    (answering(b"", status=308, Location="https://h/x?key=geheim"), "status_308", "https://h/x?key=…"),
    (answering(b"<html>please log in", "text/html"), "content_type", "content type text/html"),
]  # fmt: skip


@pytest.mark.io
@pytest.mark.parametrize(("handler", "kind", "word"), GATEWAY, ids=[k for _, k, _ in GATEWAY])
async def test_answers_of_a_gateway_are_named(handler: Handler, kind: str, word: str) -> None:
    async with served(handler) as source:
        with pytest.raises(SourceError) as caught:
            await anext(source.batches(START))
    assert caught.value.kind == kind
    assert word in str(caught.value)
    assert "geheim" not in str(caught.value)


NOW = datetime(2026, 11, 28, 8, 49, 37, tzinfo=UTC)
DATED = {"Date": format_datetime(NOW, usegmt=True)}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Sat, 28 Nov 2026 08:51:37 GMT", 120.0),
        ("Saturday, 28-Nov-26 08:51:37 GMT", 120.0),
        ("Sat Nov 28 08:51:37 2026", 120.0),
        ("Sat, 28 Nov 2026 08:00:00 GMT", 0.0),
        ("Sun, 28 Nov 2027 08:00:00 GMT", 3600.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 400, 3600.0),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Sat, 99 Nov 2026 08:51:37 GMT", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header} | DATED) == seconds


def test_without_a_date_header_our_clock_is_used() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    for date in ({}, {"Date": "yesterday"}):
        found = retry_after({"Retry-After": soon} | date)
        assert found is not None
        assert 50 < found <= 60


@pytest.mark.io
async def test_a_retry_after_date_is_in_the_error() -> None:
    refused = answering(b"", status=503, Retry_After="Sat, 28 Nov 2026 08:51:37 GMT", **DATED)
    async with served(refused) as source:
        with pytest.raises(SourceError) as caught:
            await anext(source.batches(START))
    assert caught.value.retry_after == 120.0
    assert "; the server asks to wait 120 s: " in str(caught.value)


@pytest.mark.io
@pytest.mark.parametrize("document", [{"status": "maintenance"}, {"network_passphrase": None}])
async def test_json_of_a_proxy_is_not_another_network(document: dict[str, object]) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(document)

    async def answer_rpc(_: web.Request) -> web.Response:
        return web.json_response({"result": document})

    async with (
        serving(web.get("/", answer), web.post("/rpc", answer_rpc)) as port,
        http.session() as session,
    ):
        url = f"http://127.0.0.1:{port}"
        for source in (horizon_at(session, url), rpc_at(session, f"{url}/rpc")):
            with pytest.raises(SourceError, match=r"malformed: .* sent no network passphrase"):
                await source.ledgers()


@pytest.mark.io
async def test_a_url_keeps_its_path_and_query_and_errors_hide_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind a gateway that requires a key, reached only through the proxy of the environment."""
    for name in ("http_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    asked: list[str] = []

    async def gateway(request: web.Request) -> web.Response:
        asked.append(str(request.rel_url))
        if request.query.getall("api-key", []) != ["ge/heim+"]:
            return web.Response(status=401)
        if request.path == "/horizon/":
            ends = {"history_elder_ledger": 1, "history_latest_ledger": 5}
            return web.json_response(ends | {"network_passphrase": PASSPHRASE})
        if request.path == "/rpc/v1/0123456789abcdef":
            return web.json_response({"result": {"sequence": 5}})
        return web.Response(status=503, text=f"no {request.raw_path} (ge/heim+)")

    async with (
        serving(web.route("*", "/{path:.*}", gateway)) as port,
        proxying(gateway_example=port) as proxy,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with http.session() as session:
            base = "http://gateway.example/horizon?api-key=ge%2Fheim%2B"
            history = HorizonHistory(session, base, PASSPHRASE, 5)
            assert await history.ledgers() == (1, 5)
            with pytest.raises(SourceError) as caught:
                await history.hash_of(5)
            rpc = "http://gateway.example/rpc/v1/0123456789abcdef?api-key=ge/heim%2B"
            assert await RpcClient(session, rpc).call("getLatestLedger") == {"sequence": 5}
    assert [each.partition("?")[0] for each in asked] == [
        "/horizon/",
        "/horizon/ledgers/5",
        "/rpc/v1/0123456789abcdef",
    ]
    assert len(proxy.asked) == 3
    text = str(caught.value)
    assert "http://gateway.example/horizon/ledgers/5?api-key=… answered 503" in text
    assert "heim" not in text


@pytest.mark.io
async def test_a_proxy_that_never_answers_connect_times_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither `sock_connect` nor `sock_read` of aiohttp limits how long CONNECT may take."""
    monkeypatch.setattr(horizon_module, "_CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it never accepts
        port = silent.getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        async with http.session() as session:
            source = horizon_at(session, "https://horizon.example")
            with pytest.raises(SourceError, match="unreachable"):
                await anext(source._stream(START))

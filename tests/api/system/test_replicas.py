"""GET /v1/system: every address of a name is asked, and what the replicas say is added up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from services.api.system.asking import ASKING
from services.api.system.measures import totals
from services.api.system.replicas import MOST_REPLICAS, resolve
from tests.support.programs import loopback
from tests.support.proxy import proxying
from tests.support.waiting import free_port, until
from tests.support.web_client import StartApi, WebClient

NAME = "fanout.example"


@asynccontextmanager
async def replica(
    address: str, port: int, *, connections: int, hangs: bool = False
) -> AsyncIterator[list[str]]:
    """A server at this address with the metric of a fanout. Yields the hosts that it was asked."""
    registry = CollectorRegistry()
    Gauge("headrace_fanout_connections", "x", registry=registry).set(connections)
    asked: list[str] = []

    async def metrics(request: web.Request) -> web.Response:
        asked.append(request.host)
        if hangs:
            await asyncio.Event().wait()
        return web.Response(body=generate_latest(registry))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield asked
    finally:
        await runner.cleanup()


def named(client: WebClient, addresses: Sequence[str] | OSError) -> None:
    """Give the name these addresses, or the error of its lookup."""

    async def look_up(host: str, port: int) -> Sequence[str]:
        assert host == NAME
        if isinstance(addresses, OSError):
            raise addresses
        return addresses

    client.app[ASKING].resolve = look_up


async def system(client: WebClient) -> dict[str, Any]:
    answer = await client.get("/v1/system")
    assert answer.status == 200
    document: dict[str, Any] = await answer.json()
    return document


@pytest.mark.parametrize("setting", ["ready_urls", "fanout_urls", "system_urls"])
async def test_every_address_is_asked_and_added_up(start: StartApi, setting: str) -> None:
    port, network = free_port(), loopback()
    addresses = [f"{network}.{n}" for n in (1, 2, 3)]
    client = await start(**{setting: f"http://{NAME}:{port}"})
    named(client, [*addresses, f"{network}.4"])
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(replica(address, port, connections=10 + n))
            for n, address in enumerate(addresses)
        ]
        document = await system(client)
    parts = document["parts"]
    assert [part["address"] for part in parts] == [*addresses, f"{network}.4"]
    assert {part["kind"] for part in parts} == {"fanout"}, "the one that is away too"
    assert {part["url"] for part in parts} == {f"{NAME}:{port}"}
    assert [part["trouble"] is None for part in parts] == [True, True, True, False]
    assert parts[-1]["trouble"] == "does not answer (ClientConnectorError)"
    (total,) = document["totals"]
    assert (total["kind"], total["replicas"], total["answering"]) == ("fanout", 4, 3)
    assert total["measures"]["connections"] == 33
    assert servers == [[f"{NAME}:{port}"]] * 3, "one question each, with the name as host"


async def test_addresses_of_a_name_in_no_proxy_are_asked_directly(
    start: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY has the name. The requests have addresses, which it does not have."""
    port, address = free_port(), f"{loopback()}.1"
    async with replica(address, port, connections=1), proxying() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", NAME)
        client = await start(fanout_urls=f"http://{NAME}:{port}")
        named(client, [address])
        (part,) = (await system(client))["parts"]
    assert (part["address"], part["trouble"], proxy.asked) == (address, None, [])


async def test_a_replica_that_hangs_delays_the_answer_by_its_own_time_limit_only(
    start: StartApi,
) -> None:
    port, network = free_port(), loopback()
    client = await start(system_urls=f"http://{NAME}:{port}")
    addresses = [f"{network}.{n}" for n in range(1, 6)]
    named(client, addresses)
    async with AsyncExitStack() as stack:
        for n, address in enumerate(addresses):
            await stack.enter_async_context(replica(address, port, connections=1, hangs=n < 4))
        async with asyncio.timeout(6):  # four that hang, and 2 s for each at the same time
            document = await system(client)
    troubles = [part["trouble"] for part in document["parts"]]
    assert sum(trouble is None for trouble in troubles) == 1
    assert document["totals"][0]["answering"] == 1


async def test_a_name_without_an_address_is_one_part(start: StartApi) -> None:
    client = await start(system_urls=f"http://{NAME}:80")
    named(client, OSError("no such name"))
    (part,) = (await system(client))["parts"]
    assert (part["kind"], part["address"]) == ("other", None)
    assert part["trouble"] == "has no address (OSError)"


async def test_no_more_than_the_limit_of_addresses_is_asked(start: StartApi) -> None:
    port, network = free_port(), loopback()
    client = await start(system_urls=f"http://{NAME}:{port}")
    named(client, [f"{network}.1"] * (MOST_REPLICAS + 7))
    async with replica(f"{network}.1", port, connections=1) as asked:

        async def all_answer() -> Any:
            """On a busy machine, some answers come too late."""
            asked.clear()
            document = await system(client)
            return document if document["totals"][0]["replicas"] == MOST_REPLICAS else None

        document = await until(all_answer, what="an answer of each replica")
    assert len(asked) == MOST_REPLICAS
    assert document["parts"][-1]["trouble"] == "has 7 more addresses, which are not asked"


@pytest.mark.io
async def test_a_name_has_addresses_of_one_family() -> None:
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert await resolve("localhost", 80) in (["127.0.0.1"], ["::1"])
    with pytest.raises(OSError, match=r"known|resolution|service"):
        await resolve("does-not-exist.invalid", 80)


def test_only_replicas_that_answer_are_added_up() -> None:
    measures = {"connections": 5.0, "events": 1.0, "lagSeconds": 3.0}
    names = ("subscriptions", "backlogBytes", "deliveries", "disconnects", "writes", "writeSeconds")
    part = {"kind": "fanout", "trouble": None, "measures": measures | dict.fromkeys(names, 0.0)}
    away = {"kind": "fanout", "trouble": "away", "measures": {}}
    other = {"kind": "other", "trouble": "away", "measures": {}}
    (total,) = totals([part, part, away, other])
    assert (total["replicas"], total["answering"]) == (3, 2)
    sums: Any = total["measures"]
    assert sums["connections"] == 10
    assert "lagSeconds" not in sums, "a sum of lags means nothing"

"""Which servers the API asks for connections, which get the token, and what is told of others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from services.api.system.asking import ASKING
from tests.api.auth.samples import ADMIN, REQUIRED, SECRET
from tests.api.system.fanouts import PATH, StartFanouts, page_of, urls
from tests.support.programs import loopback
from tests.support.sse_client import SseClient
from tests.support.waiting import free_port, until
from tests.support.web import serving
from tests.support.web_client import StartApi


async def test_what_cannot_be_asked_is_told(
    start: StartApi, fanouts: StartFanouts, clients: list[SseClient]
) -> None:
    (one,) = await fanouts(1)
    (strict,) = await fanouts(1, auth_mode="required", jwt_secret=SECRET)
    away = free_port()

    async def odd(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    async with serving(web.get("/v1/events/connections", odd)) as port:
        hosts = f"{urls(one, strict)},http://127.0.0.1:{away},http://127.0.0.1:{port}"
        client = await start(system_urls=f"{hosts},http://does-not-exist.invalid:80")
        clients.append(await one.subscribe())
        page = await page_of(client)
    troubles = {each["url"]: each["trouble"] for each in page["replicas"]}
    assert troubles == {
        f"127.0.0.1:{one.port}": None,
        f"127.0.0.1:{strict.port}": "refuses the token of this request",
        f"127.0.0.1:{away}": "does not answer (ClientConnectorError)",
        f"127.0.0.1:{port}": "does not answer (ValueError)",
        "does-not-exist.invalid:80": "has no address (gaierror)",
    }
    assert len(page["items"]) == 1
    (gone,) = [each for each in page["replicas"] if each["url"] == f"127.0.0.1:{away}"]
    answer = await client.delete(f"{PATH}/{gone['replica']}/{'0' * 24}")
    assert answer.status == 503
    assert "It is unknown whether" in (await answer.json(content_type=None))["detail"]


async def test_an_address_with_two_names_is_asked_once(
    start: StartApi, fanouts: StartFanouts, clients: list[SseClient]
) -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    (one,) = await fanouts(1)
    names = [f"http://{name}.example:{one.port}" for name in ("fanout", "fanout-replicas")]
    client = await start(ready_urls=f"{names[0]}/readyz", system_urls=names[1])
    client.app[ASKING].resolve = look_up
    clients.append(await one.subscribe())
    page = await page_of(client)
    assert [each["connections"] for each in page["replicas"]] == [1]
    assert len(page["items"]) == 1


async def test_the_token_goes_only_to_servers_that_ask_for_it_as_headrace_does(
    start: StartApi,
) -> None:
    seen: list[str | None] = []

    def server(status: int, **headers: str) -> web.RouteDef:
        async def answer(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Authorization"))
            return web.Response(status=status, headers=headers)

        return web.get("/v1/events/connections", answer)

    async with AsyncExitStack() as stack:
        ports = [
            await stack.enter_async_context(serving(each))
            for each in (
                server(404),
                server(401),
                server(401, **{"WWW-Authenticate": 'Bearer realm="other"'}),
                server(302, Location=f"http://127.0.0.1:{free_port()}/"),
            )
        ]
        hosts = ",".join(f"http://127.0.0.1:{port}" for port in ports)
        client = await start(**REQUIRED, ready_urls=hosts)
        page = await page_of(client, headers=ADMIN)
    assert seen == [None] * 4
    assert [each["trouble"] for each in page["replicas"]] == [
        "answers with status 401",
        "answers with status 401",
        "answers with status 302",
    ]


async def test_only_addresses_of_the_settings_are_asked(start: StartApi) -> None:
    port, network = free_port(), loopback()
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        return web.Response(status=204)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, f"{network}.1", port).start()
        client = await start(fanout_urls="http://127.0.0.1:1")
        for replica in (f"{network}.1:{port}", "0" * 12, "127.0.0.1:1", "..", "%2e%2e%2f"):
            path = f"{PATH}/{replica}/{'0' * 24}"
            assert (await client.delete(path)).status == 404
        cursor = await client.get(f"{PATH}?cursor={network}.1")
        assert cursor.status == 422
        assert (await client.get(f"{PATH}?cursor={'0' * 12}.5")).status == 200
    finally:
        await runner.cleanup()
    assert asked == []


@pytest.mark.parametrize("connection", ["0", "G" * 24, "..%2F..%2Fadmin", "0" * 24 + "%2Fx"])
async def test_an_id_of_another_form_reaches_no_fanout(start: StartApi, connection: str) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"items": [], "next": None, "connections": 0, "lagSeconds": None})

    everything = web.route("*", "/{path:.*}", answer)
    async with serving(everything) as port:
        client = await start(fanout_urls=f"http://127.0.0.1:{port}")
        (replica,) = (await page_of(client))["replicas"]
        path = f"{PATH}/{replica['replica']}/{connection}"
        assert (await client.delete(path)).status == 404
    assert set(asked) <= {"/v1/events/connections", "/readyz"}


async def test_a_fanout_that_hangs_delays_the_page_by_its_own_time_limit_only(
    start: StartApi, fanouts: StartFanouts, clients: list[SseClient]
) -> None:
    (one,) = await fanouts(1)

    hanging: list[web.Request] = []

    async def hang(request: web.Request) -> web.Response:
        hanging.append(request)
        await asyncio.Event().wait()
        raise AssertionError

    async with AsyncExitStack() as stack:
        route = web.get("/v1/events/connections", hang)
        ports = [await stack.enter_async_context(serving(route)) for _ in range(4)]
        hosts = ",".join(f"http://127.0.0.1:{port}" for port in ports)
        client = await start(system_urls=f"{hosts},{urls(one)}")
        clients.append(await one.subscribe())
        asked = asyncio.create_task(page_of(client))
        await until(lambda: len(hanging) == 4, what="four that are asked at the same time")
        assert not asked.done()
        page = await asked
    assert len(page["items"]) == 1
    assert sum(each["trouble"] is not None for each in page["replicas"]) == 4

"""The application around the routes: CORS, redirects, probes, metrics, and loss of Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpServer

from deploy.local import redis as local_redis
from tests.api.samples import is_ready, made, order
from tests.support.waiting import free_port, until
from tests.support.web_client import StartApi, WebClient

ORIGIN = {"Origin": "https://app.example"}


async def ready(client: WebClient) -> dict[str, Any]:
    response = await client.get("/readyz")
    return {"status": response.status, **await response.json()}


async def test_the_root_lists_the_endpoints(client: WebClient) -> None:
    document = await (await client.get("/")).json()
    assert document["streams"] == "/v1/streams"
    assert (await client.get(document["live"])).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v2/streams", 404, "not-found"),
        ("PUT", "/v1/streams", 405, "method-not-allowed"),
        ("GET", "/v1/streams/7/withdraw", 405, "method-not-allowed"),
        ("GET", "/v1/events/subscribe?all=true", 404, "not-found"),
    ],
)
async def test_errors_are_problems_that_pages_of_other_origins_can_read(
    client: WebClient, method: str, path: str, status: int, slug: str
) -> None:
    response = await client.request(method, path, headers=ORIGIN)
    document = await response.json(content_type="application/problem+json")
    assert (response.status, document["type"]) == (status, f"/problems/{slug}")
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("path", ["/v1/events/subscribe", "/events/subscribe"])
async def test_subscriptions_are_redirected_to_a_fanout(start: StartApi, path: str) -> None:
    fanouts = ["http://one.example:1", "https://two.example/sse"]
    client = await start(fanout_urls=fanouts)
    query = "streams=1,2&users=G%2BX&since=5-1&since=a%0d%0ab"
    seen: set[str] = set()
    while len(seen) < 2:
        response = await client.get(f"{path}?{query}", headers=ORIGIN, allow_redirects=False)
        location = response.headers["Location"]
        base, _, kept = location.partition("?")
        seen.add(base.removesuffix(path))
        assert response.status == 307
        assert "streams=1,2&users=G%2BX&since=5-1" in kept
        assert "\r" not in location
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        assert response.headers["Cache-Control"] == "no-store"
    assert seen == set(fanouts)


async def test_preflights_list_what_is_allowed(client: WebClient) -> None:
    asked = ORIGIN | {"Access-Control-Request-Method": "PATCH"}
    response = await client.options("/v1/streams/7", headers=asked)
    assert response.status == 204
    allowed = response.headers["Access-Control-Allow-Headers"]
    for name in ("Last-Event-ID", "If-Match", "Idempotency-Key", "Content-Type"):
        assert name in allowed
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Vary"] == "Origin"


async def test_only_listed_origins_are_allowed(start: StartApi) -> None:
    client = await start(cors_origins=["https://app.example"])
    good = await client.get("/v1/streams", headers=ORIGIN)
    assert good.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    assert "ETag" in good.headers["Access-Control-Expose-Headers"]
    bad = await client.get("/v1/streams", headers={"Origin": "https://app.example.evil"})
    assert "Access-Control-Allow-Origin" not in bad.headers
    assert good.headers["Vary"] == bad.headers["Vary"] == "Origin"


async def test_requests_are_counted_by_route_not_by_id(client: WebClient) -> None:
    stream_id = (await made(client))["id"]
    await client.get(f"/v1/streams/{stream_id}")
    text = await (await client.get("/metrics")).text()
    assert 'method="GET",route="/v1/streams/{id}",status="200"' in text
    assert "headrace_api_request_seconds_bucket" in text
    assert 'headrace_commits_total{outcome="committed"}' in text
    assert stream_id not in text


async def test_a_redirect_keeps_path_and_query_of_the_fanouts_url(start: StartApi) -> None:
    client = await start(fanout_urls=["https://h/sse/?api-key=a%2Bb"])
    for query, more in (("", ""), ("?streams=1", "&streams=1")):
        response = await client.get(f"/v1/events/subscribe{query}", allow_redirects=False)
        where = "https://h/sse/v1/events/subscribe?api-key=a%2Bb"
        assert response.headers["Location"] == where + more


async def test_readyz_shows_no_secret_of_a_url(start: StartApi) -> None:
    dead = f"http://user:geheim@127.0.0.1:{free_port()}/readyz"
    client = await start(ready_urls=[f"{dead}?key=geheim1", f"{dead}?key=geheim2"])

    async def parts() -> dict[str, str]:
        return (await ready(client))["parts"]

    name = dead.replace("user:geheim@", "") + "?key=…"
    await until(lambda: asked(parts, name, "does not answer (ClientConnectorError)"))
    await until(lambda: asked(parts, f"{name} #2", "does not answer (ClientConnectorError)"))
    assert "geheim" not in str(await parts()) + await (await client.get("/metrics")).text()


async def test_readiness_includes_other_services(
    start: StartApi, aiohttp_server: AiohttpServer
) -> None:
    state = {"status": 503}

    async def other(_: web.Request) -> web.Response:
        return web.Response(status=state["status"])

    app = web.Application()
    app.router.add_get("/readyz", other)
    url = str((await aiohttp_server(app)).make_url("/readyz"))
    dead = f"http://127.0.0.1:{free_port()}/readyz"
    client = await start(ready_urls=[url, dead])

    async def parts() -> dict[str, str]:
        return (await ready(client))["parts"]

    await until(lambda: asked(parts, url, "answers 503"))
    await until(lambda: asked(parts, "redis", "ok"))

    async def reason_of_dead() -> str:
        reason = (await parts())[dead]
        return "" if reason == "starting" else reason

    assert "does not answer" in await until(reason_of_dead)
    state["status"] = 200
    await until(lambda: asked(parts, url, "ok"))
    assert not await is_ready(client)


async def asked(parts: Callable[[], Awaitable[dict[str, str]]], name: str, text: str) -> bool:
    return (await parts())[name] == text


async def test_redis_can_be_unreachable_at_the_start(start: StartApi, tmp_path: Path) -> None:
    port = free_port()
    client = await start(redis_url=f"redis://127.0.0.1:{port}/0")
    await until(lambda: redis_is_away(client))
    assert (await client.get("/livez")).status == 200
    for response in (
        await client.get("/v1/streams"),
        await client.get("/v1/streams/7"),
        await client.post("/v1/streams", json=order()),
    ):
        document = await response.json(content_type="application/problem+json")
        assert (response.status, document["type"]) == (503, "/problems/unavailable")
        assert response.headers["Retry-After"]
    process = local_redis.start(port, tmp_path)
    try:
        await until(lambda: is_ready(client))
        stream_id = (await made(client))["id"]
    finally:
        process.terminate()
        process.wait(10)
    assert (await client.get(f"/v1/streams/{stream_id}")).status == 503
    await until(lambda: redis_is_away(client))


async def redis_is_away(client: WebClient) -> bool:
    state = await ready(client)
    return state["status"] == 503 and "Redis does not answer" in state["parts"]["redis"]

"""Idempotency-Key: a repeated request is carried out once, at any time and any replica."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.domain.position import START
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.api.samples import RECIPIENT, T0, Clock, made, order
from tests.support.web_client import StartApi, WebClient

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


async def journal(redis: Redis, keys: Keys) -> list[str]:
    page = await Journal(redis, keys).after(START)
    return [entry.type for entry in getattr(page, "entries", ())]


def headers_of(response: aiohttp.ClientResponse) -> dict[str, Any]:
    kept = ("ETag", "Location", "Content-Type")
    return {name: response.headers.get(name) for name in kept}


async def test_the_same_key_and_body_get_the_same_response(
    client: WebClient, start: StartApi, redis: Redis, keys: Keys, clock: Clock
) -> None:
    body = order(metadata={"label": "Rent"})
    first = await client.post("/v1/streams", json=body, headers=KEY)
    clock.now += 3600
    await client.post(f"/v1/streams/{(await first.json())['id']}/pause")
    other = await start()
    again = await other.post("/v1/streams", json=dict(reversed(body.items())), headers=KEY)
    assert first.status == again.status == 201
    assert await first.read() == await again.read()
    assert headers_of(first) == headers_of(again)
    assert await journal(redis, keys) == ["stream.created", "stream.paused"]


async def test_of_fifty_concurrent_requests_one_creates_a_stream(
    client: WebClient, start: StartApi, redis: Redis, keys: Keys
) -> None:
    clients = [client, await start()]
    responses = await asyncio.gather(
        *(clients[n % 2].post("/v1/streams", json=order(), headers=KEY) for n in range(50))
    )
    assert {r.status for r in responses} == {201}
    assert len({await r.read() for r in responses}) == 1
    assert len({r.headers["Location"] for r in responses}) == 1
    assert await journal(redis, keys) == ["stream.created"]


async def test_another_body_with_the_same_key_is_rejected(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await client.post("/v1/streams", json=order(), headers=KEY)
    for body in (order(recipient=order()["sender"]), order(startTime=T0)):
        response = await client.post("/v1/streams", json=body, headers=KEY)
        document = await response.json(content_type="application/problem+json")
        assert (response.status, document["type"]) == (409, "/problems/idempotency-key-reused")
    assert await journal(redis, keys) == ["stream.created"]


async def test_of_fifty_concurrent_requests_with_two_bodies_one_creates_a_stream(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    bodies = [order(), order(recipient=order()["sender"])]
    responses = await asyncio.gather(
        *(client.post("/v1/streams", json=bodies[n % 2], headers=KEY) for n in range(50))
    )
    assert sorted(r.status for r in responses) == [201] * 25 + [409] * 25
    assert await journal(redis, keys) == ["stream.created"]


@pytest.mark.parametrize("step", ["top-up", "withdraw", "pause", "cancel"])
async def test_an_action_is_done_once(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock, step: str
) -> None:
    url = f"/v1/streams/{(await made(client))['id']}/{step}"
    clock.now += 10
    body: dict[str, Any] = {"json": {"amount": "5"}} if step == "top-up" else {}
    first, *rest = await asyncio.gather(*(client.post(url, **body, headers=KEY) for _ in range(9)))
    assert {r.status for r in (first, *rest)} == {200}, [await r.text() for r in rest]
    assert {await r.read() for r in rest} == {await first.read()}
    assert len(await journal(redis, keys)) == 2
    assert headers_of(first) == headers_of(rest[0])


async def test_metadata_and_deletion_are_done_once(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    url = f"/v1/streams/{(await made(client))['id']}"
    for _ in range(2):
        response = await client.patch(url, json={"metadata": {"label": "a"}}, headers=KEY)
        assert (response.status, response.headers["ETag"]) == (200, '"2"')
    for _ in range(2):
        response = await client.delete(url, headers=KEY | {"If-Match": '"2"'})
        assert (response.status, (await response.json())["status"]) == (200, "cancelled")
    assert await journal(redis, keys) == ["stream.created", "stream.updated", "stream.cancelled"]


async def test_a_repeated_action_gets_the_first_response(client: WebClient, clock: Clock) -> None:
    """The first request itself made the version stale, ended the stream, or emptied it."""
    stream = await made(client)
    url, clock.now = f"/v1/streams/{stream['id']}", T0 + 10
    for step in ("withdraw", "cancel"):
        headers = {"Idempotency-Key": step, "If-Match": (await client.get(url)).headers["ETag"]}
        first = await client.post(f"{url}/{step}", headers=headers)
        again = await client.post(f"{url}/{step}", headers=headers)
        assert (first.status, again.status) == (200, 200)
        assert await first.read() == await again.read()
    refused = await client.post(f"{url}/top-up", json={"amount": "1"}, headers=KEY)
    assert refused.status == 409


async def test_a_key_applies_to_one_path_and_one_method(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    ids = [(await made(client))["id"] for _ in range(2)]
    for stream_id in ids:
        for response in (
            await client.post(f"/v1/streams/{stream_id}/pause", headers=KEY),
            await client.post(f"/streams/{stream_id}/pause", headers=KEY),
            await client.post(f"/v1/streams/{stream_id}/resume", headers=KEY),
        ):
            assert response.status == 200
            assert (await response.json())["id"] == stream_id
    assert (await journal(redis, keys)).count("stream.paused") == 2


async def test_rejected_requests_are_not_stored(client: WebClient, clock: Clock) -> None:
    url = f"/v1/streams/{(await made(client))['id']}/withdraw"
    assert (await client.post(url, headers=KEY)).status == 409
    clock.now += 10
    assert (await client.post(url, headers=KEY)).status == 200
    invalid = await client.post("/v1/streams", json=order(recipient="x"), headers=KEY)
    assert invalid.status == 422
    assert (await client.post("/v1/streams", json=order(), headers=KEY)).status == 201


async def test_a_response_is_stored_for_a_day(client: WebClient, redis: Redis, keys: Keys) -> None:
    await client.post("/v1/streams", json=order(), headers=KEY)
    (name,) = [key async for key in redis.scan_iter(keys.stored_response("*"), count=1000)]
    assert 86_390 <= await redis.ttl(name) <= 86_400
    await redis.delete(name)  # as if it had expired
    await client.post("/v1/streams", json=order(), headers=KEY)
    assert await journal(redis, keys) == ["stream.created"] * 2


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "ä"])
async def test_malformed_keys_are_rejected(client: WebClient, key: str) -> None:
    response = await client.post("/v1/streams", json=order(), headers={"Idempotency-Key": key})
    document = await response.json(content_type=None)
    assert (response.status, document["type"]) == (400, "/problems/malformed")


async def test_a_create_can_be_repeated_if_its_response_was_lost(
    client: WebClient, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis accepted the commit but its reply was lost: 503, and a retry gets the response."""
    change = Committer.change

    async def lost(self: Committer, *given: Any, **more: Any) -> None:
        await change(self, *given, **more)
        raise RedisConnectionError("lost")

    with monkeypatch.context() as patched:
        patched.setattr(Committer, "change", lost)
        assert (await client.post("/v1/streams", json=order(), headers=KEY)).status == 503
    assert await journal(redis, keys) == ["stream.created"]
    again = await client.post("/v1/streams", json=order(), headers=KEY)
    assert (again.status, again.headers["ETag"]) == (201, '"1"')
    listed = await (await client.get("/v1/streams", params={"recipient": RECIPIENT})).json()
    assert [item["id"] for item in listed["items"]] == [(await again.json())["id"]]
    assert await journal(redis, keys) == ["stream.created"]

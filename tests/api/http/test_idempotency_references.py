"""Idempotency-Key: what is stored for a repeated request is a reference to the event."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from shared.domain.events import Event, EventType
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from tests.api.samples import T0, made, order
from tests.support.web_client import WebClient

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


async def stored_reference(redis: Redis, keys: Keys) -> bytes:
    (name,) = [key async for key in redis.scan_iter(keys.stored_response("*"), count=1000)]
    stored: Any = await redis.get(name)
    assert isinstance(stored, bytes)
    return stored


async def test_a_reference_is_stored_and_not_the_document(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    body = order(metadata={"note": "x" * 1900})
    first = await client.post("/v1/streams", json=body, headers=KEY)
    stored = (await stored_reference(redis, keys)).decode().split("\n")
    document = await first.json()
    assert stored[1:] == [document["id"], document["position"]]
    assert len("\n".join(stored)) < 200


async def trim(redis: Redis, keys: Keys) -> None:
    """Commit an event after which the journal has no older one."""
    committer = Committer(redis, keys, retention=Retention(max_bytes=1))
    for _ in range(2):
        await committer.change([], lambda _: [Event(EventType.CONTRACT_INITIALIZED, None, T0, {})])
    assert await redis.xlen(keys.journal) == 1


async def test_when_its_event_was_trimmed_a_repeated_request_gets_the_current_document(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    first = await (await client.post("/v1/streams", json=order(), headers=KEY)).json()
    url = f"/v1/streams/{first['id']}"
    patched = await client.patch(url, json={"metadata": {"label": "later"}})
    await trim(redis, keys)
    again = await client.post("/v1/streams", json=order(), headers=KEY)
    assert (again.status, await again.read()) == (201, await patched.read())
    assert await redis.xlen(keys.journal) == 1, "nothing was done again"


async def test_a_change_that_redis_lost_is_not_confirmed_again(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    """The reference is there, but the event and the state after it are not."""
    first = await (await client.post("/v1/streams", json=order())).json()
    url, document = f"/v1/streams/{first['id']}", keys.stream(first["id"])
    before = await redis.get(document) or b""
    assert (await client.post(f"{url}/pause", headers=KEY)).status == 200
    await redis.set(document, before)
    rows: Any = await redis.xrevrange(keys.journal, count=1)
    await redis.xdel(keys.journal, rows[0][0])
    for also_lost in ((), (document, keys.topic(first["id"]))):
        if also_lost:
            await redis.delete(*also_lost)
        again = await client.post(f"{url}/pause", headers=KEY)
        problem = await again.json(content_type="application/problem+json")
        assert (again.status, problem["type"]) == (409, "/problems/change-lost")


async def test_an_event_of_another_stream_is_no_answer(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    first = await made(client)
    other = await made(client)
    (await client.post(f"/v1/streams/{first['id']}/pause", headers=KEY)).raise_for_status()
    (name,) = [key async for key in redis.scan_iter(keys.stored_response("*"), count=1000)]
    digest, stream_id, _ = (await stored_reference(redis, keys)).decode().split("\n")
    await redis.set(name, f"{digest}\n{stream_id}\n{other['position']}")
    again = await (await client.post(f"/v1/streams/{first['id']}/pause", headers=KEY)).json()
    assert (again["id"], again["status"]) == (first["id"], "paused")


async def test_a_document_that_the_former_version_stored_is_returned(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    first = await client.post("/v1/streams", json=order(), headers=KEY)
    (name,) = [key async for key in redis.scan_iter(keys.stored_response("*"), count=1000)]
    digest = (await stored_reference(redis, keys)).partition(b"\n")[0]
    await redis.set(name, digest + b"\n" + await first.read())
    again = await client.post("/v1/streams", json=order(), headers=KEY)
    assert (again.status, await again.read()) == (201, await first.read())

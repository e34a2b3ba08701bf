"""What one account may write: the number of its streams, and the bytes of its changes in a day."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair, MuxedAccount

from services.api.streams.quotas import CHANGE_BYTES, KEY_BYTES, METADATA_COPIES
from shared.journal.indexes import made_by
from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.api.auth.samples import ADMIN, ALICE, BOB, REQUIRED, writer
from tests.api.samples import RECIPIENT, made, order
from tests.support.redis_server import PATIENT
from tests.support.web_client import StartApi, WebClient

SLACK = 100
"""For the bytes of empty metadata."""

LARGEST = {"label": "y" * 22, "note": "x" * 2000}


def order_of(sender: Keypair, **more: Any) -> dict[str, Any]:
    return order(sender=sender.public_key, **more)


async def create(client: WebClient, sender: Keypair, **headers: str) -> int:
    headers = writer(sender) | headers
    return (await client.post("/v1/streams", json=order_of(sender), headers=headers)).status


async def test_an_account_makes_only_so_many_streams_however_they_ended(
    start: StartApi,
) -> None:
    client = await start(**REQUIRED, streams_per_account=3)
    statuses = await asyncio.gather(*(create(client, ALICE) for _ in range(20)))
    assert sorted(statuses) == [201] * 3 + [403] * 17, "exact, also at the same time"
    listed = await (await client.get("/v1/streams", headers=ADMIN)).json()
    cancel = f"/v1/streams/{listed['items'][0]['id']}/cancel"
    assert (await client.post(cancel, headers=writer(ALICE))).status == 200
    answer = await client.post("/v1/streams", json=order_of(ALICE), headers=writer(ALICE))
    problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["type"], problem["limit"]) == (403, "/problems/stream-quota", 3)
    assert "STREAMS_PER_ACCOUNT" in problem["detail"]
    assert await create(client, BOB) == 201
    by_admin = await client.post("/v1/streams", json=order_of(ALICE), headers=ADMIN)
    assert by_admin.status == 201, "admins have no quota"


async def test_muxed_addresses_share_the_quota_of_their_account(start: StartApi) -> None:
    client = await start(**REQUIRED, streams_per_account=2)
    statuses = []
    for number in range(4):
        muxed = MuxedAccount(ALICE.public_key, number).account_muxed
        assert muxed
        headers = writer(ALICE, sub=muxed)
        body = order(sender=muxed)
        statuses.append((await client.post("/v1/streams", json=body, headers=headers)).status)
    assert statuses == [201, 201, 403, 403]


async def test_a_repeated_create_is_answered_although_the_quota_is_used_up(
    start: StartApi,
) -> None:
    client = await start(**REQUIRED, streams_per_account=1)
    key = {"Idempotency-Key": "one"}
    assert [await create(client, ALICE, **key) for _ in range(3)] == [201] * 3
    assert await create(client, ALICE) == 403


async def test_without_limits_and_in_open_mode_nobody_is_limited(start: StartApi) -> None:
    free = await start(**REQUIRED, streams_per_account=0, bytes_per_account=0)
    assert [await create(free, ALICE) for _ in range(3)] == [201] * 3
    for _ in range(3):
        await made(await start())
    limited = await start(streams_per_account=1, bytes_per_ip=CHANGE_BYTES * 2 + SLACK)
    statuses = [
        (await limited.post("/v1/streams", json=order_of(sender))).status
        for sender in (Keypair.random(), Keypair.random(), Keypair.random())
    ]
    assert statuses == [201, 201, 429], "open mode counts bytes by address, if they are set"


async def test_an_account_fills_only_so_many_bytes_a_day(start: StartApi) -> None:
    client = await start(**REQUIRED, bytes_per_account=2 * CHANGE_BYTES + KEY_BYTES + SLACK)
    assert await create(client, ALICE) == 201
    assert await create(client, ALICE, **{"Idempotency-Key": "x"}) == 201
    answer = await client.post("/v1/streams", json=order_of(ALICE), headers=writer(ALICE))
    problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["type"]) == (429, "/problems/rate-limited")
    assert "bytes" in problem["detail"]
    assert 30_000 < int(answer.headers["Retry-After"]) <= 86_400
    assert (await client.get("/v1/streams", headers=writer(ALICE))).status == 200
    assert await create(client, BOB) == 201
    assert (await client.post("/v1/streams", json=order_of(ALICE), headers=ADMIN)).status == 201


async def test_many_accounts_of_one_address_share_its_bytes(start: StartApi) -> None:
    settings = {"bytes_per_ip": 2 * CHANGE_BYTES + SLACK, "trusted_proxies": "127.0.0.0/8"}
    client = await start(**REQUIRED, **settings)
    here, there = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
    senders = [Keypair.random() for _ in range(3)]
    assert [await create(client, sender, **here) for sender in senders] == [201, 201, 429]
    assert await create(client, senders[2], **there) == 201


async def test_a_refused_change_is_not_counted(start: StartApi) -> None:
    client = await start(**REQUIRED, bytes_per_account=3 * CHANGE_BYTES + SLACK)
    response = await client.post("/v1/streams", json=order_of(ALICE), headers=writer(ALICE))
    url = f"/v1/streams/{(await response.json())['id']}"
    for _ in range(5):
        assert (await client.post(f"{url}/resume", headers=writer(ALICE))).status == 409
        assert (await client.post("/v1/streams/8/pause", headers=writer(ALICE))).status == 403
    statuses = [
        (await client.post(f"{url}/{step}", headers=writer(ALICE))).status
        for step in ("pause", "resume", "cancel")
    ]
    assert statuses == [200, 200, 429]


async def used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


@pytest.mark.parametrize("metadata", [{}, LARGEST], ids=["without", "largest"])
async def test_a_change_needs_no_more_memory_than_it_costs(
    start: StartApi, empty_redis_url: str, metadata: dict[str, str]
) -> None:
    client = await start(redis_url=empty_redis_url)
    order = {"metadata": metadata, "depositedAmount": "1000000"}
    copies = METADATA_COPIES * len(orjson.dumps(metadata))
    async with connect(empty_redis_url, timeout=PATIENT) as redis:
        await asyncio.gather(*(made(client, **order) for _ in range(150)))
        before, count = await used(redis), 150
        ids = [
            s["id"] for s in await asyncio.gather(*(made(client, **order) for _ in range(count)))
        ]
        after = await used(redis)
        assert (after - before) / count < CHANGE_BYTES + copies
        top_ups = (f"/v1/streams/{each}/top-up" for each in ids)
        await asyncio.gather(*(client.post(url, json={"amount": "1"}) for url in top_ups))
        assert (await used(redis) - after) / count < CHANGE_BYTES


async def test_the_index_counts_streams_of_the_api_by_the_account(
    start: StartApi, redis: Redis, keys: Keys
) -> None:
    client = await start()
    muxed = MuxedAccount(ALICE.public_key, 7).account_muxed
    for sender in (ALICE.public_key, muxed):
        await made(client, sender=sender, recipient=RECIPIENT)
    assert await redis.zcard(keys.index(made_by(ALICE.public_key))) == 2
    assert await redis.zcard(keys.index(made_by(RECIPIENT))) == 0

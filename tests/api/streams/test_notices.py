"""Notices that a stream runs out: 48 h and 24 h before, and when it has run out."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.api.app import STREAM_NOTICES
from shared.domain.position import START
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.api.samples import SENDER, T0, Clock, made, on_chain
from tests.support.web_client import StartApi, WebClient

HOUR = 3600
DAYS = 10 * 24 * HOUR
LOW, DRY = "stream.running_low", "stream.depleted"


async def notices(redis: Redis, keys: Keys, stream_id: str | None = None) -> list[dict[str, Any]]:
    page = await Journal(redis, keys).after(START, 5000)
    bodies = [orjson.loads(e.body) for e in getattr(page, "entries", ()) if e.type in (LOW, DRY)]
    return [body for body in bodies if stream_id in (None, body["streamId"])]


def brief(bodies: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(body["type"], body["timestamp"], body.get("secondsLeft")) for body in bodies]


def all_three(end: int) -> list[tuple[Any, ...]]:
    return [
        (LOW, end - 48 * HOUR, 48 * HOUR),
        (LOW, end - 24 * HOUR, 24 * HOUR),
        (DRY, end, None),
    ]


async def long_one(client: WebClient, **more: Any) -> dict[str, Any]:
    """A stream that runs for ten days."""
    return await made(client, ratePerSecond="1", depositedAmount=str(DAYS), **more)


async def tell(client: WebClient, clock: Clock, now: float) -> int:
    clock.now = now
    return await client.app[STREAM_NOTICES].publish_due()


async def test_each_notice_comes_at_its_time_and_once(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    stream = await long_one(client)
    end = stream["endTime"]
    assert end == T0 + DAYS
    for moment, count in [
        (end - 48 * HOUR - 1, 0), (end - 48 * HOUR, 1), (end - 48 * HOUR, 0),
        (end - 24 * HOUR - 1, 0), (end - 24 * HOUR, 1), (end - 1, 0), (end, 1), (end + DAYS, 0),
    ]:  # fmt: skip
        assert await tell(client, clock, moment) == count, moment - end
    published = await notices(redis, keys)
    assert brief(published) == all_three(end)
    assert {body["endsAt"] for body in published} == {end}
    assert [body["stream"]["ending"] for body in published] == ["48h", "24h", "depleted"]
    assert [body["stream"]["version"] for body in published] == [2, 3, 4]
    assert published[-1]["stream"]["claimable"] == {"amount": str(DAYS), "asOf": end}
    assert {(body["origin"], body["sender"]) for body in published} == {("api", SENDER)}
    document = await (await client.get(f"/v1/streams/{stream['id']}")).json()
    for name in ("depositedAmount", "withdrawnAmount", "status", "endTime", "lastUpdateTime"):
        assert document[name] == stream[name], "no money moves"


async def test_missed_notices_are_published_late_and_in_order(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    stream = await long_one(client)
    assert await tell(client, clock, T0 + 2 * DAYS) == 3
    assert brief(await notices(redis, keys)) == all_three(stream["endTime"])


async def test_notices_already_due_when_the_end_changes_are_skipped(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    """A stream of 100 seconds gets no early notices, only `stream.depleted`."""
    stream = await made(client)
    assert stream["ending"] == "24h"
    assert await tell(client, clock, T0 + 99) == 0
    assert await tell(client, clock, T0 + 100) == 1
    assert brief(await notices(redis, keys)) == [(DRY, T0 + 100, None)]


async def test_a_top_up_starts_the_notices_again(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    stream = await long_one(client)
    url = f"/v1/streams/{stream['id']}"
    end = stream["endTime"]
    assert await tell(client, clock, end) == 3
    topped = await (await client.post(f"{url}/top-up", json={"amount": str(DAYS)})).json()
    assert (topped["ending"], topped["endTime"]) == (None, end + DAYS)
    assert await tell(client, clock, end + DAYS) == 3
    assert brief(await notices(redis, keys)) == all_three(end) + all_three(end + DAYS)


async def test_a_top_up_that_ends_in_the_past_keeps_the_stream_depleted(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    stream = await made(client)
    clock.now = T0 + 1000
    await client.app[STREAM_NOTICES].publish_due()
    await client.post(f"/v1/streams/{stream['id']}/top-up", json={"amount": "10"})
    assert await tell(client, clock, T0 + 1000) == 1
    assert await tell(client, clock, T0 + 2000) == 0
    published = brief(await notices(redis, keys))
    assert published == [(DRY, T0 + 100, None), (DRY, T0 + 101, None)]


async def test_a_pause_stops_notices_and_a_resume_moves_them(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    stream = await long_one(client)
    url, end = f"/v1/streams/{stream['id']}", stream["endTime"]
    await tell(client, clock, end - 30 * HOUR)
    await client.post(f"{url}/pause")
    assert await redis.zcard(keys.index("schedule:api")) == 0
    assert await tell(client, clock, end + DAYS) == 0
    resumed = await (await client.post(f"{url}/resume")).json()
    new = end + DAYS + 30 * HOUR
    assert resumed["endTime"] == new
    assert await tell(client, clock, new) == 2, "it had 30 hours left"
    published = brief(await notices(redis, keys))
    assert published == [all_three(end)[0], *all_three(new)[1:]]


@pytest.mark.parametrize("step", ["cancel", "withdraw"])
async def test_a_stream_that_ended_leaves_the_schedule(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock, step: str
) -> None:
    stream = await long_one(client)
    clock.now = T0 + 2 * DAYS
    response = await client.post(f"/v1/streams/{stream['id']}/{step}")
    assert (await response.json())["ending"] is None
    assert await redis.zcard(keys.index("schedule:api")) == 0
    assert await tell(client, clock, T0 + 3 * DAYS) == 0


async def test_a_withdrawal_or_a_label_does_not_move_the_end(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    stream = await long_one(client)
    url, end = f"/v1/streams/{stream['id']}", stream["endTime"]
    assert await tell(client, clock, end - 40 * HOUR) == 1
    await client.post(f"{url}/withdraw")
    await client.patch(url, json={"metadata": {"label": "x"}})
    assert await tell(client, clock, end - 39 * HOUR) == 0
    assert await tell(client, clock, end) == 2
    assert brief(await notices(redis, keys)) == all_three(end)


async def test_a_chain_stream_uses_the_time_of_ledgers(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    await on_chain(redis, keys, 7, ledger="7", closedAt="2026-02-02T02:40:00Z")  # T0
    assert await tell(client, clock, T0 + DAYS) == 0
    await on_chain(redis, keys, 8, ledger="9", closedAt="2026-02-02T02:41:40Z")  # T0 + 100
    assert await tell(client, clock, T0) == 2
    published = await notices(redis, keys, "7")
    assert brief(published) == [(DRY, T0 + 100, None)]
    (event,) = published
    assert (event["origin"], event["stream"]["origin"]) == ("api", "chain")
    assert not {"txHash", "ledger", "verified"} & set(event), "not from the chain"
    assert event["id"].partition("-")[0] == str((7 << 32) + (8 << 12)), "below the next operation"
    document = await (await client.get("/v1/streams/7")).json()
    assert (document["status"], document["origin"]) == ("active", "chain")


async def test_many_replicas_publish_each_notice_once(
    client: WebClient, start: StartApi, redis: Redis, keys: Keys, clock: Clock
) -> None:
    """Also without the lease, because only one commit succeeds."""
    ids = [(await long_one(client))["id"] for _ in range(120)]
    others = [client, await start(), await start()]
    clock.now = T0 + DAYS

    async def unleashed(each: WebClient) -> int:
        endings: Any = each.app[STREAM_NOTICES]
        endings.take_lease = always
        return await endings.publish_due()

    async def always() -> bool:
        return True

    counts = await asyncio.gather(*(unleashed(each) for each in others for _ in range(2)))
    assert sum(counts) == 360
    published = await notices(redis, keys)
    assert len(published) == 360
    for stream_id in ids:
        mine = [body for body in published if body["streamId"] == stream_id]
        assert brief(mine) == all_three(T0 + DAYS)


async def test_concurrent_changes_are_kept_and_decide_notices_again(
    client: WebClient, start: StartApi, redis: Redis, keys: Keys, clock: Clock
) -> None:
    streams = [await long_one(client) for _ in range(30)]
    clock.now = T0 + DAYS
    other = await start()
    await asyncio.gather(
        client.app[STREAM_NOTICES].publish_due(),
        *(other.post(f"/v1/streams/{s['id']}/top-up", json={"amount": "5"}) for s in streams),
    )
    await client.app[STREAM_NOTICES].publish_due()
    for stream in streams:
        page = await (
            await client.get(f"/v1/streams/{stream['id']}/events", params={"order": "asc"})
        ).json()
        deposited = DAYS
        for event in page["items"]:
            deposited += 5 * (event["type"] == "stream.topped_up")
            if event["type"] in (LOW, DRY):
                assert event["endsAt"] == T0 + deposited
        assert int(page["items"][-1]["stream"]["depositedAmount"]) == deposited == DAYS + 5

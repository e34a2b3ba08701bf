"""WAIT_ARCHIVE: a confirmed change is archived; a change that is late can be retried."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.archive.mark import ArchiveMark, read_mark, write_mark
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.api.samples import order
from tests.support.waiting import until
from tests.support.web_client import StartApi, WebClient

pytestmark = pytest.mark.io

ONCE = {"Idempotency-Key": "one"}


async def post(client: WebClient, path: str = "/v1/streams", **how: Any) -> tuple[int, Any]:
    async with client.post(path, **how) as response:
        return response.status, await response.json(content_type=None)


async def archive_everything(redis: Redis, keys: Keys) -> None:
    tip = await Journal(redis, keys).tip()
    await write_mark(redis, keys, ArchiveMark(tip.top, "00" * 32, 1))


async def test_a_change_is_confirmed_when_the_archive_has_it(
    start: StartApi, redis: Redis, keys: Keys
) -> None:
    client = await start(wait_archive=30_000)
    request = asyncio.create_task(post(client, json=order()))

    async def written() -> bool:
        return bool(await redis.xlen(keys.journal))

    await until(written)
    assert not request.done()
    await archive_everything(redis, keys)
    status, stream = await request
    assert status == 201
    mark = await read_mark(redis, keys)
    assert mark is not None
    assert parse_position(stream["position"]) == mark.position


async def test_a_late_change_is_a_503_and_its_retry_acts_once(
    start: StartApi, redis: Redis, keys: Keys
) -> None:
    client = await start(wait_archive=30)
    for _ in range(2):
        status, body = await post(client, json=order(), headers=ONCE)
        assert (status, body["type"]) == (503, "/problems/unavailable")
        assert "after 30 ms the archive ends at 0-0" in body["detail"]
        assert "same Idempotency-Key" in body["detail"]
    assert await redis.xlen(keys.journal) == 1
    await archive_everything(redis, keys)

    async def confirmed() -> dict[str, Any] | None:
        """The mark must be read within the 30 ms, so a busy machine needs several attempts."""
        status, stream = await post(client, json=order(), headers=ONCE)
        return stream if status == 201 else None

    stream = await until(confirmed, what="201")
    assert await redis.xlen(keys.journal) == 1
    for action in ("hide", "hide"):  # the second one finds a stream that is hidden already
        status, _ = await post(client, f"/v1/streams/{stream['id']}/{action}")
        assert status == 503

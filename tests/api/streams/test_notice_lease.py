"""One replica at a time publishes notices; its lease is released when it stops."""

from __future__ import annotations

from redis.asyncio import Redis

from services.api.streams.clock import StreamClock
from services.api.streams.notices import StreamNotices
from shared.domain.events import Origin
from shared.journal.commit import Committer
from shared.journal.indexes import notice_schedule
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.api.samples import T0, TOKEN, on_chain
from tests.api.streams.test_notices import notices
from tests.support.processes import running
from tests.support.waiting import until
from tests.support.web_client import WebClient


async def test_one_replica_at_a_time_publishes_notices(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    first, second = (
        StreamNotices(redis, Committer(redis, keys), Journal(redis, keys), StreamClock(lambda: T0))
        for _ in range(2)
    )
    assert await first.take_lease()
    assert not await second.take_lease()
    assert await first.take_lease()
    assert 0 < await redis.pttl(keys.schedule_lease) <= 5000
    await redis.delete(keys.schedule_lease)  # as if it had expired
    assert await second.take_lease()
    assert not await first.take_lease()
    await first.release()  # the first replica does not hold it any more
    assert not await first.take_lease()
    await second.release()
    assert await first.take_lease()


async def test_a_running_api_publishes_notices(redis: Redis, redis_url: str, keys: Keys) -> None:
    async with running(
        "services.api", REDIS_URL=redis_url, CONTRACTS=TOKEN, NAMESPACE=keys.namespace
    ) as process:
        await on_chain(redis, keys, 7)  # has run out since February by the real clock
        await until(lambda: notices(redis, keys), what="the notice")
        assert await redis.exists(keys.schedule_lease)
        process.signal()
        assert await process.ended() == 0
    assert not await redis.exists(keys.schedule_lease), "another takes over at once"
    assert await redis.zcard(keys.index(notice_schedule(Origin.CHAIN))) == 0

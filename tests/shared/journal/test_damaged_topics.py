"""A commit notices sets of topics that somebody deleted, and only those."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from shared.runtime.metrics import LOST_TOPIC
from tests.shared.samples import TYPE, S, at, chain, created

EVENTS = 120


@pytest.fixture
async def committer(redis: Redis, keys: Keys) -> Committer:
    """The journal has an event of each of the streams 1 to 120. The next commit trims most."""
    committer = Committer(redis, keys, retention=Retention(max_length=10))
    committer_of_all = Committer(redis, keys)
    events = [created(str(n), at(n)) for n in range(1, EVENTS + 1)]
    await committer_of_all.record(events, progress={"cursor": str(at(EVENTS).toid)})
    return committer


async def commit(committer: Committer, stream: int, ledger: int) -> list[str]:
    """Commit an event of a stream. Returns the keys that were reported as damaged."""
    event = chain(TYPE.STREAM_FEE_COLLECTED, str(stream), at(ledger), feeAmount="1")
    with capture_logs() as logs:
        await committer.record([event], progress={"cursor": str(at(ledger).toid)})
    return [key for line in logs if line["event"] == "topics_damaged" for key in line["keys"]]


async def test_a_set_that_lacks_a_trimmed_entry_is_counted_once(
    redis: Redis, keys: Keys, committer: Committer
) -> None:
    counted = LOST_TOPIC._value.get()
    await redis.delete(keys.topic(f"user:{S}"))
    await redis.zrem(keys.topic("3"), at(3).padded)
    damaged = await commit(committer, 200, 121)
    assert damaged == sorted([keys.topic("3"), keys.topic(f"user:{S}")])
    assert LOST_TOPIC._value.get() == counted + 2
    assert await commit(committer, 200, 122) == []


async def test_a_stream_without_its_set_is_noticed_at_its_next_event(
    redis: Redis, keys: Keys, committer: Committer
) -> None:
    await redis.delete(keys.topic("119"), keys.topic("120"))
    assert await commit(committer, 119, 121) == [keys.topic("119")]
    assert await commit(committer, 118, 122) == []


async def test_a_stream_whose_events_were_all_trimmed_is_not_damaged(
    redis: Redis, keys: Keys, committer: Committer
) -> None:
    assert await commit(committer, 200, 121) == []
    assert not await redis.exists(keys.topic("5"))
    for ledger, stream in ((122, 5), (123, 5), (124, 120), (125, 300)):
        assert await commit(committer, stream, ledger) == []

"""A restore from the archive: connected clients get each event once."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.fanout.journals import begin, restore, snapshot
from tests.fanout.replicas import Chain, StartReplica, api_commit
from tests.support.sse_client import SseClient
from tests.support.waiting import until


async def test_a_restore_brings_everything_back_and_nothing_is_sent_twice(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """Also events of the API from before the oldest event in memory."""
    replica = await start(probe_seconds=0.1, ring_events=3)
    await begin(chain.committer, 1 << 32, 1)
    client = await replica.subscribe("all=true")
    clients.append(client)
    chain.ledger = 1
    made = [await api_commit(Committer(redis, keys)) for _ in range(2)]
    positions = [*made, *await chain.commit_many(3)]
    await client.wait_id(positions[-1])
    feed = replica.components.feed
    await until(lambda: feed.failover.last_seen.cursor and feed.failover.last_seen.first)
    saved = await snapshot(redis, keys)
    lost = await api_commit(Committer(redis, keys))
    await client.wait_id(lost)
    unlucky = await replica.subscribe("streams=8")
    clients.append(unlucky)
    await restore(redis, keys, {})
    await until(lambda: feed.failover.last_seen.lost)
    await restore(redis, keys, saved)
    (reset,) = await client.wait(1, "reset")
    assert reset.json["position"] == positions[-1], "one event of the API was not restored"
    (new,) = await chain.commit()
    await client.wait_id(new)
    late = await replica.subscribe("all=true", since=positions[0])
    clients.append(late)
    await late.wait_id(new)
    assert client.positions == [*positions, lost, new]
    assert late.positions == [*positions[1:], new]
    assert not late.named("reset")
    assert not unlucky.named("reset")
    assert not feed.failover.last_seen.lost

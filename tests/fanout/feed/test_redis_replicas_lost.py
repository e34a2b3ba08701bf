"""The feed reads replicas of Redis, and Redis loses data: the primary decides what is lost."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.fanout.journals import begin
from tests.fanout.replicas import Chain, api_commit
from tests.fanout.replicated import StartOn, unready
from tests.support.redis_links import LinkedRedis
from tests.support.redis_server import PATIENT
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = pytest.mark.io


async def test_when_everything_is_lost_a_late_replica_does_not_send_it_again(  # noqa: PLR0917 - fixtures
    servers: LinkedRedis,
    start_on: StartOn,
    primary: Redis,
    on_primary: Chain,
    keys: Keys,
    clients: list[SseClient],
) -> None:
    node = servers.replicas[0]
    await begin(on_primary.committer, 1 << 32, 1)
    replica = await start_on(node)
    on_primary.ledger = 1
    positions = await on_primary.commit_many(5)
    clients.append(client := await replica.subscribe("all=true", since="0-0"))
    await client.wait_id(positions[-1])
    servers.hold_back(node)
    await primary.flushall()
    await until(lambda: replica.components.feed.failover.last_seen.lost, what="a noticed loss")
    again = Chain(primary, keys)
    again.ledger = on_primary.ledger
    await begin(again.committer, again.ledger << 32, 2)
    new = await again.commit_many(2)
    assert not replica.components.feed.server.in_step
    assert client.positions == positions
    servers.let_in()
    await client.wait_id(new[-1])
    assert client.positions == positions + new


async def test_an_event_that_only_a_cut_off_replica_has_is_lost(
    servers: LinkedRedis, start_on: StartOn, keys: Keys, on_primary: Chain, clients: list[SseClient]
) -> None:
    """The promoted replica lacks the event. Only the clients that received it get `reset`."""
    behind, ahead = servers.replicas
    replica = await start_on(ahead)
    feed = replica.components.feed
    positions = await on_primary.commit_many(2)
    await replica.at(positions[-1])
    clients.append(receiver := await replica.subscribe("all=true"))
    clients.append(other := await replica.subscribe("streams=8"))
    await until(servers.is_well, what="both replicas to have the first events")
    servers.hold_back(behind)
    lost = await api_commit(on_primary.committer)
    await receiver.wait_id(lost)
    servers.cut_off(ahead)
    await servers.primary.stop()
    await servers.promote(behind)
    await until(lambda: not feed.server.in_step, what="another history")
    assert str(feed.position) == lost, "nothing is decided until the replica follows the primary"
    servers.let_in()
    await receiver.wait(1, "reset")
    (new,) = await on_primary.commit()
    await receiver.wait_id(new)
    assert receiver.positions == [lost, new]
    assert not other.named("reset")


async def test_a_promoted_replica_is_read_until_another_one_follows_it(
    servers: LinkedRedis, start_on: StartOn, on_primary: Chain, clients: list[SseClient]
) -> None:
    first, second = servers.replicas
    replica = await start_on(first)
    clients.append(client := await replica.subscribe("all=true"))
    positions = await on_primary.commit_many(2)
    await client.wait_id(positions[-1])
    await servers.primary.stop()
    await servers.promote(first)
    await until(lambda: replica.components.feed.server._is_primary, what="the promoted server")
    positions += await on_primary.commit_many(2)
    await client.wait_id(positions[-1])
    assert client.positions == positions
    await servers.start()
    await first.stop()
    await servers.promote(second)
    await unready(replica, "")
    await first.start("--replicaof", f"127.0.0.1 {servers.links[first.port].port}")
    positions += await on_primary.commit_many(2)
    await client.wait_id(positions[-1])
    assert client.positions == positions


async def test_events_of_a_second_primary_are_not_published(
    servers: LinkedRedis, start_on: StartOn, on_primary: Chain, keys: Keys, clients: list[SseClient]
) -> None:
    """A replica was made a primary by mistake, and accepts writes that the real primary lacks."""
    node = servers.replicas[0]
    replica = await start_on(node)
    feed = replica.components.feed
    clients.append(client := await replica.subscribe("all=true"))
    (position,) = await on_primary.commit()
    await client.wait_id(position)
    await node.ask("REPLICAOF", "NO", "ONE")
    await until(lambda: not feed.server.in_step, what="another history")
    async with connect(servers.url_of(node), timeout=PATIENT) as second:
        other = Chain(second, keys)
        other.ledger = on_primary.ledger + 10
        wrong = await other.commit_many(2)
    await until(lambda: feed.tip and str(feed.tip.top) == wrong[-1], what="a probe")
    await servers.follow(node)
    (new,) = await on_primary.commit()
    await client.wait_id(new)
    assert client.positions == [position, new]

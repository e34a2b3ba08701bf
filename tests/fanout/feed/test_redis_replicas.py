"""The feed reads replicas of Redis that are late, cut off or gone: no event is lost."""

from __future__ import annotations

import pytest

from services.fanout.feed import server as feed_server
from tests.fanout.replicas import SUBSCRIBE, Chain
from tests.fanout.replicated import StartOn, chosen, listeners, unready
from tests.support.redis_links import LinkedRedis
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = pytest.mark.io


async def test_events_are_read_from_a_replica_and_leases_are_written_to_the_primary(
    servers: LinkedRedis, start_on: StartOn, on_primary: Chain, clients: list[SseClient]
) -> None:
    replica = await start_on(connections_per_ip=500)  # more than `at` opens
    positions = await on_primary.commit_many(3)
    await replica.at(positions[-1])
    clients.append(client := await replica.subscribe("all=true"))
    clients.append(resumed := await replica.subscribe("all=true", since="0-0"))
    positions += await on_primary.commit_many(3)
    for each in clients:
        await each.wait_id(positions[-1])
    assert client.positions == positions[3:]
    assert resumed.positions == positions
    assert [await listeners(node) for node in servers.servers.values()].count(1) == 1
    assert await listeners(servers.primary) == 0

    async def by_message() -> float:
        return await replica.metric("events_total", via="channel")

    await until(by_message, what="an event that came as a message")

    async def in_step() -> bool:
        """The note is of the last probe, at which the replica may have been behind."""
        _, ready = await replica.get("/readyz")
        return "follows the primary, 0.0 s behind" in ready

    await until(in_step, what="the note that the replica is in step")


async def test_a_client_that_moves_to_a_late_replica_loses_nothing_and_gets_no_reset(
    servers: LinkedRedis,
    start_on: StartOn,
    on_primary: Chain,
    clients: list[SseClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_server, "BOUND_SECONDS", 60)  # the next test looks at the bound
    one, other = servers.replicas
    fresh, late = await start_on(one), await start_on(other)
    positions = await on_primary.commit_many(2)
    for replica in (fresh, late):
        await replica.at(positions[-1])
    clients.append(live := await late.subscribe("all=true"))
    clients.append(first := await fresh.subscribe("all=true"))
    servers.hold_back(other)
    positions += await on_primary.commit_many(3)
    await first.wait_id(positions[-1])
    assert live.positions == []
    moved = await late.subscribe("all=true", since=first.last_id)
    by_topic = await late.subscribe("streams=7", since=positions[3])
    clients += [moved, by_topic]
    await until(lambda: late.components.feed.server._lag.seconds(1e9))
    servers.let_in()
    positions += await on_primary.commit_many(2)
    for each in clients:
        await each.wait_id(positions[-1])
        assert not [*each.named("reset"), *each.named("gap")]
    assert live.positions == positions[2:]
    assert moved.positions == positions[5:]
    assert by_topic.positions == positions[4:]


async def test_a_client_waits_for_a_late_replica_only_for_some_seconds(
    servers: LinkedRedis, start_on: StartOn, on_primary: Chain, soon: None
) -> None:
    node = servers.replicas[0]
    replica = await start_on(node)
    servers.hold_back(node)
    (position,) = await on_primary.commit()
    client = await replica.subscribe("all=true", since=position)
    (overload,) = await client.wait(1, "overload")
    await until(client.closed.is_set)
    assert overload.id == position, "the client resumes from the same position elsewhere"
    assert not client.named("reset")
    await unready(replica, "is behind the primary")
    before = await replica.metric("turned_away_total", reason="behind")
    status, _ = await replica.get(f"{SUBSCRIBE}?all=true&on_overload=status")
    assert status == 503, "the gateway asks another fanout"
    assert await replica.metric("turned_away_total", reason="behind") == before + 1
    assert await replica.metric("replica_lag_seconds") > 0.3
    servers.let_in()
    await until(replica.ready)
    assert await replica.metric("replica_lag_seconds") == 0


async def test_the_feed_moves_from_a_replica_that_is_cut_off_to_another(
    servers: LinkedRedis,
    start_on: StartOn,
    on_primary: Chain,
    clients: list[SseClient],
    soon: None,
) -> None:
    replica = await start_on()
    clients.append(client := await replica.subscribe("all=true"))
    positions = await on_primary.commit_many(2)
    await client.wait_id(positions[-1])
    former = await until(lambda: chosen(replica), what="the server that is read")
    assert former != servers.primary.port
    servers.cut_off(servers.servers[former])
    positions += await on_primary.commit_many(2)
    await client.wait_id(positions[-1])
    assert client.positions == positions
    assert chosen(replica) not in (former, servers.primary.port)
    await until(replica.ready)
    servers.cut_off(*servers.replicas)
    await until(lambda: chosen(replica) == servers.primary.port, what="the primary is read")
    await until(replica.ready)


async def test_a_replica_that_serves_no_stale_data_makes_the_fanout_unready(
    servers: LinkedRedis,
    start_on: StartOn,
    on_primary: Chain,
    clients: list[SseClient],
    soon: None,
) -> None:
    node = servers.replicas[0]
    await node.ask("CONFIG", "SET", "replica-serve-stale-data", "no")
    replica = await start_on(node)
    clients.append(client := await replica.subscribe("all=true"))
    servers.cut_off(node)
    await unready(replica, "")
    positions = await on_primary.commit_many(2)
    servers.let_in()
    await client.wait_id(positions[-1])
    await until(replica.ready)
    assert client.positions == positions


async def test_a_replica_that_dies_is_left_at_once(
    servers: LinkedRedis, start_on: StartOn, on_primary: Chain, clients: list[SseClient]
) -> None:
    replica = await start_on()
    clients.append(client := await replica.subscribe("all=true"))
    former = chosen(replica)
    await servers.servers[former].stop()
    positions = await on_primary.commit_many(3)
    await client.wait_id(positions[-1], seconds=10)
    assert chosen(replica) not in (former, servers.primary.port)
    assert client.positions == positions

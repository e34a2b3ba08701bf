"""Slow, stalled, closed or excess clients do not delay the other clients."""

from __future__ import annotations

import tracemalloc
from collections.abc import Awaitable, Callable

import pytest

from tests.fanout.replicas import SUBSCRIBE, Chain, Replica, StartReplica
from tests.fanout.stopwatch import Stopwatch
from tests.fanout.turns import turn
from tests.support.sse_client import SseClient
from tests.support.waiting import until

TINY = 4096


@pytest.fixture
def metric_change() -> Callable[..., Awaitable[float]]:
    """The change of a metric since the test first asked for it."""
    first: dict[str, float] = {}

    async def metric_change(replica: Replica, name: str, **labels: str) -> float:
        value = await replica.metric(name, **labels)
        return value - first.setdefault(f"{name}{labels}", value)

    return metric_change


async def test_a_stalled_client_is_closed_and_does_not_delay_the_others(
    start: StartReplica,
    chain: Chain,
    clients: list[SseClient],
    metric_change: Callable[..., Awaitable[float]],
) -> None:
    replica = await start(backlog_bytes=100_000)
    assert await metric_change(replica, "disconnects_total", reason="slow") == 0
    stalled = await replica.subscribe("all=true", receive_buffer=TINY)
    stalled.stall()
    others = [await replica.subscribe("all=true") for _ in range(3)]
    clients += [stalled, *others]
    positions: list[str] = []
    latencies: list[float] = []

    async def closed() -> bool:
        positions.extend(await chain.commit(*(chain.event(padding=50_000) for _ in range(5))))
        stopwatch = Stopwatch()
        for other in others:
            await other.wait_id(positions[-1])
        latencies.append(stopwatch.seconds)
        backlog = await replica.metric("backlog_bytes")
        assert backlog <= 2 * 100_000 + 60_000, "bounded"
        return await metric_change(replica, "disconnects_total", reason="slow") == 1

    await until(closed)
    assert max(latencies) < 1.0
    assert [other.positions for other in others] == [positions] * 3
    stalled.resume()
    await until(stalled.closed.is_set)
    got = stalled.positions
    assert got == positions[: len(got)]
    assert len(got) < len(positions)
    assert stalled.last_id == (got[-1] if got else stalled.events[0].own_id)
    again = await replica.subscribe("all=true", since=stalled.last_id)
    clients.append(again)
    await again.wait_id(positions[-1])
    assert got + again.positions == positions


async def test_a_client_that_reads_slowly_gets_all_events_in_order(
    start: StartReplica,
    chain: Chain,
    clients: list[SseClient],
    metric_change: Callable[..., Awaitable[float]],
) -> None:
    replica = await start(backlog_bytes=16 << 20)
    client = await replica.subscribe("all=true", receive_buffer=TINY)
    clients.append(client)
    client.stall()
    positions = await chain.commit_many(400, padding=20_000)

    async def has_backlog() -> bool:
        return await replica.metric("backlog_bytes") > 0

    await until(has_backlog)

    async def all_there() -> bool:
        client.resume()
        for _ in range(20):
            await turn()
        client.stall()
        return client.last_id == positions[-1]

    await until(all_there, seconds=50)
    assert client.positions == positions
    assert client.parser.faults == []

    async def backlog_is_empty() -> bool:
        return await replica.metric("backlog_bytes") == 0

    await until(backlog_is_empty)


async def test_a_client_that_accepts_no_data_before_the_write_deadline_is_closed(
    start: StartReplica,
    chain: Chain,
    clients: list[SseClient],
    metric_change: Callable[..., Awaitable[float]],
) -> None:
    replica = await start(backlog_bytes=64 << 20, write_seconds=0.5)
    assert await metric_change(replica, "disconnects_total", reason="slow") == 0
    stalled = await replica.subscribe("all=true", receive_buffer=TINY)
    reading = await replica.subscribe("all=true", receive_buffer=TINY)
    clients += [stalled, reading]
    stalled.stall()
    positions = await chain.commit_many(300, padding=30_000)
    stopwatch = Stopwatch()

    async def closed() -> bool:
        return await metric_change(replica, "disconnects_total", reason="slow") == 1

    await until(closed)
    assert stopwatch.seconds < 3
    await reading.wait_id(positions[-1])
    assert reading.positions == positions


async def test_a_client_that_stalls_during_its_replay_is_closed(
    start: StartReplica,
    chain: Chain,
    clients: list[SseClient],
    metric_change: Callable[..., Awaitable[float]],
) -> None:
    replica = await start(backlog_bytes=100_000, write_seconds=0.5, ring_events=10)
    assert await metric_change(replica, "disconnects_total", reason="slow") == 0
    positions = await chain.commit_many(300, padding=30_000)
    await replica.at(positions[-1])
    stalled = await replica.subscribe("all=true", since="0-0", receive_buffer=TINY, stalled=True)
    clients.append(stalled)

    async def closed() -> bool:
        return await metric_change(replica, "disconnects_total", reason="slow") == 1

    await until(closed)
    assert await replica.metric("connections") == 0
    stalled.resume()
    await until(stalled.closed.is_set)
    assert stalled.positions == positions[: len(stalled.positions)]


async def test_endless_garbage_from_a_client_does_not_affect_others(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start()
    client, other = await replica.subscribe("all=true"), await replica.subscribe("all=true")
    clients += [client, other]
    client.send(b"\0\xff\r\n garbage \r\n\r\n" * 200_000)
    positions = await chain.commit_many(50)
    for each in (client, other):
        await each.wait_id(positions[-1])
        assert each.positions == positions


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("topics", ["all=true", "streams=999"])
async def test_a_client_that_disconnects_is_removed_at_once(
    start: StartReplica, chain: Chain, how: str, topics: str, clients: list[SseClient]
) -> None:
    replica = await start(sync_seconds=60)
    leaving, staying = await replica.subscribe(topics), await replica.subscribe("all=true")
    clients += [leaving, staying]
    assert await replica.metric("connections") == 2
    getattr(leaving, how)()

    async def removed() -> bool:
        return await replica.metric("connections") == await replica.metric("subscriptions") == 1

    await until(removed)
    positions = await chain.commit()
    await staying.wait_id(positions[-1])
    await until(leaving.closed.is_set)


async def test_clients_above_max_connections_get_overload(
    start: StartReplica,
    chain: Chain,
    clients: list[SseClient],
    metric_change: Callable[..., Awaitable[float]],
) -> None:
    replica = await start(max_connections=3)
    assert await metric_change(replica, "turned_away_total", reason="full") == 0
    clients += [await replica.subscribe() for _ in range(3)]
    one_more = await SseClient.connect(replica.port, f"{SUBSCRIBE}?all=true")
    clients.append(one_more)
    await until(one_more.closed.is_set)
    (event,) = one_more.events
    assert (one_more.status, event.name, event.own_id) == (200, "overload", None)
    assert 2000 <= (event.retry or 0) == event.json["retry"] <= 6000
    assert one_more.parser.faults == []
    for query, headers in (("", {"Last-Event-ID": "5-7"}), ("&last_event_id=5-7", None)):
        again = await SseClient.connect(
            replica.port, f"{SUBSCRIBE}?all=true{query}", headers=headers
        )
        clients.append(again)
        (event,) = await again.wait(1)
        assert (event.name, event.own_id) == ("overload", "5-7"), (
            "overload returns the requested position as its id"
        )
    status, text = await replica.get(f"{SUBSCRIBE}?all=true&on_overload=status")
    assert (status, "overloaded" in text) == (503, True)
    assert await metric_change(replica, "turned_away_total", reason="full") == 4
    status, _ = await replica.get(f"{SUBSCRIBE}?all=maybe")
    assert status == 400, "a malformed request gets 400 before the limit is checked"
    clients[0].close()

    async def connected() -> bool:
        client = await SseClient.connect(replica.port, f"{SUBSCRIBE}?all=true")
        clients.append(client)
        await client.wait(1)
        return client.events[0].name == "message"

    await until(connected)


async def test_a_client_that_stalls_during_its_replay_needs_little_memory(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """The 12 MB that it missed are in memory for all clients, and not once more for this one."""
    replica = await start(ring_events=500)
    reader = await replica.subscribe("all=true")
    clients.append(reader)
    positions = await chain.commit_many(400, padding=30_000)
    await reader.wait_id(positions[-1])
    tracemalloc.start()
    try:
        stalled = await replica.subscribe(
            "all=true", since="0-0", receive_buffer=TINY, stalled=True
        )
        clients.append(stalled)
        await until(lambda: replica.components.registry.slow.backlog_now)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()

"""Replays from recent events and from the journal, and the gap or reset when history is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.journal.plan import Retention
from tests.fanout.journals import journal
from tests.fanout.replicas import Chain, Replica, StartReplica
from tests.fanout.turns import turn
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy, no_link, subscribers
from tests.support.waiting import until


async def test_a_resume_larger_than_the_backlog_does_not_end_the_connection(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(backlog_bytes=20_000)
    positions = await chain.commit_many(1500, padding=3000)
    await replica.at(positions[-1])
    before = await replica.metric("replays_total", outcome="ring")
    from_ring = await replica.subscribe("all=true", since="0-0", receive_buffer=4096)
    clients.append(from_ring)
    live: list[str] = []
    for _ in range(5):
        live += await chain.commit()
        await turn()
    await from_ring.wait_id(live[-1])
    assert from_ring.positions == positions + live
    assert await replica.metric("replays_total", outcome="ring") == before + 1
    small = await start(backlog_bytes=20_000, ring_events=5)
    from_journal = await small.subscribe("all=true", since="0-0", receive_buffer=4096)
    clients.append(from_journal)
    await from_journal.wait_id(live[-1])
    assert from_journal.positions == positions + live


async def test_a_resume_from_trimmed_history_gets_gap(
    redis: Redis, keys: Keys, start: StartReplica, clients: list[SseClient]
) -> None:
    chain = Chain(redis, keys, retention=Retention(max_length=10))
    first = await chain.commit_many(5)
    await chain.commit_many(600)
    kept = await journal(redis, keys)
    replica = await start(ring_events=20)
    before = await replica.metric("replays_total", outcome="gap")
    asked = [
        ("all=true", "0-0"),
        ("all=true", first[2]),
        ("streams=7", "0-0"),
        ("streams=7", first[2]),
    ]
    for query, since in asked:
        client = await replica.subscribe(query, since=since)
        clients.append(client)
        (gap,) = await client.wait(1, "gap")
        assert gap.json == {
            "from": since,
            "to": kept[0].previous,
            "historyUrl": gap.json["historyUrl"],
        }
        assert gap.own_id == kept[0].previous
        await client.wait_id(kept[-1].position)
        assert client.positions == [e.position for e in kept]
    (live,) = await chain.commit()
    for client in clients:
        await client.wait_id(live)
        assert client.positions == [e.position for e in kept] + [live]
        assert [e.name for e in client.events if e.name != "sync"][:2] == ["message", "gap"]
    assert await replica.metric("replays_total", outcome="gap") == before + 4


async def test_a_gap_is_counted_when_the_client_disconnects_at_once(
    redis: Redis, keys: Keys, start: StartReplica, clients: list[SseClient]
) -> None:
    chain = Chain(redis, keys, retention=Retention(max_length=300))
    await chain.commit_many(1000, padding=3000)
    replica = await start(ring_events=5, backlog_bytes=20_000)
    before = await replica.metric("replays_total", outcome="gap")
    client = await replica.subscribe("all=true", since="0-0", receive_buffer=4096, stalled=True)
    clients.append(client)

    async def counted() -> bool:
        return await replica.metric("replays_total", outcome="gap") == before + 1

    await until(counted, what="the gap of the stalled replay")
    client.close()


async def test_a_long_replay_sends_heartbeats(
    start: StartReplica, chain: Chain, clients: list[SseClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without heartbeats a gateway or headrace.js closes the connection, and each later one too.

    The time in which a replay waits to read is not limited by REPLAY_SECONDS.
    """
    (first, *_, last) = await chain.commit_many(50)
    replica = await start(ring_events=5, sync_seconds=0.5, replay_seconds=0.1)
    await replica.at(last)
    pages, may_read = replica.components.feed.reader, asyncio.Event()
    after = pages.after

    async def slow(*given: Any) -> Any:
        await may_read.wait()
        return await after(*given)

    monkeypatch.setattr(pages, "after", slow)
    client = await replica.subscribe("all=true", since=first)
    clients.append(client)
    for sync in await client.wait(2, "sync"):
        assert (sync.json["position"], sync.own_id) == (None, None)
    assert client.last_id == first
    may_read.set()
    await client.wait_id(last)
    assert len(client.positions) == 49


async def test_a_resume_beyond_the_limit_gets_gap_up_to_the_recent_events(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    positions = await chain.commit_many(200)
    replica = await start(ring_events=20, replay_events=50)
    within = await replica.subscribe("all=true", since=positions[130 - 1])
    beyond = await replica.subscribe("all=true", since=positions[130 - 2])
    clients += [within, beyond]
    for client in clients:
        await client.wait_id(positions[-1])
    assert within.positions == positions[130:]
    assert within.named("gap") == []
    (gap,) = beyond.named("gap")
    assert (gap.json["from"], gap.json["to"]) == (positions[128 + 50], positions[179])
    assert beyond.positions == positions[129:179] + positions[180:]


# ── a feed that is behind the journal ──


@pytest.fixture
async def behind(redis_url: str, start: StartReplica) -> AsyncIterator[tuple[Replica, TcpProxy]]:
    """A replica without channel messages and with rare probes, so its feed stays behind."""
    async with TcpProxy(urlsplit(redis_url).port or 6379) as proxy:
        replica = await start(f"redis://127.0.0.1:{proxy.port}/0", probe_seconds=30, ring_events=10)
        proxy.hold = subscribers
        yield replica, proxy
        proxy.hold = no_link


async def test_a_position_ahead_of_this_replica_resumes_without_loss_or_repeat(
    behind: tuple[Replica, TcpProxy], chain: Chain, clients: list[SseClient]
) -> None:
    replica, proxy = behind
    waiting = await replica.subscribe("all=true")
    positions = await chain.commit_many(40)
    assert await replica.position() == "0-0"
    ahead = await replica.subscribe("all=true", since=positions[29])
    clients += [waiting, ahead]
    await ahead.wait_id(positions[-1])
    assert ahead.positions == positions[30:]
    assert ahead.named("reset") == []
    proxy.hold = no_link
    positions += await chain.commit_many(3)
    for client in clients:
        await client.wait_id(positions[-1])
    assert ahead.positions == positions[30:]
    assert waiting.positions == positions


async def test_a_replay_that_reads_past_the_feed_sends_no_event_twice(
    behind: tuple[Replica, TcpProxy], chain: Chain, clients: list[SseClient]
) -> None:
    replica, proxy = behind
    proxy.hold = no_link
    positions = await chain.commit_many(30)
    await replica.at(positions[-1])
    proxy.hold = subscribers
    positions += await chain.commit_many(30)
    # below the recent events, so it is read from the journal
    client = await replica.subscribe("all=true", since=positions[15])
    clients.append(client)
    await client.wait_id(positions[-1])
    proxy.hold = no_link
    positions += await chain.commit_many(3)
    await client.wait_id(positions[-1])
    assert client.positions == positions[16:]


async def test_an_unavailable_redis_during_a_replay_sends_overload(
    behind: tuple[Replica, TcpProxy], chain: Chain, clients: list[SseClient]
) -> None:
    replica, proxy = behind
    proxy.hold = no_link
    positions = await chain.commit_many(30)
    await replica.at(positions[-1])
    proxy.refusing = True
    proxy.cut()
    client = await replica.subscribe("all=true", since=positions[3])
    clients.append(client)
    await until(client.closed.is_set)
    assert [e.name for e in client.events if e.name != "sync"] == ["message", "overload"]
    assert client.last_id == positions[3]
    assert b"HTTP/1.1" not in client.body
    assert client.parser.faults == []
    assert not client.parser.unfinished


async def test_clients_that_disconnect_during_a_replay_leave_no_state(
    behind: tuple[Replica, TcpProxy], chain: Chain, clients: list[SseClient]
) -> None:
    replica, proxy = behind
    positions = await chain.commit_many(30)
    before = await replica.metric("subscriptions")
    proxy.hold = lambda link: True
    leavers = [await replica.subscribe("all=true", since=positions[0]) for _ in range(10)]
    leavers += [await replica.subscribe("all=true", since=positions[-1]) for _ in range(10)]
    for n, client in enumerate(leavers):
        (client.reset if n % 2 else client.close)()
    proxy.hold = no_link

    async def all_gone() -> bool:
        return await replica.metric("connections") == 0

    await until(all_gone)
    assert await replica.metric("subscriptions") == before == 0

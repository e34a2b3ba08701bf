"""Replays of some topics: what they read, when they have a gap, and that live events come first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from services.fanout.subscribe.turn import Turn
from shared.domain.position import Position
from shared.journal.keys import Keys
from shared.journal.reader import JournalGap
from tests.fanout.journals import restore, snapshot
from tests.fanout.replicas import CAROL, Chain, StartReplica
from tests.fanout.turns import turn
from tests.support.sse_client import SseClient
from tests.support.waiting import until


async def two_streams(chain: Chain, count: int) -> tuple[list[str], list[str]]:
    """Commit this many events of stream 1 and of stream 2, in turn. Returns their positions."""
    events = [chain.event(stream) for _ in range(count) for stream in (1, 2)]
    positions = await chain.commit(*events)
    return positions[::2], positions[1::2]


async def test_a_client_without_events_makes_the_fanout_read_no_entries(
    start: StartReplica,
    chain: Chain,
    clients: list[SseClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    positions = await chain.commit_many(300)
    replica = await start(ring_events=5)
    await replica.at(positions[-1])
    read: list[Any] = []
    journal = replica.components.feed.journal
    at_positions = journal.at

    async def recorded(positions: Any) -> Any:
        read.extend(positions)
        return await at_positions(positions)

    monkeypatch.setattr(journal, "after", None)  # reads all entries
    monkeypatch.setattr(journal, "at", recorded)
    client = await replica.subscribe(f"users={CAROL}", since="0-0")
    clients.append(client)
    (position,) = await chain.commit(chain.event(recipient=CAROL))
    await client.wait_id(position)
    names = [event.name for event in client.events if event.name != "sync"]
    assert names == ["message", "stream.created"]
    assert read == []


async def test_only_missing_entries_of_the_clients_topics_are_a_gap(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    one, two = await two_streams(chain, 20)
    await redis.xdel(keys.journal, two[3], one[6], two[6], one[7], two[12])
    replica = await start(ring_events=5)
    client = await replica.subscribe("streams=1", since=one[0])
    clients.append(client)
    await client.wait_id(one[-1])
    assert client.positions == [*one[1:6], *one[8:]]
    (gap,) = client.named("gap")
    assert (gap.json["from"], gap.json["to"]) == (one[5], one[7])


@pytest.mark.parametrize("query", ["all=true", "streams=7"])
async def test_a_journal_that_a_failover_cut_below_the_recent_events_is_a_gap(  # noqa: PLR0917 - fixtures
    redis: Redis,
    keys: Keys,
    start: StartReplica,
    chain: Chain,
    clients: list[SseClient],
    query: str,
) -> None:
    kept = await chain.commit_many(5)
    saved = await snapshot(redis, keys)
    lost = await chain.commit_many(10)
    replica = await start(ring_events=3, probe_seconds=30)
    await replica.at(lost[-1])
    await restore(redis, keys, saved)
    client = await replica.subscribe(query, since=kept[0])
    clients.append(client)
    await client.wait_id(lost[-1])
    (gap,) = client.named("gap")
    assert (gap.json["from"], gap.json["to"]) == (kept[-1], lost[-4])
    assert client.positions == kept[1:] + lost[-3:]


async def test_a_client_that_reads_too_slowly_gets_a_gap(
    start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    positions = await chain.commit_many(400, padding=15_000)
    replica = await start(ring_events=5, backlog_bytes=20_000, replay_seconds=0.001)
    await replica.at(positions[-1])
    client = await replica.subscribe("all=true", since="0-0", receive_buffer=4096, stalled=True)
    clients.append(client)
    registry = replica.components.registry
    await until(lambda: any(each.backlog for each in registry.everyone()))
    await replica.ready()  # a request needs more than a millisecond
    client.resume()
    await client.wait_id(positions[-1])
    (gap,) = client.named("gap")
    assert gap.json["to"] == positions[-6]


async def test_one_coroutine_works_in_each_iteration_of_the_event_loop() -> None:
    shared, worked = Turn(), list[int]()

    async def work(n: int) -> None:
        async with shared:
            worked.append(n)

    tasks = [asyncio.create_task(work(n)) for n in range(5)]
    most = 0
    while len(worked) < 5:
        before = len(worked)
        await turn()
        most = max(most, len(worked) - before)
    assert most == 1
    assert worked == [*range(5)], "in the order in which they came"
    await asyncio.gather(*tasks)


async def test_a_turn_ends_when_its_work_fails_or_is_cancelled() -> None:
    shared = Turn()

    async def fail() -> None:
        async with shared:
            raise ValueError("failed")

    async def wait() -> None:
        async with shared:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await turn()
    other = asyncio.create_task(fail())
    task.cancel()
    await until(other.done)
    with pytest.raises(ValueError, match="failed"):
        await other
    async with shared:
        pass


async def test_gaps_without_an_end_become_one(
    start: StartReplica, chain: Chain, clients: list[SseClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end that is trimmed, each read can find that more was trimmed."""
    positions = await chain.commit_many(50)
    replica = await start(ring_events=5)
    await replica.at(positions[-1])

    async def trimmed_again(position: Position, _: int) -> JournalGap:
        return JournalGap(Position(position.toid, position.n + 1))

    monkeypatch.setattr(replica.components.feed.reader, "after", trimmed_again)
    client = await replica.subscribe("all=true", since="0-0")
    clients.append(client)
    await client.wait_id(positions[-1])
    assert [event.name for event in client.events].count("gap") == 11
    assert client.positions == positions[-5:]

"""Clients that received a lost event get reset. Restored events are sent once."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.fanout.journals import begin, journal, restore, snapshot
from tests.fanout.replicas import Chain, StartReplica, api_commit
from tests.support.sse_client import SseClient


async def test_only_clients_that_received_a_lost_event_get_reset(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=0.1)
    positions = await chain.commit_many(3)
    saved = await snapshot(redis, keys)
    receiver = await replica.subscribe("streams=7")
    resumed = await replica.subscribe("all=true", since=positions[0])
    other = await replica.subscribe("streams=8")
    filtered = await replica.subscribe("streams=7&types=stream.created")
    lost = await api_commit(Committer(redis, keys))
    for client in (receiver, resumed):
        await client.wait_id(lost)
    later = await replica.subscribe("streams=7")
    clients += [receiver, resumed, other, filtered, later]
    before = chain.event()
    await chain.commit(before)
    await resumed.wait_id(str(before.position))
    await restore(redis, keys, saved)
    # the replica has noticed the loss; the chain's event is not restored yet
    await replica.at(positions[-1])
    joined = await replica.subscribe("streams=7")
    clients.append(joined)
    assert not any(client.named("reset") for client in clients), (
        "the chain's event is not restored yet"
    )
    restored = Chain(redis, keys)
    restored.ledger = chain.ledger
    await restored.commit(before)
    (reset,) = await receiver.wait(1, "reset")
    assert "failover" in reset.json["reason"]
    assert reset.own_id == reset.json["position"] == str(before.position)
    await resumed.wait(1, "reset")
    (new,) = await restored.commit()
    for client in clients:
        if client is not other:
            await client.wait_id(new)
    assert [len(c.named("reset")) for c in clients] == [1, 1, 0, 0, 0, 0]
    assert receiver.positions == [lost, str(before.position), new]
    assert await replica.metric_of("headrace_losses_total", what="event") >= 1


async def test_on_a_quiet_chain_the_cursor_shows_that_the_loss_is_over(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=0.1, sync_seconds=0.25)
    client = await replica.subscribe("all=true")
    clients.append(client)
    (position,) = await chain.commit()
    saved = await snapshot(redis, keys)
    lost = await api_commit(Committer(redis, keys))
    await client.wait_id(lost)
    await restore(redis, keys, saved)  # the restored cursor covers every event of the chain
    (reset,) = await client.wait(1, "reset")
    assert reset.json["position"] == position
    syncs = len(client.named("sync"))
    (*_, late) = await client.wait(syncs + 2, "sync")
    assert late.json["position"] == position, "the loss is over"


async def test_a_resume_from_a_lost_event_gets_reset(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    chain.ledger = 5
    (kept,) = await chain.commit()
    saved = await snapshot(redis, keys)
    lost = await api_commit(Committer(redis, keys))
    await restore(redis, keys, saved)
    new = await chain.commit_many(3)
    for recent, query in ((100, "all=true"), (1, "all=true"), (1, "streams=7")):
        replica = await start(ring_events=recent)
        client = await replica.subscribe(query, since=lost)
        clients.append(client)
        (reset,) = await client.wait(1, "reset")
        assert "failover" in reset.json["reason"]
        assert reset.own_id == reset.json["position"] == kept
        await client.wait_id(new[-1])
        assert client.positions == new, "later events are not omitted"
        between = str(Position(parse_position(new[0]).toid, 7))  # this position never existed
        client = await replica.subscribe(query, since=between)
        clients.append(client)
        await client.wait_id(new[-1])
        assert client.positions == new[1:]
        assert not client.named("reset")


async def test_a_resume_from_before_the_start_of_the_journal_gets_gap(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """Redis lost all data, the loss reports included; reading starts at the current ledger."""
    began = await begin(chain.committer, 9 << 32, 2)
    replica = await start(probe_seconds=0.1)
    old = str(Position(7 << 32 | 4096, 0))
    empty = await replica.subscribe("all=true", since=old)
    first = await replica.subscribe("all=true", since="0-0")
    clients += [empty, first]
    (gap,) = await empty.wait(1, "gap")
    assert gap.json["to"] == gap.own_id == str(began)
    written = await api_commit(Committer(redis, keys))
    [entry] = await journal(redis, keys)
    assert entry.previous == str(began), "also when the API writes the first entry"
    for recent, query in ((100, "all=true"), (1, "all=true"), (1, "streams=7")):
        other = await start(ring_events=recent)
        for client in (empty, first, await other.subscribe(query, since=old)):
            clients.append(client)
            await client.wait_id(written)
        assert [e.name for e in client.events if e.name != "sync"][:2] == ["message", "gap"]
        again = await other.subscribe(query, since="0-0")
        clients.append(again)
        await again.wait_id(written)
        assert not again.named("gap"), "a resume from 0-0 asks for all existing events"
    assert not first.named("gap")

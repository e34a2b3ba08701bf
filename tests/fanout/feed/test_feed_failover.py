"""After a failover that lost writes, each client gets each event exactly once."""

from __future__ import annotations

from redis.asyncio import Redis
from structlog.testing import capture_logs

from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.fanout.journals import journal, restore, snapshot
from tests.fanout.replicas import Chain, StartReplica, api_commit
from tests.support.sse_client import SseClient
from tests.support.waiting import until


async def test_a_lost_event_that_the_indexer_restores_is_sent_once(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=0.1)
    before = await replica.subscribe("all=true")
    positions = await chain.commit_many(5)
    saved = await snapshot(redis, keys)
    events = [chain.event() for _ in range(4)]
    lost = await chain.commit(*events)
    await before.wait_id(lost[-1])
    await restore(redis, keys, saved)
    await replica.at(positions[-1])  # the replica has noticed the loss
    since = await replica.subscribe("all=true")
    resumed = await replica.subscribe("all=true", since=positions[1])
    clients += [before, since, resumed]
    restored = Chain(redis, keys)
    restored.ledger = chain.ledger
    assert await restored.commit(*events) == lost
    new = await restored.commit_many(3)
    for client in clients:
        await client.wait_id(new[-1])
        assert not client.closed.is_set()
    assert before.positions == positions + lost + new
    assert since.positions == lost + new
    assert resumed.positions == positions[2:] + lost + new
    afterwards = await replica.subscribe("all=true", since=positions[0])
    clients.append(afterwards)
    await afterwards.wait_id(new[-1])
    assert afterwards.positions == positions[1:] + lost + new


async def test_after_two_failovers_each_client_has_each_event_once(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=0.1)
    positions = await chain.commit_many(3)
    saved = await snapshot(redis, keys)
    events = [chain.event() for _ in range(4)]
    clients.append(await replica.subscribe("all=true", since="0-0"))
    await chain.commit(*events)
    await clients[0].wait_id(str(events[-1].position))
    for some in (events[:2], events[:3], events):
        await restore(redis, keys, saved)
        await replica.at(positions[-1])
        clients.append(await replica.subscribe("all=true", since="0-0"))
        returned = Chain(redis, keys)
        returned.ledger = chain.ledger
        await returned.commit(*some)
        await clients[-1].wait_id(str(some[-1].position))
    new = await returned.commit_many(2)
    for client in clients:
        await client.wait_id(new[-1])
        assert client.positions == [e.position for e in await journal(redis, keys)]


async def test_an_api_event_after_a_failover_that_lost_api_events_is_sent(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """Its position is above every published one, but its predecessor is far below the feed."""
    replica = await start(probe_seconds=300)  # the message arrives before any probe
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await chain.commit_many(3)
    saved = await snapshot(redis, keys)
    api = Committer(redis, keys)
    positions += [await api_commit(api), await api_commit(api)]
    await client.wait_id(positions[-1])
    await restore(redis, keys, saved)
    positions.append(await api_commit(api))
    assert [e.position for e in await journal(redis, keys)] == positions[:3] + positions[5:]
    await client.wait_id(positions[-1])
    assert client.positions == positions
    more = await chain.commit_many(2)
    await client.wait_id(more[-1])
    assert client.positions == positions + more


async def test_an_api_event_below_the_published_position_is_sent(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """An API without the lost events writes below them. Clients must still get this event."""
    replica = await start(probe_seconds=300)
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await chain.commit_many(3)
    saved = await snapshot(redis, keys)
    events = [chain.event() for _ in range(4)]
    lost = await chain.commit(*events)
    await client.wait_id(lost[-1])
    await restore(redis, keys, saved)
    below = await api_commit(Committer(redis, keys))
    assert positions[-1] < below < lost[0]
    await client.wait_id(below)
    returned = Chain(redis, keys)
    returned.ledger = chain.ledger
    await returned.commit(*events)
    new = await returned.commit_many(2)
    await client.wait_id(new[-1])
    assert client.positions == positions + lost + [below] + new
    again = await replica.subscribe("all=true", since=positions[-1])
    clients.append(again)
    await again.wait_id(new[-1])
    assert again.positions == [below, *lost, *new]


async def test_a_new_journal_after_a_loss_is_followed(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=0.1, ring_events=3)
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await chain.commit_many(10)
    await client.wait_id(positions[-1])
    await restore(redis, keys, {})
    await replica.at("0-0")
    fresh = Chain(redis, keys)
    # in the same low ledgers as the first journal
    low = await fresh.commit(fresh.event(), fresh.event())
    assert low == positions[:2]
    fresh.ledger = chain.ledger
    new = await fresh.commit_many(3)
    await client.wait_id(new[-1])
    assert client.positions[-3:] == new


async def test_sync_has_no_position_while_events_are_missing(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """A client that resumes from a lower position would get events again, without a reset."""
    replica = await start(probe_seconds=0.1, sync_seconds=0.25)
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await chain.commit_many(2)
    saved = await snapshot(redis, keys)
    lost = await chain.commit_many(2)
    await client.wait_id(lost[-1])
    await restore(redis, keys, saved)
    await replica.at(positions[-1])  # the replica has noticed the loss
    seen = len(client.named("sync"))
    (*_, late) = await client.wait(seen + 3, "sync")
    assert (late.json["position"], late.own_id) == (None, None)
    assert late.id == lost[-1], "where an EventSource would resume"
    new = await chain.commit_many(1)
    await client.wait_id(new[-1])
    syncs = len(client.named("sync"))
    (*_, late) = await client.wait(syncs + 2, "sync")
    assert late.own_id == late.json["position"] == new[-1]


async def test_lost_events_are_logged_in_one_line(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain
) -> None:
    replica = await start(probe_seconds=0.1)
    committer = Committer(redis, keys)
    await chain.commit_many(1)
    saved = await snapshot(redis, keys)
    lost = [await api_commit(committer) for _ in range(5)]
    await replica.at(lost[-1])
    with capture_logs() as logs:
        await restore(redis, keys, saved)
        await until(lambda: any(each["event"] == "events_lost" for each in logs))
    [line] = [each for each in logs if each["event"] == "events_lost"]
    assert (line["count"], line["first"], line["last"]) == (5, lost[0], lost[-1])


async def test_a_lost_event_below_a_restored_event_gets_reset(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """The indexer restores the top entry before the replica probes, so the top looks unchanged."""
    positions = await chain.commit_many(2)
    before, event = await snapshot(redis, keys), chain.event()
    await Chain(redis, keys).commit(event)
    await redis.hset(keys.progress, "server", "the replica")
    after = await snapshot(redis, keys)
    await restore(redis, keys, before)
    replica = await start(probe_seconds=0.1)
    clients.append(receiver := await replica.subscribe("all=true"))
    lost = await api_commit(Committer(redis, keys))
    (top,) = await Chain(redis, keys).commit(event)
    await receiver.wait_id(top)
    await restore(redis, keys, after)
    await receiver.wait(1, "reset")
    assert receiver.positions == [lost, top], "events that the journal still has are not sent again"
    for since in (positions[0], lost):
        clients.append(client := await replica.subscribe("all=true", since=since))
        await client.wait_id(top)
        assert lost not in client.positions
        assert bool(client.named("reset")) == (since == lost)
    (new,) = await chain.commit()
    for client in clients:
        await client.wait_id(new)
        assert client.positions.count(top) == 1

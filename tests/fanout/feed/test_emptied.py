"""Redis was emptied: the chain's events are read again, and clients get one reset."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.domain.position import parse_position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.losses import LossReport, read_reports
from tests.fanout.journals import announce_loss, begin, restore
from tests.fanout.replicas import Chain, Replica, StartReplica, api_commit, position_of
from tests.support.sse_client import SseClient
from tests.support.waiting import until


async def test_after_redis_was_emptied_no_event_is_sent_twice(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=0.1, ring_events=3)
    began = await begin(chain.committer, 1 << 32, 1)
    await replica.at(began)
    client = await replica.subscribe("all=true")
    clients.append(client)
    chain.ledger = 1
    events = [chain.event() for _ in range(8)]
    await chain.commit(*events)
    positions = [str(e.position) for e in events]
    lost = await api_commit(Committer(redis, keys))
    await client.wait_id(lost)

    def has_read_all() -> bool:
        tip = replica.components.feed.tip
        return tip is not None and tip.cursor == position_of(events[-1]).toid

    await until(has_read_all)
    await restore(redis, keys, {})

    async def reported() -> list[LossReport]:
        return await read_reports(redis, keys)

    (report,) = await until(reported)
    assert (str(report.top), report.cursor) == (lost, position_of(events[-1]).toid)

    async def is_in_readyz() -> bool:
        return '"lost":"Redis was emptied' in (await replica.get("/readyz"))[1]

    await until(is_in_readyz)
    assert await replica.metric_of("headrace_losses_total", what="everything") >= 1
    await replica.at(lost)  # the feed waits: the next journal may be the same one, restored
    between = await replica.subscribe("all=true")
    again = Chain(redis, keys)
    again.ledger = chain.ledger
    await begin(again.committer, 1 << 32, 2)
    missed = again.event()
    await again.commit(*events, missed)
    clients.append(between)
    await client.wait_id(str(missed.position))
    await between.wait_id(str(missed.position))
    assert client.positions == [*positions, lost, str(missed.position)]
    assert between.positions == [str(missed.position)], "it joined after the others"
    position = await announce_loss(again.committer, position_of(missed).toid, 3)
    for each in (client, between):
        (frame,) = await each.wait(1, "reset")
        assert frame.own_id == frame.json["position"] == str(position)
    (new,) = await again.commit()
    await client.wait_id(new)
    assert len(client.named("reset")) == 1
    assert not client.named("gap")
    feed = replica.components.feed
    await until(lambda: not feed.failover.last_seen.lost)
    late = await replica.subscribe("streams=9", since=lost)
    clients.append(late)
    await late.wait(1, "reset")


async def test_a_new_journal_that_is_still_empty_is_no_gap(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """It begins above what was lost, if the source has no older ledger."""
    replica = await start(probe_seconds=0.1)
    await begin(chain.committer, 1 << 32, 1)
    client = await replica.subscribe("all=true")
    clients.append(client)
    chain.ledger = 1
    positions = await chain.commit_many(3)
    await client.wait_id(positions[-1])
    feed = replica.components.feed
    await until(lambda: feed.failover.last_seen.top == parse_position(positions[-1]))
    await restore(redis, keys, {})
    await until(lambda: feed.failover.last_seen.lost)
    again = Chain(redis, keys)
    again.ledger = chain.ledger
    cursor = again.ledger << 32 | 9 << 12
    await replica.at(await begin(again.committer, cursor, 2))
    await announce_loss(again.committer, cursor, 3)
    await client.wait(1, "reset")
    (new,) = await again.commit()
    await client.wait_id(new)
    assert client.positions == [*positions, new]
    assert len(client.named("reset")) == 1
    assert not client.named("gap")


async def test_a_loss_that_ended_before_the_check_is_not_announced_again(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """Between two probes the replica published all of the next journal, journal.reset included."""
    replica = await start(probe_seconds=300)  # the test itself probes
    await begin(chain.committer, 1 << 32, 1)
    client = await replica.subscribe("all=true")
    clients.append(client)
    chain.ledger = 1
    events = [chain.event() for _ in range(3)]
    await chain.commit(*events)
    await client.wait_id(str(events[-1].position))
    await probe(replica)
    last_seen = replica.components.feed.failover.last_seen
    began = last_seen.began
    assert began
    await restore(redis, keys, {})
    again = Chain(redis, keys)
    again.ledger = chain.ledger
    now = await begin(again.committer, 1 << 32, 2)
    await again.commit(*events)
    await announce_loss(again.committer, position_of(events[-1]).toid, 3)
    await client.wait(1, "reset")
    (new,) = await again.commit()
    await client.wait_id(new)
    assert last_seen.began == began, "the feed has not probed yet"
    await probe(replica)
    assert (last_seen.began, last_seen.lost) == (now, False)
    assert not await read_reports(redis, keys)
    assert await replica.metric_of("headrace_losses_total", what="everything") >= 1


async def probe(replica: Replica) -> None:
    """Do what the feed does every PROBE_SECONDS."""
    feed = replica.components.feed
    await feed._check_tip()
    await feed.failover.report()

"""Which clients are informed of a loss without an indexer, and of missing entries in a journal."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.domain.position import parse_position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.fanout.journals import begin, journal, restore
from tests.fanout.replicas import ALICE, CAROL, Chain, StartReplica, api_commit
from tests.support.sse_client import SseClient


async def test_without_an_indexer_all_clients_get_reset_at_once(
    redis: Redis, keys: Keys, start: StartReplica, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=0.1)
    client = await replica.subscribe(f"users={ALICE}")
    clients.append(client)
    lost = await api_commit(Committer(redis, keys))
    await replica.at(lost)
    await restore(redis, keys, {})
    (reset,) = await client.wait(1, "reset")
    assert reset.json == {"position": "0-0", "reason": "Redis lost everything"}
    new = await api_commit(Committer(redis, keys))
    other = await replica.subscribe("all=true", since="0-0")
    clients.append(other)
    await other.wait_id(new)


async def test_a_chain_gap_inside_a_page_is_sent_as_gap(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    positions = await chain.commit_many(9)
    live = await start(probe_seconds=0.1)
    connected = await live.subscribe("all=true", since=positions[0])
    clients.append(connected)
    await connected.wait_id(positions[-1])
    await redis.xdel(keys.journal, positions[3], positions[4])
    small = await start(ring_events=2)
    fresh = await start()  # reads the existing entries into its recent events
    for replica in (small, fresh):
        client = await replica.subscribe("all=true", since=positions[0])
        beyond = await replica.subscribe("all=true", since=positions[5])
        clients += [client, beyond]
        await client.wait_id(positions[-1])
        (gap,) = client.named("gap")
        assert (gap.json["from"], gap.json["to"]) == (positions[2], positions[4])
        assert client.positions == [*positions[1:3], *positions[5:]]
        await beyond.wait_id(positions[-1])
        assert not beyond.named("gap")
    held = await live.subscribe("all=true", since=positions[0])
    clients.append(held)
    await held.wait_id(positions[-1])
    assert held.positions == positions[1:], "the recent events still contain the deleted entries"
    (new,) = await chain.commit(chain.event(9, CAROL))
    await connected.wait_id(new)
    assert not connected.named("gap")
    assert await small.metric_of("headrace_losses_total", what="entry") >= 1


async def test_a_resume_after_only_the_journal_was_deleted_gets_gap(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    """An event is committed right after the deletion, so no service sees an empty journal."""
    old = [str(await begin(chain.committer, 1 << 32, 2)), *await chain.commit_many(4)]
    await redis.delete(keys.journal)
    (new,) = await chain.commit(chain.event(9, CAROL))
    [entry] = await journal(redis, keys)
    missing = parse_position(entry.previous)
    assert parse_position(old[-1]) < missing < parse_position(new)
    replica = await start()
    for since in ("0-0", *old):
        client = await replica.subscribe("all=true", since=since)
        clients.append(client)
        await client.wait_id(new)
        (gap,) = client.named("gap")
        assert (gap.json["from"], gap.json["to"]) == (since, str(missing))

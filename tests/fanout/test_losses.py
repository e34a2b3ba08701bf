"""What Redis loses for good is told to those who had it, and what comes back comes once."""

from __future__ import annotations

from shared.commit import Committer
from shared.events import Event, EventType
from shared.losses import reports
from shared.positions import Position, beginning, parse_position
from tests.fanout.rig import ALICE, CAROL, Chain, api_commit, journal, restore, snapshot
from tests.support.waiting import until


async def begin(committer: Committer, cursor: int, clock: int) -> Position:
    """What the indexer writes where a journal begins; `clock` are microseconds."""
    began = beginning(cursor, clock << 40)
    await committer.record([], progress={"cursor": str(cursor), "began": str(began)})
    return began


async def test_who_was_told_an_event_that_a_failover_lost_gets_a_reset_and_nobody_else(
    redis, keys, start, chain, clients
):
    replica = await start(probe_seconds=0.1)
    positions = await chain.commit_many(3)
    saved = await snapshot(redis, keys)
    told = await replica.subscribe("streams=7")
    resumed = await replica.subscribe("all=true", since=positions[0])
    other = await replica.subscribe("streams=8")
    filtered = await replica.subscribe("streams=7&types=stream.created")
    lost = await api_commit(Committer(redis, keys))
    for client in (told, resumed):
        await client.wait_id(lost)
    later = await replica.subscribe("streams=7")
    clients += [told, resumed, other, filtered, later]
    before = chain.event()
    await chain.commit(before)
    await resumed.wait_id(str(before.position))
    await restore(redis, keys, saved)
    await replica.at(positions[-1])  # noticed; the chain is behind what was published
    joined = await replica.subscribe("streams=7")
    clients.append(joined)
    assert not any(client.named("reset") for client in clients), "the chain is not back yet"
    brought_back = Chain(redis, keys)
    brought_back.ledger = chain.ledger
    await brought_back.commit(before)
    (reset,) = await told.wait(1, "reset")
    assert "failover" in reset.json["reason"]
    assert reset.own_id == reset.json["position"] == str(before.position)
    await resumed.wait(1, "reset")
    (new,) = await brought_back.commit()
    for client in clients:
        if client is not other:
            await client.wait_id(new)
    assert [len(c.named("reset")) for c in clients] == [1, 1, 0, 0, 0, 0]
    assert told.positions == [lost, str(before.position), new]
    assert await replica.metric_of("headrace_losses_total", what="event") >= 1


async def test_on_a_quiet_chain_the_cursor_tells_that_all_is_back(
    redis, keys, start, chain, clients
):
    replica = await start(probe_seconds=0.1, sync_seconds=0.25)
    client = await replica.subscribe("all=true")
    clients.append(client)
    (position,) = await chain.commit()
    saved = await snapshot(redis, keys)
    lost = await api_commit(Committer(redis, keys))
    await client.wait_id(lost)
    await restore(redis, keys, saved)  # its cursor has passed all that the chain had
    (reset,) = await client.wait(1, "reset")
    assert reset.json["position"] == position
    syncs = len(client.named("sync"))
    (*_, late) = await client.wait(syncs + 2, "sync")
    assert late.json["position"] == position, "nothing is awaited any more"


async def test_who_resumes_from_an_event_that_was_lost_gets_a_reset(
    redis, keys, start, chain, clients
):
    chain.ledger = 5
    (kept,) = await chain.commit()
    saved = await snapshot(redis, keys)
    lost = await api_commit(Committer(redis, keys))
    await restore(redis, keys, saved)
    new = await chain.commit_many(3)
    for ring in (100, 1):
        replica = await start(ring_events=ring)
        client = await replica.subscribe("all=true", since=lost)
        clients.append(client)
        (reset,) = await client.wait(1, "reset")
        assert "failover" in reset.json["reason"]
        assert reset.own_id == reset.json["position"] == kept
        await client.wait_id(new[-1])
        assert client.positions == new, "what came since is not left out"
        between = str(Position(parse_position(new[0]).toid, 7))  # the chain never had it
        client = await replica.subscribe("all=true", since=between)
        clients.append(client)
        await client.wait_id(new[-1])
        assert client.positions == new[1:]
        assert not client.named("reset")


async def test_an_emptied_redis_is_noticed_and_nothing_comes_twice(
    redis, keys, start, chain, clients
):
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
    await until(lambda: replica.parts.feed.head.cursor == events[-1].position.toid)
    await restore(redis, keys, {})

    async def reported():
        return await reports(redis, keys)

    (report,) = await until(reported)
    assert (str(report.top), report.cursor) == (lost, events[-1].position.toid)

    async def noted():
        return '"lost":"Redis was emptied' in (await replica.get("/readyz"))[1]

    await until(noted)
    assert await replica.metric_of("headrace_losses_total", what="everything") >= 1
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
    assert between.positions == [*positions, str(missed.position)]
    place = beginning(missed.position.toid, 3 << 40)
    facts = {"position": str(place), "reason": "lost"}
    reset = Event(EventType.JOURNAL_RESET, None, 100, facts, place)
    await again.committer.record([reset], progress={"told": str(place)})
    for each in (client, between):
        (told,) = await each.wait(1, "reset")
        assert told.own_id == told.json["position"] == str(place)
    (new,) = await again.commit()
    await client.wait_id(new)
    assert len(client.named("reset")) == 1
    assert not client.named("gap")
    feed = replica.parts.feed
    await until(lambda: not feed.failover.memory.lost)
    late = await replica.subscribe("streams=9", since=lost)
    clients.append(late)
    await late.wait(1, "reset")


async def test_who_comes_back_to_a_journal_that_began_later_gets_a_gap(
    redis, keys, start, chain, clients
):
    """Nobody knew anything: all was started anew, and reading begins at the chain's end."""
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
    assert entry.previous == str(began), "also when the API is the first"
    for ring in (100, 1):
        other = await start(ring_events=ring)
        for client in (empty, first, await other.subscribe("all=true", since=old)):
            clients.append(client)
            await client.wait_id(written)
        assert [e.name for e in client.events[:2]] == ["message", "gap"]
        again = await other.subscribe("all=true", since="0-0")
        clients.append(again)
        await again.wait_id(written)
        assert not again.named("gap"), "it asked for all that there is"
    assert not first.named("gap")


async def test_without_an_indexer_everyone_connected_is_told_at_once(redis, keys, start, clients):
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


async def test_a_hole_inside_a_page_is_a_gap_for_who_reads_across_it(
    redis, keys, start, chain, clients
):
    positions = await chain.commit_many(9)
    live = await start(probe_seconds=0.1)
    connected = await live.subscribe("all=true", since=positions[0])
    clients.append(connected)
    await connected.wait_id(positions[-1])
    await redis.xdel(keys.journal, positions[3], positions[4])
    small = await start(ring_events=2)
    fresh = await start()  # reads what is there into its ring
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
    assert held.positions == positions[1:], "the ring still has it"
    (new,) = await chain.commit(chain.event(9, CAROL))
    await connected.wait_id(new)
    assert not connected.named("gap")
    assert await small.metric_of("headrace_losses_total", what="entry") >= 1


async def test_who_comes_back_to_a_journal_that_was_deleted_alone_gets_a_gap(
    redis, keys, start, chain, clients
):
    """Something is written at once, so no service sees it empty."""
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

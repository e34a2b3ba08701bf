"""A loss of everything that was over before a fanout looked is told once."""

from __future__ import annotations

from shared.events import Event, EventType
from shared.losses import reports
from shared.positions import Position, beginning
from tests.fanout.rig import Chain, restore
from tests.fanout.test_losses import begin
from tests.support.waiting import until


async def test_a_loss_that_was_over_before_the_fanout_looked_is_not_told_again(
    redis, keys, start, chain, clients
):
    """It published the next journal, the event that tells everyone included, between two looks."""
    replica = await start(probe_seconds=3)
    await begin(chain.committer, 1 << 32, 1)
    client = await replica.subscribe("all=true")
    clients.append(client)
    chain.ledger = 1
    events = [chain.event() for _ in range(3)]
    await chain.commit(*events)
    await client.wait_id(str(events[-1].position))
    began = await replica_began(replica)
    await restore(redis, keys, {})
    again = Chain(redis, keys)
    again.ledger = chain.ledger
    now = await begin(again.committer, 1 << 32, 2)
    await again.commit(*events)
    place = beginning(events[-1].position.toid, 3 << 40)
    facts = {"position": str(place), "reason": "lost"}
    reset = Event(EventType.JOURNAL_RESET, None, 100, facts, place)
    await again.committer.record([reset], progress={"told": str(place)})
    await client.wait(1, "reset")
    (new,) = await again.commit()
    await client.wait_id(new)
    memory = replica.parts.feed.failover.memory
    assert memory.began == began, "it has not looked yet"
    await until(lambda: memory.began == now, what="the next look")
    assert not memory.lost
    assert not await reports(redis, keys)
    assert await replica.metric_of("headrace_losses_total", what="everything") >= 1


async def replica_began(replica) -> Position:
    """Once it has looked at the journal's beginning."""
    memory = replica.parts.feed.failover.memory
    return await until(lambda: memory.began)

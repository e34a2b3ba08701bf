"""Gaps and resets: as errors, after which the same loop can go on, or as calls."""

from __future__ import annotations

import pytest
from headrace_client import Event, FileCursor, GapError, ResetError
from redis.asyncio import Redis

from shared.domain.events import Event as JournalEvent
from shared.domain.events import EventType
from shared.domain.position import Position, toid
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from tests.clients.packages.python.conftest import Connect
from tests.clients.packages.python.reader import Reader
from tests.fanout.replicas import CAROL, Chain, StartReplica

ABOVE = "9000000000000000-1"


@pytest.fixture
def chain(redis: Redis, keys: Keys) -> Chain:
    """A chain whose journal keeps few events."""
    return Chain(redis, keys, retention=Retention(max_length=10))


async def test_a_gap_is_an_error_and_the_loop_can_go_on(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    sent = await chain.commit_many(500)
    replica = await start(ring_events=5)
    stream = connect(replica.port).events(all=True, since=sent[0])
    with pytest.raises(GapError) as caught:
        await anext(stream)
    gap = caught.value
    assert (gap.after, gap.at_source) == (sent[0], False)
    assert stream.position == gap.position == gap.to
    left = sent[sent.index(gap.to) + 1 :]
    assert left
    assert [(await anext(stream)).id for _ in left] == left


async def test_gap_and_reset_as_calls(start: StartReplica, connect: Connect, chain: Chain) -> None:
    sent = await chain.commit_many(500)
    replica = await start(ring_events=5)
    told: list[GapError | ResetError] = []

    async def reload(reset: ResetError) -> None:
        told.append(reset)

    options = {"all": True, "on_gap": told.append, "on_reset": reload}
    async with Reader(connect(replica.port), since=sent[0], **options) as reader:
        await reader.has(sent[-1])
        (gap,) = told
        assert isinstance(gap, GapError)
        assert reader.ids == sent[sent.index(gap.to) + 1 :]
    told.clear()
    async with Reader(connect(replica.port), since=ABOVE, **options) as reader:
        await reader.live()
        await reader.passed(sent[-1])
        (reset,) = told
        assert isinstance(reset, ResetError)
        assert "above the end of the journal" in reset.reason
        more = await chain.commit_many(2)
        await reader.has(more[-1])
        assert reader.ids == more


async def test_a_gap_of_the_chain(start: StartReplica, connect: Connect, chain: Chain) -> None:
    replica = await start()
    async with Reader(connect(replica.port), users=[CAROL]) as reader:
        await reader.live()
        chain.ledger = 9
        facts = {"from": "5-0", "to": "9-0", "historyUrl": "/v1/events"}
        event = JournalEvent(EventType.CHAIN_GAP, None, 100, facts, Position(toid(9, 1), 0))
        (position,) = await chain.commit(event)
        gap = await reader.failed()
        assert isinstance(gap, GapError)
        assert (gap.after, gap.to, gap.at_source) == ("5-0", "9-0", True)
        assert gap.position == position


async def test_a_loss_is_told_until_it_was_handled(
    start: StartReplica, connect: Connect, chain: Chain, tmp_path: object
) -> None:
    sent = await chain.commit_many(500)
    replica = await start(ring_events=5)
    cursor = FileCursor(f"{tmp_path}/cursor", durable=False)
    await cursor.save(sent[0])
    client = connect(replica.port)

    def fail(gap: GapError) -> None:
        raise RuntimeError("the database is away")

    failing = client.events(all=True, cursor=cursor, on_gap=fail)
    for _ in range(2):  # the same loop again: a new connection brings the gap again
        with pytest.raises(RuntimeError):
            await anext(failing)
    stream = client.events(all=True, cursor=cursor)  # another run of the program
    with pytest.raises(GapError) as caught:
        await anext(stream)
    assert await cursor.load() == sent[0]
    event: Event = await anext(stream)  # asks for the next one: the gap was handled
    assert await cursor.load() == caught.value.position
    assert event.id == sent[sent.index(caught.value.to) + 1]
    await failing.aclose()
    await stream.aclose()

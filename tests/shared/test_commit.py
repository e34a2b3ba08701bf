"""The commit: atomic, deduplicating, fenced, versioned; and the journal it leaves behind."""

from __future__ import annotations

import orjson
import pytest

from shared import commands
from shared.commit import Committer, Disorder, Fenced
from shared.events import Event, EventType, Provenance
from shared.journal import Events, Journal
from shared.positions import Position, toid

PROVENANCE = Provenance("C1", 7, "2026-07-21T18:01:10Z", "ab" * 32, True)


def created(stream_id: str, position: Position, **more) -> Event:
    event = commands.create(
        stream_id=stream_id, sender="GA", recipient="GB", token="C2", rate=5, deposited=1000,
        start_time=100, now=100, **more,
    )[0]  # fmt: skip
    return Event(event.type, event.stream_id, 100, event.facts, position, PROVENANCE)


async def test_a_chain_event_is_in_the_journal_with_state_topics_and_progress(redis, keys):
    position = Position(toid(7, 1), 0)
    committer = Committer(redis, keys)
    done = await committer.record([created("1", position)], progress={"cursor": "9", "ledger": "7"})
    assert done.positions == [position]
    page = await Journal(redis, keys).after(Position(0, 0))
    assert isinstance(page, Events)
    (entry,) = page.entries
    body = orjson.loads(entry.body)
    assert (entry.type, entry.topics) == ("stream.created", ("1", "user:GA", "user:GB"))
    assert body["id"] == body["stream"]["position"] == str(position) == entry.position
    assert body["stream"]["version"] == 1
    stream = (await committer.load(["1"]))["1"]
    assert stream.position == str(position)
    assert await redis.hgetall(keys.progress) == {b"cursor": b"9", b"ledger": b"7"}


async def test_a_replayed_event_is_left_out_and_an_absent_one_is_loud(redis, keys):
    committer = Committer(redis, keys)
    events = [created(str(n), Position(toid(7, n), 0)) for n in (1, 3)]
    await committer.record(events, progress={})
    again = await committer.record([*events, created("4", Position(toid(7, 4), 0))], progress={})
    assert (again.seen, len(again.positions)) == (2, 1)
    with pytest.raises(Disorder):
        await committer.record([created("2", Position(toid(7, 2), 0))], progress={})


async def test_a_fenced_indexer_writes_nothing(redis, keys):
    await redis.set(keys.fence, "another")
    with pytest.raises(Fenced, match="another"):
        await Committer(redis, keys, token="me").record([], progress={"cursor": "1"})
    assert not await redis.exists(keys.progress)


async def test_api_events_take_positions_above_the_top_and_below_the_next_operation(redis, keys):
    chain = Committer(redis, keys)
    await chain.record([created("1", Position(toid(7, 1), 0))], progress={})
    api = Committer(redis, keys)
    done = await api.change(
        ["api-1"],
        lambda _: [
            Event(EventType.STREAM_CREATED, "api-1", 100, created("x", Position(1, 0)).facts)
        ],
    )
    (position,) = done.positions
    assert position.toid == toid(7, 1)
    assert position.n > 1_700_000_000_000_000
    later = await chain.record([created("2", Position(toid(7, 1, 1), 0))], progress={})
    assert later.positions[0] > position

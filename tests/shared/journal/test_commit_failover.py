"""After a failover to a lagging replica, no position is used twice and none is passed over."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from shared.domain import commands
from shared.domain.events import Event
from shared.domain.position import START, Position
from shared.journal.commit import Committer
from shared.journal.commit_errors import JournalBehindError, JournalInconsistentError
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from tests.shared.journal.audit import check, dump, entries_of, restore
from tests.shared.samples import TOKEN, TYPE, R, S, at, chain, created, stored

ID = "api-1"


def create(streams: StreamStates) -> list[Event]:
    return commands.create(
        stream_id=ID, sender=S, recipient=R, token=TOKEN, rate=5, deposited=1000,
        start_time=100, now=100,
    )  # fmt: skip


def label(text: str) -> Callable[[StreamStates], list[Event]]:
    return lambda streams: commands.update(stored(streams[ID]), {"label": text}, 110)


def paused(ledger: int) -> Event:
    return chain(TYPE.STREAM_PAUSED, "1", at(ledger), pausedAt=110)


async def record(indexer: Committer, event: Event, cursor: str) -> None:
    await indexer.record([event], progress={"cursor": cursor})


PADDED = "{:019d}-0000000000"
PLAIN = "{}"


@pytest.mark.parametrize("cursor", [PLAIN, PADDED], ids=["horizon", "rpc"])
async def test_the_api_is_refused_until_the_lost_chain_events_are_back(
    redis: Redis, keys: Keys, cursor: str
) -> None:
    indexer, api = Committer(redis, keys), Committer(redis, keys)
    await record(indexer, created("1", at(5)), cursor.format(at(5).toid))
    await api.change([ID], create)
    replica = await dump(redis, keys)
    await record(indexer, paused(6), cursor.format(at(6).toid))
    (given,) = (await api.change([ID], label("lost"))).positions
    assert given.toid == at(6).toid

    await restore(redis, keys, replica)
    with pytest.raises(JournalBehindError, match=str(given)):
        await api.change([ID], label("too soon"))
    assert await dump(redis, keys) == replica

    await record(indexer, paused(6), cursor.format(at(6).toid))
    (later,) = (await api.change([ID], label("again"))).positions
    assert later > given
    entries = await check(redis, keys)
    assert [e.position for e in entries][2:] == [str(at(6)), str(later)]


async def test_the_api_may_write_again_once_the_cursor_has_passed_the_lost_events(
    redis: Redis, keys: Keys
) -> None:
    """Once the cursor is past the lost position, all chain events up to there are back."""
    indexer, api = Committer(redis, keys), Committer(redis, keys)
    await record(indexer, created("1", at(5)), "5")
    await api.change([ID], create)
    replica = await dump(redis, keys)
    await record(indexer, paused(6), str(at(6).toid))
    (given,) = (await api.change([ID], label("lost"))).positions
    await restore(redis, keys, replica)
    await indexer.record([], progress={"cursor": str(at(7).toid)})
    (later,) = (await api.change([ID], label("again"))).positions
    assert later > given
    assert later.toid == at(6).toid


async def test_after_a_loss_of_all_data_the_api_waits_for_the_indexer(
    redis: Redis, keys: Keys
) -> None:
    indexer, api = Committer(redis, keys), Committer(redis, keys)
    await record(indexer, created("1", at(5)), str(at(5).toid))
    await api.change([ID], create)
    await restore(redis, keys, {})
    with pytest.raises(JournalBehindError):
        await api.change([ID], create)
    assert await dump(redis, keys) == {}
    await record(indexer, created("1", at(5)), str(at(5).toid))
    await api.change([ID], create)
    assert len(await check(redis, keys)) == 2


async def test_a_position_of_a_lost_api_event_is_never_used_again(redis: Redis, keys: Keys) -> None:
    api = Committer(redis, keys)
    await api.change([ID], create)
    replica = await dump(redis, keys)
    given = [(await api.change([ID], label(str(n)))).positions[0] for n in range(5)]
    await restore(redis, keys, replica)
    (later,) = (await api.change([ID], label("again"))).positions
    assert later > max(given)
    assert later.toid == START.toid
    entries = await entries_of(redis, keys)
    assert entries[1].previous == entries[0].position, "no entry is missing"


async def test_reading_a_stream_raises_the_floor_too(redis: Redis, keys: Keys) -> None:
    indexer, api, reader = (Committer(redis, keys) for _ in range(3))
    await record(indexer, created("1", at(5)), str(at(5).toid))
    await api.change([ID], create)
    replica = await dump(redis, keys)
    await record(indexer, paused(6), str(at(6).toid))
    await api.change([ID], label("lost"))
    await reader.change([ID], lambda _: [])
    await restore(redis, keys, replica)
    with pytest.raises(JournalBehindError):
        await reader.change([ID], label("too soon"))


async def test_an_api_event_never_gets_a_position_above_the_next_operation(
    redis: Redis, keys: Keys
) -> None:
    indexer, api = Committer(redis, keys), Committer(redis, keys)
    first = Position(at(5).toid, 0)
    await record(indexer, created("1", first), "5")
    await api.change([ID], create)
    await record(indexer, created("2", Position(first.toid + 1, 0)), "6")
    with pytest.raises(JournalInconsistentError):
        await record(indexer, created("3", Position(first.toid, 1)), "7")
    await check(redis, keys)


async def test_positions_rise_even_when_the_clock_of_redis_is_behind(
    redis: Redis, keys: Keys
) -> None:
    """The clock of a new primary may be behind. Its events still follow the older ones."""
    ahead = 2**52
    await redis.xadd(keys.journal, {"p": "0-0", "h": "x", "b": "{}"}, id=f"0-{ahead}")
    api = Committer(redis, keys)
    given = [*(await api.change([ID], create)).positions]
    given += (await api.change([ID], label("next"))).positions
    assert given == [Position(0, ahead + 1), Position(0, ahead + 2)]

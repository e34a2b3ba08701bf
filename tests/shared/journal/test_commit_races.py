"""Commits that race, fail or come twice have one outcome, and are never written partially."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import orjson
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.domain import commands
from shared.domain.events import Event
from shared.domain.position import Position
from shared.domain.stream import Stream
from shared.journal.commit import Committer
from shared.journal.commit_errors import ContentionError, FencedError, JournalInconsistentError
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.journal.streams import StoredStreams
from shared.redis.client import connect
from tests.shared.journal.audit import check, dump, entries_of, event_of, fold
from tests.shared.samples import TOKEN, TYPE, R, S, at, chain, created, stored
from tests.support.redis_server import PATIENT

ID = "api-1"


def create(streams: StreamStates) -> list[Event]:
    """Create the stream unless it exists, as a retry must."""
    if streams[ID] is not None:
        return []
    return commands.create(
        stream_id=ID, sender=S, recipient=R, token=TOKEN, rate=5, deposited=1000,
        start_time=100, now=100,
    )  # fmt: skip


def label(text: str) -> Callable[[StreamStates], list[Event]]:
    return lambda streams: commands.update(stored(streams[ID]), {"label": text}, 110)


async def test_twenty_concurrent_changes_of_one_stream_are_all_written(
    redis: Redis, keys: Keys
) -> None:
    await Committer(redis, keys).change([ID], create)
    committers = [Committer(redis, keys) for _ in range(20)]
    await asyncio.gather(*(c.change([ID], label(str(n))) for n, c in enumerate(committers)))
    entries = await check(redis, keys)
    bodies = [orjson.loads(entry.body) for entry in entries]
    assert [body["stream"]["version"] for body in bodies] == list(range(1, 22))
    assert {body["metadata"]["label"] for body in bodies[1:]} == {str(n) for n in range(20)}


async def test_only_one_of_twenty_concurrent_creations_is_written(redis: Redis, keys: Keys) -> None:
    committers = [Committer(redis, keys) for _ in range(20)]
    done = await asyncio.gather(*(c.change([ID], create) for c in committers))
    assert sorted(len(d.positions) for d in done) == [0] * 19 + [1]
    assert len(await check(redis, keys)) == 1


async def test_after_a_conflict_the_decision_is_made_again_on_the_new_state(
    redis: Redis, keys: Keys
) -> None:
    first, second = Committer(redis, keys), Committer(redis, keys)
    await first.change([ID], create)
    tops: list[int] = []

    class Late(StoredStreams):
        async def load(self, stream_ids: Collection[str]) -> dict[str, Stream | None]:
            streams = await super().load(stream_ids)
            if not tops:  # the other one commits between read and write
                await second.change([ID], lambda s: commands.top_up(stored(s[ID]), 500, 120))
            tops.append(stored(streams[ID]).deposited)
            return streams

    late = Committer(redis, keys)
    late.streams = Late(redis, keys)
    await late.change([ID], lambda s: commands.top_up(stored(s[ID]), 1, 120))
    assert tops == [1000, 1500]
    assert stored((await first.streams.load([ID]))[ID]).deposited == 1501
    await check(redis, keys)


async def test_a_commit_that_conflicts_each_time_gives_up_and_writes_nothing(
    redis: Redis, keys: Keys
) -> None:
    other = Committer(redis, keys)
    await other.change([ID], create)

    class Unlucky(StoredStreams):
        async def load(self, stream_ids: Collection[str]) -> dict[str, Stream | None]:
            streams = await super().load(stream_ids)
            await other.change([ID], label("mine"))
            return streams

    unlucky = Committer(redis, keys)
    unlucky.streams = Unlucky(redis, keys)
    with pytest.raises(ContentionError, match=ID):
        await unlucky.change([ID], label("never"))
    assert all(b"never" not in entry.body for entry in await check(redis, keys))


async def test_an_error_of_the_decision_is_raised_and_nothing_is_written(
    redis: Redis, keys: Keys
) -> None:
    committer = Committer(redis, keys)
    await committer.change([ID], create)
    before = await dump(redis, keys)
    with pytest.raises(commands.CommandRefusedError, match="not paused"):
        await committer.change([ID], lambda s: commands.resume(stored(s[ID]), 110))
    assert await dump(redis, keys) == before


async def test_a_commit_with_an_old_token_writes_nothing(redis: Redis, keys: Keys) -> None:
    await redis.set(keys.fence, "2")
    await Committer(redis, keys, token="2").record([created("1", at(5))], progress={"cursor": "5"})
    before = await dump(redis, keys)
    old = Committer(redis, keys, token="1")
    with pytest.raises(FencedError, match="2"):
        await old.record(
            [created("1", at(5)), created("2", at(6))], progress={"cursor": "6"}, dead=[b"{}"]
        )
    assert await dump(redis, keys) == before
    await redis.delete(keys.fence)
    with pytest.raises(FencedError, match=r"\(none\)"):
        await old.record([], progress={"cursor": "7"})


async def test_the_api_commits_without_a_token_and_leaves_the_fence_alone(
    redis: Redis, keys: Keys
) -> None:
    await redis.set(keys.fence, "2")
    await Committer(redis, keys).change([ID], create)
    assert await redis.get(keys.fence) == b"2"


async def test_a_batch_with_a_missing_older_event_writes_nothing(redis: Redis, keys: Keys) -> None:
    committer = Committer(redis, keys)
    await committer.record([created("1", at(5)), created("3", at(7))], progress={"cursor": "7"})
    before = await dump(redis, keys)
    late = [created("1", at(5)), created("2", at(6)), created("4", at(8))]
    with pytest.raises(JournalInconsistentError, match=str(at(6))):
        await committer.record(late, progress={"cursor": "8"}, dead=[b"{}"])
    assert await dump(redis, keys) == before


async def test_an_event_older_than_the_kept_journal_counts_as_seen(
    redis: Redis, keys: Keys
) -> None:
    committer = Committer(redis, keys)
    await committer.record([created("1", at(5)), created("2", at(6))], progress={})
    await redis.xdel(keys.journal, str(at(5)))
    again = await committer.record([created("1", at(5)), created("2", at(6))], progress={})
    assert (again.seen, again.positions) == (2, [])
    assert stored((await committer.streams.load(["1"]))["1"]).version == 1


async def test_the_new_events_of_an_overlapping_batch_apply_to_the_stored_state(
    redis: Redis, keys: Keys
) -> None:
    committer = Committer(redis, keys)
    topped = chain(TYPE.STREAM_TOPPED_UP, "1", at(6), amount="5", newDepositedAmount="1005")
    drawn = chain(TYPE.STREAM_WITHDRAWN, "1", at(7), amount="5", timestamp=100)
    await committer.record([created("1", at(5)), topped], progress={})
    done = await committer.record([created("1", at(5)), topped, drawn], progress={})
    assert (done.seen, done.positions) == (2, [at(7)])
    stream = stored((await committer.streams.load(["1"]))["1"])
    assert (stream.deposited, stream.withdrawn, stream.version) == (1005, 5, 3)
    assert len(await check(redis, keys)) == 3


@pytest.mark.parametrize("order", [(5, 5), (6, 5), (5, None)])
async def test_a_batch_without_rising_positions_is_refused(
    redis: Redis, keys: Keys, order: tuple[int | None, ...]
) -> None:
    events = [replace(created("1", at(1)), position=at(n) if n else None) for n in order]
    with pytest.raises(ValueError, match="chain events need positions"):
        await Committer(redis, keys).record(events, progress={})
    assert await dump(redis, keys) == {}


@pytest.mark.parametrize("toid", [2**53, 2**62, 2**63 - 2])
async def test_positions_above_2_to_the_53_keep_their_order(
    redis: Redis, keys: Keys, toid: int
) -> None:
    places = [Position(toid, 0), Position(toid, 1), Position(toid + 1, 0), Position(toid + 1, 1)]
    events = [created(str(n), place) for n, place in enumerate(places, 1)]
    committer = Committer(redis, keys)
    for event in (events[0], events[2], events[3]):
        await committer.record([event], progress={})
    assert (await committer.record([events[2]], progress={})).seen == 1
    with pytest.raises(JournalInconsistentError):
        await committer.record([events[1]], progress={})
    api = await Committer(redis, keys).change([ID], create)
    assert api.positions[0].toid == toid + 1
    await check(redis, keys)


@asynccontextmanager
async def swallowing(redis_url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A proxy to Redis that, once armed, closes the connection between a command and its reply."""
    address = urlsplit(redis_url)
    armed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(address.hostname, address.port)

        async def upwards() -> None:
            while data := await reader.read(65536):
                up_writer.write(data)
            up_writer.close()

        task = asyncio.create_task(upwards())
        while data := await up_reader.read(65536):
            if armed.is_set() and data.startswith(b"*3\r\n$9\r\ncommitted"):
                break
            writer.write(data)
        task.cancel()
        writer.close()
        up_writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", armed
    finally:
        server.close()


async def test_a_commit_whose_reply_was_lost_is_not_repeated(
    redis: Redis, keys: Keys, redis_url: str
) -> None:
    async with swallowing(redis_url) as (url, armed):
        client = connect(url, timeout=PATIENT)
        committer = Committer(client, keys)
        await committer.record([], progress={"ledger": "1"})
        armed.set()
        with pytest.raises(RedisConnectionError):
            await committer.change([ID], create)
        assert len(await entries_of(redis, keys)) == 1, "sent once and not repeated"
        armed.clear()
        assert (await committer.change([ID], create)).positions == []
        await client.aclose()
    entries = await check(redis, keys)
    assert [event_of(entry).type for entry in entries] == [TYPE.STREAM_CREATED]
    assert fold(entries)[ID].version == 1

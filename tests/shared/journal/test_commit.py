"""The commit is atomic, skips known events, and checks fence and versions."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from shared.domain import commands
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from shared.journal.commit import Committer
from shared.journal.commit_errors import FencedError, JournalInconsistentError
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalPage
from tests.shared.journal.audit import check, dump, listening
from tests.shared.samples import at, chain, stored

PROVENANCE = Provenance("C1", 7, "2026-07-21T18:01:10Z", "ab" * 32, True)


def created(stream_id: str, position: Position, **more: Any) -> Event:
    event = commands.create(
        stream_id=stream_id, sender="GA", recipient="GB", token="C2", rate=5, deposited=1000,
        start_time=100, now=100, **more,
    )[0]  # fmt: skip
    return Event(event.type, event.stream_id, 100, event.facts, position, PROVENANCE)


async def test_a_chain_event_is_written_with_state_topics_and_progress(
    redis: Redis, keys: Keys
) -> None:
    position = Position(toid(7, 1), 0)
    committer = Committer(redis, keys)
    done = await committer.record([created("1", position)], progress={"cursor": "9", "ledger": "7"})
    assert done.positions == [position]
    page = await Journal(redis, keys).after(Position(0, 0))
    assert isinstance(page, JournalPage)
    (entry,) = page.entries
    body = orjson.loads(entry.body)
    assert (entry.type, entry.topics) == ("stream.created", ("1", "user:GA", "user:GB"))
    assert body["id"] == body["stream"]["position"] == str(position) == entry.position
    assert body["stream"]["version"] == 1
    stream = stored((await committer.streams.load(["1"]))["1"])
    assert stream.position == str(position)
    kept: Any = await redis.hgetall(keys.progress)
    assert (kept[b"cursor"], kept[b"ledger"]) == (b"9", b"7")
    assert kept[b"server"].decode() == (await redis.info("replication"))["master_replid"]


async def test_a_known_event_is_skipped_and_a_missing_older_one_is_an_error(
    redis: Redis, keys: Keys
) -> None:
    committer = Committer(redis, keys)
    events = [created(str(n), Position(toid(7, n), 0)) for n in (1, 3)]
    await committer.record(events, progress={})
    again = await committer.record([*events, created("4", Position(toid(7, 4), 0))], progress={})
    assert (again.seen, len(again.positions)) == (2, 1)
    with pytest.raises(JournalInconsistentError):
        await committer.record([created("2", Position(toid(7, 2), 0))], progress={})


async def test_an_indexer_with_an_old_fencing_token_writes_nothing(
    redis: Redis, keys: Keys
) -> None:
    await redis.set(keys.fence, "another")
    with pytest.raises(FencedError, match="another"):
        await Committer(redis, keys, token="me").record([], progress={"cursor": "1"})
    assert not await redis.exists(keys.progress)


async def test_api_events_get_positions_between_the_top_and_the_next_operation(
    redis: Redis, keys: Keys
) -> None:
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


async def test_a_fee_event_before_the_creation_of_its_stream_has_both_parties(
    redis: Redis, keys: Keys
) -> None:
    fee = chain(EventType.STREAM_FEE_COLLECTED, "1", at(5, 0), feeAmount="3", treasury="GT")
    await Committer(redis, keys).record([fee, created("1", at(5, 1))], progress={})
    entries = await check(redis, keys)
    assert [entry.topics for entry in entries] == [("1", "user:GA", "user:GB")] * 2
    assert "stream" not in orjson.loads(entries[0].body)


async def test_a_fee_event_of_a_known_stream_raises_the_version_and_has_the_state(
    redis: Redis, keys: Keys
) -> None:
    fee = chain(EventType.STREAM_FEE_COLLECTED, "1", at(6), feeAmount="3")
    committer = Committer(redis, keys)
    await committer.record([created("1", at(5))], progress={})
    await committer.record([fee], progress={})
    entries = await check(redis, keys)
    assert entries[1].topics == ("1", "user:GA", "user:GB")
    assert orjson.loads(entries[1].body)["stream"]["version"] == 2


async def test_an_empty_batch_changes_only_the_progress(redis: Redis, keys: Keys) -> None:
    done = await Committer(redis, keys).record([], progress={"cursor": "8", "ledger": "6"})
    assert (done.positions, done.seen) == ([], 0)
    assert list(await dump(redis, keys)) == [keys.progress.encode()]
    kept: Any = await redis.hgetall(keys.progress)
    assert (kept.pop(b"cursor"), kept.pop(b"ledger"), [*kept]) == (b"8", b"6", [b"server"])


async def test_dead_letters_are_written_with_the_progress_of_their_batch(
    redis: Redis, keys: Keys
) -> None:
    letters = [b'{"why":"unknown"}', b"\x00\xff"]
    await Committer(redis, keys).record([], progress={"cursor": "8"}, dead=letters)
    kept: Any = await redis.xrange(keys.dead_letters)
    assert [fields for _, fields in kept] == [{b"letter": letter} for letter in letters]
    assert await redis.hget(keys.progress, "cursor") == b"8"


async def test_a_subscriber_receives_the_same_events_as_the_journal(
    redis: Redis, keys: Keys
) -> None:
    committer = Committer(redis, keys)
    async with listening(redis, keys) as listener:
        await committer.record([created("1", at(5)), created("2", at(6))], progress={})
        await committer.record([created("2", at(6)), created("3", at(7))], progress={})
    assert listener.entries == await check(redis, keys)


async def test_an_event_of_an_unknown_stream_is_written_without_a_state(
    redis: Redis, keys: Keys
) -> None:
    event = chain(EventType.STREAM_PAUSED, "9", at(5), sender="GA", pausedAt=5)
    await Committer(redis, keys).record([event], progress={})
    (entry,) = await check(redis, keys)
    assert entry.topics == ("9", "user:GA")


async def test_two_events_of_one_stream_in_one_commit_raise_the_version_twice(
    redis: Redis, keys: Keys
) -> None:
    committer = Committer(redis, keys)
    await committer.record([created("1", at(5))], progress={})
    done = await committer.change(["1"], lambda s: commands.withdraw(stored(s["1"]), 10_000))
    assert [write.event.type for write in done.writes] == ["stream.withdrawn", "stream.completed"]
    versions = [orjson.loads(e.body)["stream"]["version"] for e in await check(redis, keys)]
    assert versions == [1, 2, 3]


async def test_namespaces_share_only_the_channel(redis: Redis, keys: Keys) -> None:
    other = Keys(f"{keys.namespace}-b")
    async with listening(redis, other) as listener:
        await Committer(redis, keys).record([created("1", at(5))], progress={})
        await Committer(redis, other).record([created("1", at(5))], progress={})
    assert len(listener.entries) == len(await check(redis, keys)) == 1
    assert await check(redis, other) == listener.entries


async def test_loading_no_streams_asks_redis_nothing(redis: Redis, keys: Keys) -> None:
    assert await Committer(redis, keys).streams.load([]) == {}

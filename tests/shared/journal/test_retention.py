"""The journal is bounded in bytes: how exact the estimate is, and what is trimmed when."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.domain.position import Position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import Retention
from tests.shared.samples import at, created

COST = 2_500
"""More than the estimate for one of the events below, and less than one and a half of them."""


async def fill(
    redis: Redis, keys: Keys, first: int, last: int, *, most: int = 10**9, note: int = 0
) -> None:
    """Commit one stream.created a ledger, all in one commit. `note`: the length of its metadata."""
    committer = Committer(redis, keys, retention=Retention(max_bytes=most))
    metadata = {"note": "x" * note} if note else {}
    events = [created(str(n), at(n), metadata=metadata) for n in range(first, last + 1)]
    await committer.record(events, progress={"cursor": str(at(last).toid)})


async def rows_of(redis: Redis, keys: Keys) -> list[tuple[bytes, dict[bytes, bytes]]]:
    rows: Any = await redis.xrange(keys.journal)
    return list(rows)


async def ledgers(redis: Redis, keys: Keys) -> list[int]:
    """The ledgers of the entries in the journal, after a check that the sets of topics agree."""
    rows = await rows_of(redis, keys)
    members = [
        m
        async for m, _ in redis.zscan_iter(
            keys.topic(f"user:{created('1', at(1)).facts['sender']}")
        )
    ]
    assert len(members) == len(rows), "the sets of topics are trimmed together with the journal"
    return [Position(int(place.split(b"-")[0]), 0).ledger for place, _ in rows]


async def sizes(redis: Redis, keys: Keys) -> tuple[int, int]:
    """Our estimate of all entries, and the memory that Redis uses for them and their topics."""
    rows = await rows_of(redis, keys)
    used: Any = await redis.memory_usage(keys.journal, samples=0)
    async for topic in redis.scan_iter(keys.topic("*")):
        used += await redis.memory_usage(topic, samples=0)
    return int(rows[-1][1][b"s"]), used


@pytest.mark.parametrize("note", [0, 500, 1900])
async def test_the_estimate_is_close_to_the_memory_that_redis_uses(
    redis: Redis, keys: Keys, note: int
) -> None:
    await fill(redis, keys, 1, 500, note=note)
    estimate, used = await sizes(redis, keys)
    assert 0.9 < estimate / used < 1.25, (estimate, used)


async def test_the_oldest_entries_are_trimmed_to_the_maximum_of_bytes(
    redis: Redis, keys: Keys
) -> None:
    await fill(redis, keys, 1, 100)
    for n in range(101, 106):
        await fill(redis, keys, n, n, most=50 * COST)
    left = await ledgers(redis, keys)
    assert left[-1] == 105
    assert left == list(range(left[0], 106))
    rows = await rows_of(redis, keys)
    kept = int(rows[-1][1][b"s"]) - int(rows[0][1][b"s"])
    assert 47 * COST < kept < 51 * COST


async def test_large_events_leave_room_for_fewer(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 1, 20, note=4_000)
    await fill(redis, keys, 21, 21, most=50 * COST)
    assert len(await ledgers(redis, keys)) < 15


async def test_the_last_entry_stays_even_if_it_is_above_the_maximum(
    redis: Redis, keys: Keys
) -> None:
    for n in range(1, 4):
        await fill(redis, keys, n, n, most=1)
        await Committer(redis, keys, retention=Retention(max_bytes=1)).record([], progress={})
        assert await ledgers(redis, keys) == [n]


async def test_one_commit_trims_at_most_a_thousand_entries(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 1, 1_200)
    await fill(redis, keys, 1_201, 1_201, most=1)
    assert len(await ledgers(redis, keys)) == 201


async def test_entries_that_somebody_deleted_do_not_count(redis: Redis, keys: Keys) -> None:
    """The size is computed from the first and the last entry, so no counter can be wrong."""
    await fill(redis, keys, 1, 100)
    rows = await rows_of(redis, keys)
    await redis.xdel(keys.journal, *(place for place, _ in rows[:70]))
    await fill(redis, keys, 101, 101, most=50 * COST)
    assert await redis.xlen(keys.journal) == 31
    await redis.delete(keys.journal)
    await fill(redis, keys, 102, 110, most=50 * COST)
    assert len(await rows_of(redis, keys)) == 9


async def test_each_entry_has_the_sum_up_to_itself(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 1, 3)
    await fill(redis, keys, 4, 5)
    sums = [0, *(int(fields[b"s"]) for _, fields in await rows_of(redis, keys))]
    assert all(COST / 1.5 < after - before < COST for before, after in pairwise(sums))


async def without_sums(redis: Redis, keys: Keys, *entries: int) -> None:
    """Make some of the entries (by index) those of an older version, which had no field `s`."""
    rows = await rows_of(redis, keys)
    await redis.delete(keys.journal)
    for n, (place, fields) in enumerate(rows):
        kept = {k: v for k, v in fields.items() if k != b"s" or n not in entries}
        await redis.xadd(keys.journal, kept, id=place)  # type: ignore[arg-type]


async def test_a_journal_of_an_older_version_is_trimmed_too(redis: Redis, keys: Keys) -> None:
    await fill(redis, keys, 1, 100)
    await without_sums(redis, keys, *range(100))
    await fill(redis, keys, 101, 101, most=50 * COST)
    for n in range(102, 160):  # until only entries with the field are left
        await fill(redis, keys, n, n, most=50 * COST)
        assert 48 <= len(await rows_of(redis, keys)) <= 70
    assert all(b"s" in fields for _, fields in await rows_of(redis, keys))


async def test_replicas_of_two_versions_may_write_in_turn(redis: Redis, keys: Keys) -> None:
    """During an upgrade the older version appends entries without the field."""
    await fill(redis, keys, 1, 40)
    await without_sums(redis, keys, 39)
    for n in range(41, 120):
        await fill(redis, keys, n, n, most=50 * COST)
    assert 48 <= len(await rows_of(redis, keys)) <= 70


async def test_entries_that_are_not_archived_are_not_trimmed(redis: Redis, keys: Keys) -> None:
    await redis.hset(keys.archive, "position", str(at(20)))
    await fill(redis, keys, 1, 100)
    await fill(redis, keys, 101, 101, most=50 * COST)
    assert await ledgers(redis, keys) == list(range(21, 102))
    await fill(redis, keys, 102, 102, most=50 * COST)
    assert await ledgers(redis, keys) == list(range(21, 103)), "the archive is behind"
    await redis.hset(keys.archive, "position", str(at(102)))
    await fill(redis, keys, 103, 103, most=50 * COST)
    assert (await ledgers(redis, keys))[0] > 45, "the archive has caught up"


async def test_an_archive_that_is_ahead_holds_nothing_back(redis: Redis, keys: Keys) -> None:
    """Positions are numbers: a longer one is above a shorter one."""
    await redis.hset(keys.archive, "position", "99999999999999-0")
    await fill(redis, keys, 1, 3, most=1)
    await fill(redis, keys, 4, 4, most=1)
    assert await ledgers(redis, keys) == [4]


async def test_nothing_is_trimmed_by_a_user_who_may_not_read_the_mark(
    redis: Redis, keys: Keys
) -> None:
    await redis.set(keys.archive, "not a hash, so HGET fails as without the permission")
    await fill(redis, keys, 1, 3, most=1)
    await fill(redis, keys, 4, 4, most=1)
    assert await ledgers(redis, keys) == [1, 2, 3, 4]

"""The archive's mark in Redis: only the active archiver writes it."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.archive.mark import ArchiveMark, delete_mark, read_mark, write_mark
from shared.domain.position import Position
from shared.journal.keys import Keys
from shared.redis.lease import Lease

MARK = ArchiveMark(Position(7, 2**53 + 1), "ab" * 32, 1_770_000_000_000_001)


async def test_what_is_written_is_read_until_it_is_deleted(redis: Redis, keys: Keys) -> None:
    assert await read_mark(redis, keys) is None
    assert await write_mark(redis, keys, MARK)
    assert await read_mark(redis, keys) == MARK
    assert await delete_mark(redis, keys)
    assert await read_mark(redis, keys) is None
    assert not await delete_mark(redis, keys)


async def test_only_the_holder_of_the_lease_writes(redis: Redis, keys: Keys) -> None:
    one, other = (Lease(redis, keys.archiver_lease, seconds=9) for _ in range(2))
    await one.take()
    assert await write_mark(redis, keys, MARK, token=one.token)
    await one.release()
    await other.take()
    assert not await write_mark(redis, keys, MARK._replace(chain="00"), token=one.token)
    assert await read_mark(redis, keys) == MARK

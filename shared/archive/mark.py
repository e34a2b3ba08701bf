"""The archive's mark in Redis: up to where the events are archived.

A hash with the fields `position` (everything up to it is archived), `chain` (the chain hash there,
in hex) and `at` (Unix microseconds of the last write). The archiver writes it after each manifest.
While it exists, the journal is not trimmed past its position (retention.lua).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from redis.asyncio import Redis

from shared.domain.position import Position, parse_position
from shared.journal.keys import Keys
from shared.redis.scripts import load_script

_WRITE = load_script(__package__, "mark_write")


class ArchiveMark(NamedTuple):
    """Everything up to `position` is archived. `at` is in Unix microseconds."""

    position: Position
    chain: str
    at: int


async def read_mark(redis: Redis, keys: Keys) -> ArchiveMark | None:
    """The mark; None if the namespace has no archive."""
    reply: Any = await redis.hmget(keys.archive, ["position", "chain", "at"])
    position, chain, at = reply
    if not (position and chain and at):
        return None
    return ArchiveMark(parse_position(position.decode()), chain.decode(), int(at))


async def write_mark(
    redis: Redis, keys: Keys, mark: ArchiveMark, *, token: str | None = None
) -> bool:
    """Store the mark. With a `token`, only while the archiver's lease has this token.

    False if another archiver is active. It is the one to say what is archived.
    """
    script = redis.register_script(_WRITE)
    arguments = (token or "", str(mark.position), mark.chain, mark.at)
    return bool(await script(keys=[keys.archive, keys.archiver_lease], args=[*arguments]))


async def mark_now(
    redis: Redis, keys: Keys, position: Position, chain: bytes, *, token: str | None = None
) -> bool:
    """Like `write_mark`, with the present time of Redis."""
    seconds, micros = await redis.time()
    mark = ArchiveMark(position, chain.hex(), seconds * 1_000_000 + micros)
    return await write_mark(redis, keys, mark, token=token)


async def delete_mark(redis: Redis, keys: Keys) -> bool:
    """Delete the mark: the journal is trimmed as if there were no archive. True if it existed."""
    return bool(await redis.delete(keys.archive))

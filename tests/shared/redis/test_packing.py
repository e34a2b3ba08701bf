"""Commands in the protocol of Redis: the same bytes as redis-py writes."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import DataError

from shared.domain.events import EventType
from shared.redis.packing import pack_command

COMMANDS: list[tuple[Any, ...]] = [
    ("PING",),
    ("SET", "key", b"\0\xff\r\n", "EX", 5),
    ("ZADD", "é", 1.5, EventType.STREAM_CREATED),
    ("XINFO STREAM", "key"),
    ("EVALSHA", "ab", 2, "k1", "k2", *range(3000), b"x" * 10_000),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_written_as_redis_py_writes_it(command: tuple[Any, ...]) -> None:
    assert pack_command(command) == b"".join(Connection().pack_command(*command))


@pytest.mark.parametrize("wrong", [None, True, [1], {}])
def test_an_argument_of_a_wrong_type_is_refused(wrong: object) -> None:
    with pytest.raises(DataError):
        pack_command(("SET", "key", wrong))

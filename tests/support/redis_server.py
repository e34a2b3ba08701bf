"""Starts a Redis server for a test session, a module or a benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import redis as local_redis
from tests.support.waiting import free_port

PATIENT = 15.0
"""Seconds that a test's own client waits for Redis. A busy machine can stand still for some."""


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis server. Yields its URL.

    It has an AOF, as services require, but does not wait for the disk: a slow disk would stop it
    for seconds. Tests of durability have servers of their own (tests/support/redis_node.py).
    """
    port = free_port()
    process = local_redis.start(port, folder, "--appendfsync", "no")
    try:
        local_redis.wait_until_up(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)

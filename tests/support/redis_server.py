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
    """A Redis server. Yields its URL."""
    port = free_port()
    process = local_redis.start(port, folder)
    try:
        local_redis.wait_until_up(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)

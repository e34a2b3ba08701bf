"""Run a command: read the settings, connect to Redis, and print an error as one line on stderr.

See docs/decisions/0064-errors-are-translated-at-the-edge.md.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from services.indexer.settings import IndexerSettings
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.errors import HeadraceError
from shared.journal.namespace import ForeignNamespaceError
from shared.redis.client import RedisError, connect
from shared.runtime import logs
from shared.runtime.config import load

Work = Callable[[IndexerSettings, Redis], Awaitable[int]]
"""What a command does: gets the settings and a Redis connection, and returns the exit code."""

EXIT_FAILED = 2


class CommandFailedError(HeadraceError):
    """The command cannot do what was asked. The text says why, and what is possible."""


def run_command(work: Work) -> int:
    """Run a command with the settings from environment variables; returns its exit code."""
    settings = load(IndexerSettings)
    logs.configure("indexer", "error")
    return asyncio.run(_connected(settings, work))


async def _connected(settings: IndexerSettings, work: Work) -> int:
    redis = connect(settings.redis_url, slot_key=settings.keys.slot_key)
    try:
        return await attempt(work(settings, redis))
    finally:
        await redis.aclose()


async def attempt(work: Awaitable[int]) -> int:
    """Return the exit code of `work`. After an error, print one line to stderr and return 2."""
    try:
        return await work
    except (RedisError, OSError) as error:
        print(f"Redis does not answer: {error}", file=sys.stderr)
    except (SourceError, FatalSourceError) as error:
        print(f"the source failed: {error}", file=sys.stderr)
    except (CommandFailedError, ForeignNamespaceError) as error:
        print(error, file=sys.stderr)
    return EXIT_FAILED

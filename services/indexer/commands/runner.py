"""What every command does around its work: settings, logs, Redis, and failures in one line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from services.indexer.settings import IndexerSettings
from services.indexer.sources.base import FatalSourceError, SourceError
from shared.domain.errors import HeadraceError
from shared.journal.namespace import ForeignNamespaceError
from shared.redis.client import RedisError, connect
from shared.runtime import logs
from shared.runtime.config import load

Work = Callable[[IndexerSettings, Redis], Awaitable[int]]
"""From the settings and a connection to the exit code."""

EXIT_FAILED = 2


class CommandFailedError(HeadraceError):
    """What was asked for cannot be done; says why, and what can."""


def run_command(work: Work) -> int:
    """Run it with what the environment says; returns its exit code."""
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
    """Its exit code, or 2 behind a line on stderr when it could not be done."""
    try:
        return await work
    except (RedisError, OSError) as error:
        print(f"Redis does not answer: {error}", file=sys.stderr)
    except (SourceError, FatalSourceError) as error:
        print(f"the source does not serve: {error}", file=sys.stderr)
    except (CommandFailedError, ForeignNamespaceError) as error:
        print(error, file=sys.stderr)
    return EXIT_FAILED

"""Run a command: read the settings, connect to Redis, and print an error as one line on stderr.

See docs/decisions/0064-errors-are-translated-at-the-edge.md.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis

from services.archiver.settings import ArchiverSettings
from services.archiver.turns import archiver_lease
from shared.archive.catalog import Catalog
from shared.archive.errors import ArchiveError, DamagedArchiveError
from shared.domain.errors import HeadraceError
from shared.journal.keys import Keys
from shared.redis.client import RedisError, connect
from shared.redis.lease import Lease
from shared.runtime import logs
from shared.runtime.config import load
from shared.runtime.tasks import cancel

Work = Callable[[ArchiverSettings, Redis], Awaitable[int]]
"""What a command does: gets the settings and a Redis connection, and returns the exit code."""

EXIT_WRONG, EXIT_FAILED = 1, 2
_LEASE_SECONDS = 60.0
"""A command that was killed in the middle keeps the archiver away for so long."""
_TIMEOUT = 30.0
_DAMAGED = "Run verify, and see `Findings` in docs/operations/archive.md"


class RefusedCommandError(HeadraceError):
    """The command cannot do what was asked. The text says why, and what is possible."""


def run_command(work: Work) -> int:
    """Run a command with the settings from environment variables; returns its exit code."""
    settings = load(ArchiverSettings)
    logs.configure("archiver", "error")
    return asyncio.run(_connected(settings, work))


async def _connected(settings: ArchiverSettings, work: Work) -> int:
    redis = connect(settings.redis_url, slot_key=settings.keys.slot_key, timeout=_TIMEOUT)
    try:
        return await work(settings, redis)
    except BrokenPipeError:  # whoever read the output, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
    except DamagedArchiveError as error:
        print(f"the archive is damaged: {error}. {_DAMAGED}", file=sys.stderr)
    except ArchiveError as error:
        print(f"the archive failed: {error}", file=sys.stderr)
    except (RedisError, OSError) as error:
        print(f"Redis does not answer: {error}", file=sys.stderr)
    except HeadraceError as error:
        print(error, file=sys.stderr)
    finally:
        await redis.aclose()
    return EXIT_FAILED


@asynccontextmanager
async def no_archiver(redis: Redis, keys: Keys) -> AsyncIterator[None]:
    """Hold the lease of the archiver, so that none is active. Raises RefusedCommandError."""
    lease = archiver_lease(redis, keys, _LEASE_SECONDS)
    if not await lease.take():
        raise RefusedCommandError("an archiver is active: stop it, and run this command again")
    renewing = asyncio.create_task(_renew(lease))
    try:
        yield
    finally:
        await cancel(renewing)
        await lease.release()


def require_segments(catalog: Catalog, settings: ArchiverSettings) -> None:
    """Raises RefusedCommandError if the archive is empty: then a setting is wrong, or a disk away.

    The catalog must be fresh.
    """
    if catalog.last is None:
        raise RefusedCommandError(
            f"the archive of {settings.keys.namespace} in {catalog.store.url} is empty: mount the "
            "disk, or correct ARCHIVE_URL, NAMESPACE or CONTRACTS"
        )


async def _renew(lease: Lease) -> None:
    while True:
        await asyncio.sleep(_LEASE_SECONDS / 4)
        with suppress(RedisError, OSError):  # the next one may succeed
            await lease.renew()

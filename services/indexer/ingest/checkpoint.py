"""The checkpoint: number and hash of a ledger that the history which is read holds.

A test network that is reset keeps its passphrase, and one day its ledgers bear the old numbers
again. The hash tells: two histories are never merged.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from redis.asyncio import Redis

from services.indexer.sources.base import FatalSourceError, Source, SourceError
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.progress import checkpoint_fields, read_checkpoint

log = structlog.get_logger()


class Checkpoint:
    """Takes one now and then, and compares the last with what a source says."""

    def __init__(
        self, redis: Redis, keys: Keys, committer: Committer, *, seconds: float = 60.0
    ) -> None:
        """`seconds` between two; and between two comparisons with the same source."""
        self._redis = redis
        self._keys = keys
        self._committer = committer
        self._seconds = seconds
        self._compared_at: dict[str, float] = {}
        self._compared = asyncio.Event()

    async def compare(self, source: Source) -> None:
        """Before it is read. Raises FatalSourceError when it has another history; SourceError."""
        now, name = time.monotonic(), source.name
        if now - self._compared_at.get(name, -self._seconds) < self._seconds:
            return
        if stored := await read_checkpoint(self._redis, self._keys):
            ledger, digest = stored
            digest_of_source = await source.hash_of(ledger)
            if digest_of_source is not None and digest_of_source != digest:
                raise FatalSourceError(
                    "reset", f"ledger {ledger} was {digest}, for {name} it is {digest_of_source}"
                )
        self._compared_at[name] = now
        self._compared.set()

    async def store_regularly(self, source: Source) -> None:
        """Take one now and then, until cancelled."""
        await self._compared.wait()  # else the new one would hide that the old does not match
        while True:
            try:
                await self._store_new(source)
            except (
                SourceError,
                FatalSourceError,
            ) as error:  # who reads it finds out what that means
                log.warning("no_checkpoint", source=source.name, error=str(error))
            await asyncio.sleep(self._seconds)

    async def _store_new(self, source: Source) -> None:
        ledger, digest = await source.latest_hash()
        stored = await read_checkpoint(self._redis, self._keys)
        if stored is None or ledger > stored[0]:  # a tip that went back is the next reader's alarm
            await self._committer.record([], progress=checkpoint_fields(ledger, digest))

"""Notice a reset of the network by a checkpoint: the number and hash of a recent ledger.

After a reset, a test network has the same passphrase as before, and in time it reaches the same
ledger numbers again. But the ledger with the checkpoint's number then has another hash. In this
case the indexer stops, so that it does not mix the events of two networks.

See docs/decisions/0025-checkpoint-hash.md.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from redis.asyncio import Redis

from services.indexer.sources.base import Source
from shared.chain.errors import FatalSourceError, SourceError
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.progress import checkpoint_fields, read_checkpoint

log = structlog.get_logger()


class Checkpoint:
    """Stores a checkpoint regularly, and compares it with a source."""

    def __init__(
        self, redis: Redis, keys: Keys, committer: Committer, *, seconds: float = 60.0
    ) -> None:
        """`seconds`: the time between two new checkpoints, and between two checks of a source."""
        self._redis = redis
        self._keys = keys
        self._committer = committer
        self._seconds = seconds
        self._compared_at: dict[str, float] = {}
        self._compared = asyncio.Event()

    async def compare(self, source: Source) -> None:
        """Before reading a source, compare it with the checkpoint, but at most once in `seconds`.

        Raises FatalSourceError if the source has another hash for the checkpoint's ledger;
        SourceError if the source does not answer.
        """
        now, name = time.monotonic(), source.name
        if now - self._compared_at.get(name, -self._seconds) < self._seconds:
            return
        if stored := await read_checkpoint(self._redis, self._keys):
            ledger, digest = stored
            digest_of_source = await source.hash_of(ledger)
            if digest_of_source is not None and digest_of_source != digest:
                raise FatalSourceError(
                    "reset",
                    f"the hash of ledger {ledger} was {digest}, but {name} has {digest_of_source}",
                )
        self._compared_at[name] = now
        self._compared.set()

    async def store_regularly(self, source: Source) -> None:
        """Store a new checkpoint every `seconds` seconds, until cancelled."""
        # Compare first: a new checkpoint would hide that the stored one does not match.
        await self._compared.wait()
        while True:
            try:
                await self._store_new(source)
            except (
                SourceError,
                FatalSourceError,
            ) as error:  # the ingest meets the same error and handles it
                log.warning("no_checkpoint", source=source.name, error=str(error))
            await asyncio.sleep(self._seconds)

    async def _store_new(self, source: Source) -> None:
        ledger, digest = await source.latest_hash()
        stored = await read_checkpoint(self._redis, self._keys)
        if stored is None or ledger > stored[0]:
            await self._committer.record([], progress=checkpoint_fields(ledger, digest))

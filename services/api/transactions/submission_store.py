"""What is stored of transactions that clients submit: for a day, by hash.

A claim makes sure that a hash is sent by one replica at a time. It expires by itself, so a replica
that dies while it sends does not block the hash.

See docs/decisions/0117-one-claim-for-a-hash.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import orjson
from redis.asyncio import Redis

from services.api.transactions.reading import ReadEnvelope
from shared.journal.keys import Keys
from shared.redis.lease import Lease

DAY = 86_400
CLAIM_SECONDS = 60
"""Longer than the four calls of RPC that a replica can make while it has the claim (10 s each)."""


class SubmissionState(StrEnum):
    """PREPARED: not sent yet. UNKNOWN: perhaps sent, without an answer. SENT: RPC has taken it."""

    PREPARED = "prepared"
    UNKNOWN = "unknown"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """A transaction with its source and its upper time bound in Unix seconds.

    The transaction is in no ledger up to `after`: RPC had these ledgers, and not the transaction.
    """

    state: SubmissionState
    source: str
    max_time: int
    after: int = 0


class SubmissionStore:
    """The submitted transactions of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def get(self, tx_hash: str) -> SubmissionRecord | None:
        """What is stored of a transaction; None if nothing is."""
        raw = await self._redis.get(self._keys.transaction(tx_hash))
        if raw is None:
            return None
        document = orjson.loads(raw)
        return SubmissionRecord(**document | {"state": SubmissionState(document["state"])})

    async def put(self, tx_hash: str, record: SubmissionRecord) -> None:
        """Store a transaction."""
        await self._redis.set(self._keys.transaction(tx_hash), orjson.dumps(record), ex=DAY)

    async def prepared(self, read: ReadEnvelope) -> None:
        """Store that this API has prepared a transaction that restores archived entries."""
        record = SubmissionRecord(SubmissionState.PREPARED, read.source, read.max_time)
        await self.put(read.hash, record)

    async def restore(self, tx_hash: str, record: SubmissionRecord | None) -> None:
        """Go back to this earlier state: the transaction was surely not sent since."""
        if record is None:
            await self._redis.delete(self._keys.transaction(tx_hash))
        else:
            await self.put(tx_hash, record)

    def claim(self, tx_hash: str) -> Lease:
        """The right to send a transaction, to be taken and released."""
        return Lease(self._redis, self._keys.transaction_claim(tx_hash), seconds=CLAIM_SECONDS)

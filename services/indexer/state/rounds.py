"""Read the records of all streams, and compare each with the stored state of the same ledger.

A record is the state at the end of RPC's last ledger. So the comparison waits until the indexer has
read this ledger. If the stream has an event after this ledger, its record is read again. A wait
takes seconds, so thousands of records are read before each wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from redis.asyncio import Redis

from services.indexer.sources.ledger_range import next_ledger
from services.indexer.sources.rpc.client import MOST_KEYS
from services.indexer.state.comparison import stream_of_record
from services.indexer.state.contract_storage import ContractStorage, StateReading
from services.indexer.state.findings import AuditRound, compared
from shared.domain.stream import Stream
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.journal.progress import read_progress
from shared.journal.streams import StoredStreams
from shared.journal.topic_index import TopicIndex

_TRIES = 5
"""The most reads of a stream in one round. It is read again if it has newer events."""
_RETRY_SECONDS = 1.0
_MOST_STREAMS = 25 * MOST_KEYS
"""Streams that are read before their records are compared. This limits the memory."""
_POLL_SECONDS = 0.2
_NEWEST = 8
"""The newest events of a stream that are checked. Some can be events of the API: notices."""

Take = Callable[[Mapping[str, Stream]], Awaitable[AuditRound]]
"""Compares the contract's states, by stream id, with the stored ones, and commits changes."""


class StateRounds:
    """Rounds over all streams of one contract."""

    def __init__(
        self, storage: ContractStorage, redis: Redis, keys: Keys, *, patience: float | None = None
    ) -> None:
        """`patience`: seconds to wait until the indexer has read a ledger; None: no limit."""
        self._patience = patience
        self._storage = storage
        self._redis = redis
        self._keys = keys
        self._streams = StoredStreams(redis, keys)
        self._topics = TopicIndex(redis, keys)

    async def round(
        self, take: Take | None = None, lock: asyncio.Lock | None = None, pause: float = 0.0
    ) -> AuditRound:
        """Compare all streams once.

        `take` is called with all states of a read if one of them must be taken from the contract.
        Without `take`, nothing is changed. `lock`: while it is held, the ingest commits nothing.
        `pause`: seconds after each read. Raises SourceError, TimeoutError after `patience`, and
        the errors of `take`.
        """
        await self._read_up_to(0)
        found = AuditRound(streams=await self._storage.count())
        for ids in _parts([str(n) for n in range(1, found.streams + 1)], _MOST_STREAMS):
            await self._compare(ids, found, take, lock or nullcontext(), pause)
        return found

    async def _compare(
        self,
        ids: Sequence[str],
        found: AuditRound,
        take: Take | None,
        lock: AbstractAsyncContextManager[None],
        pause: float,
    ) -> None:
        """Compare some streams. A stream that has newer events is read at most _TRIES times."""
        for _ in range(_TRIES):
            readings = [await self._read(part, pause) for part in _parts(ids, MOST_KEYS)]
            await self._read_up_to(max(reading.ledger for reading in readings))
            newer: set[str] = set()
            for reading in readings:
                async with lock:
                    newer |= await self._settle(reading, found, take)
                found.archived |= reading.archived
                found.unreadable |= reading.unreadable
            if not (ids := sorted(newer, key=int)):
                return
            await asyncio.sleep(_RETRY_SECONDS)
        found.unsettled += ids

    async def _read(self, ids: Sequence[str], pause: float) -> StateReading:
        reading = await self._storage.read(ids)
        await asyncio.sleep(pause)
        return reading

    async def _settle(
        self, reading: StateReading, found: AuditRound, take: Take | None
    ) -> set[str]:
        """Compare the records of a reading. Returns the streams that have newer events."""
        stored = await self._streams.load(list(reading.records))
        newer = await self._changed_after(reading)
        found.add(await self._outcome(reading, stored, newer, take), reading.ledger)
        return newer

    async def _outcome(
        self, reading: StateReading, stored: StreamStates, newer: set[str], take: Take | None
    ) -> AuditRound:
        contract = {
            each: stream_of_record(
                each,
                record,
                self._storage.contract_id,
                reading.ledger,
                archived=each in reading.archived,
            )
            for each, record in reading.records.items()
            if each not in newer
        }
        outcome = compared(stored, contract)
        return await take(contract) if take and outcome.to_take else outcome

    async def _read_up_to(self, ledger: int) -> None:
        """Wait until the indexer has read `ledger` completely."""
        async with asyncio.timeout(self._patience):
            while True:
                if await self._has_read(ledger):
                    return
                await asyncio.sleep(_POLL_SECONDS)

    async def _has_read(self, ledger: int) -> bool:
        cursor = (await read_progress(self._redis, self._keys)).cursor
        return cursor is not None and next_ledger(cursor) > ledger

    async def _changed_after(self, reading: StateReading) -> set[str]:
        """The streams that have a chain event after the ledger of the reading.

        If Redis has just lost its last writes, all streams: the indexer must read these ledgers
        again before anything can be compared.
        """
        if not await self._has_read(reading.ledger):
            return set(reading.records)
        newest = await self._topics.newest(list(reading.records), _NEWEST)
        return {
            stream_id
            for stream_id, places in newest.items()
            if any(place.ledger > reading.ledger for place in places if not place.by_clock)
        }


def _parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[first : first + size] for first in range(0, len(ids), size))

"""Read the records of all streams, and compare each with the stored state of the same ledger.

A record is the state at the end of RPC's last ledger. So the comparison waits until the indexer has
read this ledger. If the stream has an event after this ledger, its record is read again. A wait
takes seconds, so thousands of records are read before each wait.

RPC can be behind Horizon, and one URL can stand for several servers. An answer that is older than
the first ledger in the journal, or than the end of a gap, does not include events that the indexer
never read. So such an answer is not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import NamedTuple, TypeVar

from redis.asyncio import Redis

from services.indexer.sources.ledger_range import cursor_before, ledger_including, next_ledger
from services.indexer.state.comparison import stream_of_record
from services.indexer.state.contract_storage import ContractStorage, StateReading, StreamCount
from services.indexer.state.findings import AuditRound, ContractStates, compared
from shared.chain.errors import SourceError
from shared.chain.rpc import MOST_KEYS
from shared.domain.position import END, Position, transaction_of
from shared.journal.keys import Keys
from shared.journal.progress import StoredProgress, read_progress
from shared.journal.streams import StoredStreams
from shared.journal.topic_index import TopicIndex

T = TypeVar("T")
_TRIES = 5
"""The most reads of a stream in one round. It is read again if it has newer events."""
_RETRY_SECONDS = 1.0
_MOST_STREAMS = 25 * MOST_KEYS
"""Streams that are read before their records are compared. This limits the memory."""
_POLL_SECONDS = 0.2
_EVENTS = 1_000
"""The most events of a stream after the answer of RPC. Some can be events of the API: notices."""
_MOST_CREATED = 100_000_000
"""No contract has created so many streams. Such a count is a mistake, and would never end."""

Take = Callable[[ContractStates], Awaitable[AuditRound]]
"""Compares the contract's states with the stored ones, and commits changes."""


class _Comparison(NamedTuple):
    """How one round compares. `oldest`: answers of RPC as of an earlier ledger are not used."""

    found: AuditRound
    take: Take | None
    lock: AbstractAsyncContextManager[None]
    pause: float
    oldest: int


class StateRounds:
    """Rounds over all streams of one contract."""

    def __init__(
        self, storage: ContractStorage, redis: Redis, keys: Keys, *, patience: float
    ) -> None:
        """`patience`: seconds to wait until the indexer has read a ledger, or RPC has caught up."""
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
        `pause`: seconds after each read. Raises SourceError, also after `patience`, and the errors
        of `take`.
        """
        count = await self._count()
        found = AuditRound(streams=count.streams)
        comparison = _Comparison(found, take, lock or nullcontext(), pause, count.ledger)
        for part in _parts(range(1, count.streams + 1), _MOST_STREAMS):
            await self._compare([str(number) for number in part], comparison)
        return found

    async def _count(self) -> StreamCount:
        """Wait until RPC is not behind what the indexer has read, and count the streams."""
        await self._read_up_to(0)
        async with self._within_patience("RPC is behind what the indexer has read"):
            while True:
                count = await self._storage.count()
                if count.streams > _MOST_CREATED:
                    text = f"the contract says that it has created {count.streams} streams"
                    raise SourceError("malformed", text)
                if count.ledger >= _base(await read_progress(self._redis, self._keys)):
                    return count
                await asyncio.sleep(_RETRY_SECONDS)

    async def _compare(self, ids: Sequence[str], comparison: _Comparison) -> None:
        """Compare some streams. A stream that has newer events is read at most _TRIES times."""
        for _ in range(_TRIES):
            parts = _parts(ids, MOST_KEYS)
            readings = [await self._read(part, comparison.pause) for part in parts]
            await self._read_up_to(max(reading.ledger for reading in readings))
            again: set[str] = set()
            for reading in readings:
                async with comparison.lock:
                    again |= await self._settle(reading, comparison)
            if not (ids := sorted(again, key=int)):
                return
            await asyncio.sleep(_RETRY_SECONDS)
        comparison.found.unsettled += ids

    async def _read(self, ids: Sequence[str], pause: float) -> StateReading:
        reading = await self._storage.read(ids)
        await asyncio.sleep(pause)
        return reading

    async def _settle(self, reading: StateReading, comparison: _Comparison) -> set[str]:
        """Compare the records of a reading. Returns the streams that must be read again."""
        found, take = comparison.found, comparison.take
        ids = [*reading.records, *reading.unreadable]
        again = await self._changed_after(reading, ids, comparison.oldest)
        contract = self._states(reading, again)
        outcome = compared(await self._streams.load(ids), contract)
        if take and (outcome.to_take or outcome.doubtful):
            outcome = await take(contract)
        found.add(outcome, reading.ledger)
        found.archived -= reading.records.keys()
        found.archived |= reading.archived
        return again.union(outcome.unsettled)

    def _states(self, reading: StateReading, without: set[str]) -> ContractStates:
        states = {
            each: stream_of_record(
                each,
                record,
                self._storage.contract_id,
                reading.ledger,
                archived=each in reading.archived,
            )
            for each, record in reading.records.items()
            if each not in without
        }
        unreadable = {id_: why for id_, why in reading.unreadable.items() if id_ not in without}
        return ContractStates(states, unreadable)

    async def _read_up_to(self, ledger: int) -> None:
        """Wait until the indexer has read `ledger` completely."""
        problem = f"the indexer has not read RPC's last ledger, {ledger}"
        async with self._within_patience(problem if ledger else "the indexer has read nothing yet"):
            while True:
                if _has_read(await read_progress(self._redis, self._keys), ledger):
                    return
                await asyncio.sleep(_POLL_SECONDS)

    @asynccontextmanager
    async def _within_patience(self, problem: str) -> AsyncIterator[None]:
        """Raises SourceError after `patience` seconds."""
        try:
            async with asyncio.timeout(self._patience):
                yield
        except TimeoutError as error:
            text = f"{problem}, for {self._patience:g} s"
            raise SourceError("behind", text) from error

    async def _changed_after(
        self, reading: StateReading, ids: Sequence[str], oldest: int
    ) -> set[str]:
        """The streams that have a chain event after the ledger of the reading.

        All streams if the reading cannot be compared with what the indexer has read. One reason is
        that Redis has just lost its last writes: then the indexer reads these ledgers again.
        """
        progress = await read_progress(self._redis, self._keys)
        is_too_old = reading.ledger < max(oldest, _base(progress))
        if is_too_old or not _has_read(progress, reading.ledger):
            return set(ids)
        end_of_ledger = Position(cursor_before(reading.ledger + 1), END.n)
        later = await self._topics.following(ids, end_of_ledger, _EVENTS)
        return {
            stream_id
            for stream_id, places in later.items()
            if len(places) == _EVENTS or not all(place.by_clock for place in places)
        }


def _has_read(progress: StoredProgress, ledger: int) -> bool:
    return progress.cursor is not None and next_ledger(progress.cursor) > ledger


def _base(progress: StoredProgress) -> int:
    """The state of the contract must be at least as new as this ledger.

    The journal lacks events up to the ledger before its start, and those in a gap.
    """
    starts = [progress.began.toid] if progress.began else []
    starts += [progress.lost] if progress.lost else []
    return max((ledger_including(transaction_of(each)) for each in starts), default=0)


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[first : first + size] for first in range(0, len(items), size))

"""The audit: every stream's stored state is compared with the contract's own, again and again.

Each round reads all streams of the contract through RPC, 200 at a time. A stream that is not stored
yet was created before the first ledger that was read: its state is committed as a snapshot. So all
streams are known after the first round. A stored state that differs is an alarm, and the contract's
state replaces it.

A record is the state at the end of RPC's last ledger. It is compared with the stored state when the
indexer has read that ledger, and no event of the stream after it. Until then the stream is read
again.

See docs/decisions/0083-state-is-read-and-audited.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis

from services.indexer import metrics
from services.indexer.sources.base import SourceError
from services.indexer.sources.ledger_range import next_ledger
from services.indexer.sources.rpc.client import MOST_KEYS
from services.indexer.state.comparison import stream_of_record
from services.indexer.state.contract_storage import ContractStorage, StateReading
from services.indexer.state.findings import AuditRound, compared, to_take
from shared.domain.events import Event
from shared.domain.snapshot import snapshot_event
from shared.journal.commit import Committer
from shared.journal.commit_errors import ContentionError, JournalBehindError
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.journal.progress import read_progress
from shared.journal.topic_index import TopicIndex
from shared.web.probes import Readiness

log = structlog.get_logger()

_ALARM = "state_differs"
_TRIES = 5
"""How often a stream is read in one round, if events of it keep coming."""
_RETRY_SECONDS = 1.0
_POLL_SECONDS = 0.2
_NEWEST = 8
"""So many of a stream's newest events are looked at. Some can be notices and other API events."""


class StateAudit:
    """Audits the streams of one contract.

    `lock` is held by the ingest during each of its commits. So no event of a stream is committed
    between the check that there is none and the commit of the stream's state.
    """

    def __init__(
        self,
        storage: ContractStorage,
        committer: Committer,
        redis: Redis,
        keys: Keys,
        *,
        readiness: Readiness,
        lock: asyncio.Lock,
        seconds: float,
        pause: float = 1.0,
    ) -> None:
        """`seconds`: the time between two rounds. `pause`: between two reads of a later round."""
        self._storage = storage
        self._committer = committer
        self._redis = redis
        self._keys = keys
        self._topics = TopicIndex(redis, keys)
        self._readiness = readiness
        self._lock = lock
        self._seconds = seconds
        self._pause = pause
        self._wanted = asyncio.Event()

    def soon(self) -> None:
        """Begin the next round at once, because the contract or its storage has changed."""
        self._wanted.set()

    async def run(self) -> None:
        """Audit until cancelled. The first round makes no pauses."""
        pause = 0.0
        while True:
            self._wanted.clear()
            try:
                self._report(await self.round(pause))
                pause = self._pause
            except (SourceError, JournalBehindError, ContentionError) as error:
                metrics.AUDITS.labels("failed").inc()
                log.warning("not_audited", error=str(error))
                await asyncio.sleep(min(self._seconds, 5.0))
                continue
            try:
                await asyncio.wait_for(self._wanted.wait(), self._seconds)
            except TimeoutError:
                continue

    async def round(self, pause: float = 0.0) -> AuditRound:
        """Compare all streams once. Raises SourceError, JournalBehindError, ContentionError."""
        await self._read_up_to(0)
        found = AuditRound(streams=await self._storage.count())
        for first in range(1, found.streams + 1, MOST_KEYS):
            ids = [str(n) for n in range(first, min(first + MOST_KEYS, found.streams + 1))]
            await self._compare(ids, found)
            await asyncio.sleep(pause)
        return found

    def _report(self, found: AuditRound) -> None:
        metrics.AUDITS.labels("differs" if found.different else "same").inc()
        metrics.CONTRACT_STREAMS.set(found.streams)
        metrics.EQUAL_STREAMS.set(found.equal + len(found.loaded))
        metrics.AUDIT_LEDGER.set(found.ledger)
        log.info(
            "audited",
            streams=found.streams,
            equal=found.equal,
            loaded=len(found.loaded),
            different=list(found.different)[:10],
            archived=len(found.archived),
            unsettled=len(found.unsettled),
            ledger=found.ledger,
        )
        if found.unreadable:
            some = dict(list(found.unreadable.items())[:10])
            log.error("records_unreadable", count=len(found.unreadable), reasons=some)
        if found.different:
            metrics.ALARM.labels(_ALARM).set(1)
            text = f"streams {', '.join(list(found.different)[:10])} were not as in the contract"
            self._readiness.note(_ALARM, f"{text}; the contract's state was taken (see the log)")

    async def _compare(self, ids: Sequence[str], found: AuditRound) -> None:
        """Compare some streams. Those that have newer events are read again, a few times."""
        for _ in range(_TRIES):
            reading = await self._storage.read(ids)
            await self._read_up_to(reading.ledger)
            async with self._lock:
                newer = await self._changed_after(reading)
                settled = {
                    each: record for each, record in reading.records.items() if each not in newer
                }
                await self._settle(reading._replace(records=settled), found)
            found.archived |= reading.archived
            found.unreadable |= reading.unreadable
            if not (ids := sorted(newer, key=int)):
                return
            await asyncio.sleep(_RETRY_SECONDS)
        found.unsettled += ids

    async def _read_up_to(self, ledger: int) -> None:
        """Wait until the indexer has read everything up to the end of `ledger`."""
        while True:
            progress = await read_progress(self._redis, self._keys)
            if progress.cursor is not None and next_ledger(progress.cursor) > ledger:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _changed_after(self, reading: StateReading) -> set[str]:
        """The streams with an event of the chain after the ledger of the reading.

        All streams, if Redis has just lost its last writes: they are read from the chain again.
        """
        progress = await read_progress(self._redis, self._keys)
        if progress.cursor is None or next_ledger(progress.cursor) <= reading.ledger:
            return set(reading.records)
        newest = await self._topics.newest(list(reading.records), _NEWEST)
        return {
            stream_id
            for stream_id, places in newest.items()
            if any(place.ledger > reading.ledger for place in places if not place.by_clock)
        }

    async def _settle(self, reading: StateReading, found: AuditRound) -> None:
        """Compare the records with the stored states, and commit what is new or different."""
        contract = {
            each: stream_of_record(each, record, self._storage.contract_id, reading.ledger)
            for each, record in reading.records.items()
        }
        progress = await read_progress(self._redis, self._keys)
        now = int(progress.closed_at or 0)
        outcome = AuditRound()

        def decide(stored: StreamStates) -> Sequence[Event]:
            nonlocal outcome
            outcome = compared(stored, contract)
            taken = to_take(outcome, stored, contract)
            return [snapshot_event(contract[each], now) for each in taken]

        if decide(await self._committer.streams.load(list(contract))):
            await self._committer.change(list(contract), decide)
        found.equal += outcome.equal
        found.loaded += outcome.loaded
        found.different |= outcome.different
        found.ledger = reading.ledger
        for stream_id, wrong in outcome.different.items():
            shown = {each.field: [each.stored, each.contract] for each in wrong}
            log.error(_ALARM, stream=stream_id, ledger=reading.ledger, stored_and_contract=shown)

"""The audit: regularly compare the stored state of every stream with the contract's own state.

Each round reads the records of all streams through RPC, 200 in a call. If a stream is not stored
yet, it was created before the first ledger that was read. Then its state is committed as a
snapshot. So all streams are known after the first round. If a stored state differs, the audit
raises an alarm, and the contract's state replaces the stored one.

See docs/decisions/0083-state-is-read-and-audited.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog
from redis.asyncio import Redis

from services.indexer import metrics
from services.indexer.state.contract_storage import ContractStorage
from services.indexer.state.findings import AuditRound, ContractStates, compared
from services.indexer.state.rounds import StateRounds
from shared.chain.errors import SourceError
from shared.domain.events import Event
from shared.domain.snapshot import snapshot_event, uncertain_event
from shared.journal.commit import Committer
from shared.journal.commit_errors import ContentionError, JournalBehindError
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.journal.progress import read_progress
from shared.redis.clock import Clock
from shared.web.probes import Readiness

log = structlog.get_logger()

_ALARM = "state_differs"
_UNREADABLE = "records_unreadable"
_REASON = "record_unreadable"
_PATIENCE = 300.0
"""Seconds to wait until the indexer has read RPC's last ledger, or RPC has caught up with it."""
_UNSETTLED_SECONDS = 10.0
"""Seconds until the next round if some streams could not be compared."""


class StateAudit:
    """Audits the streams of one contract.

    The ingest holds `lock` during each of its commits, and the audit from its check for newer
    events to its commit. So no event is committed in between.
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
        clock: Clock = time.time,
        check: Callable[[], Awaitable[None]],
    ) -> None:
        """`check` is called before each round; it raises SourceError if RPC is too old.

        `clock` returns the time of Redis in Unix seconds. `seconds`: from the end of a round to the
        next round. `pause`: seconds after each read, except in the first round.
        """
        self._rounds = StateRounds(storage, redis, keys, patience=_PATIENCE)
        self._check = check
        self._committer = committer
        self._redis = redis
        self._keys = keys
        self._readiness = readiness
        self._lock = lock
        self._seconds = seconds
        self._pause = pause
        self._clock = clock
        self._wanted = asyncio.Event()

    def soon(self) -> None:
        """Begin the next round at once, because stored streams may be wrong."""
        self._wanted.set()

    async def run(self) -> None:
        """Audit until cancelled. The first round makes no pauses."""
        pause = 0.0
        while True:
            self._wanted.clear()
            try:
                found = await self.round(pause)
                self._report(found)
                pause = self._pause
                wait = min(self._seconds, _UNSETTLED_SECONDS) if found.unsettled else self._seconds
            except (SourceError, JournalBehindError, ContentionError) as error:
                metrics.AUDITS.labels("failed").inc()
                log.warning("not_audited", error=str(error))
                await asyncio.sleep(min(self._seconds, 5.0))
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wanted.wait()

    async def round(self, pause: float = 0.0) -> AuditRound:
        """Compare all streams once. Raises SourceError, JournalBehindError, ContentionError."""
        await self._check()
        return await self._rounds.round(self._take, self._lock, pause)

    def _report(self, found: AuditRound) -> None:
        metrics.AUDITS.labels("differs" if found.different else "same").inc()
        metrics.CONTRACT_STREAMS.set(found.streams)
        metrics.EQUAL_STREAMS.set(found.equal + len(found.loaded) + len(found.repaired))
        metrics.ARCHIVED_STREAMS.set(len(found.archived))
        metrics.AUDIT_LEDGER.set(found.ledger)
        log.info(
            "audited",
            streams=found.streams,
            equal=found.equal,
            loaded=len(found.loaded),
            repaired=len(found.repaired),
            different=list(found.different)[:10],
            archived=len(found.archived),
            unsettled=len(found.unsettled),
            ledger=found.ledger,
        )
        metrics.ALARM.labels(_UNREADABLE).set(bool(found.unreadable))
        note = ""
        if found.unreadable:
            some = dict(list(found.unreadable.items())[:10])
            log.error(_UNREADABLE, count=len(found.unreadable), reasons=some)
            note = f"records of streams {', '.join(some)} are missing or unreadable (see the log)"
        self._readiness.note(_UNREADABLE, note)
        if found.different:
            metrics.ALARM.labels(_ALARM).set(1)
            ids = ", ".join(list(found.different)[:10])
            text = f"the stored states of streams {ids} differed from the contract's"
            self._readiness.note(_ALARM, f"{text} and were replaced by them (see the log)")

    async def _take(self, contract: ContractStates) -> AuditRound:
        """Commit the contract's states of the streams in `to_take`, and what is uncertain now."""
        progress = await read_progress(self._redis, self._keys)
        # The close time is unknown until the indexer has committed a ledger that has one.
        now = int(progress.closed_at or self._clock())
        outcome = AuditRound()

        def decide(stored: StreamStates) -> Sequence[Event]:
            nonlocal outcome
            outcome = compared(stored, contract)
            return [
                *(snapshot_event(contract.streams[each], now) for each in outcome.to_take),
                *(uncertain_event(each, now, _REASON) for each in outcome.doubtful),
            ]

        await self._committer.change([*contract.streams, *contract.unreadable], decide)
        for stream_id, wrong in outcome.different.items():
            shown = {each.field: [each.stored, each.contract] for each in wrong}
            ledger = contract.streams[stream_id].state_ledger
            log.error(_ALARM, stream=stream_id, ledger=ledger, stored_and_contract=shown)
        return outcome

"""Compare recent ledgers in the journal with the inactive source.

A proof shows that an event is real, but not that a source sent every event. This comparison finds
events that one source left out. It covers only ledgers that this process has read completely.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis

from services.indexer import metrics
from services.indexer.sources.base import Source
from services.indexer.sources.failover.source import FailoverSource
from services.indexer.sources.ledger_range import cursor_before, next_ledger
from shared.chain.errors import FatalSourceError, SourceError
from shared.domain.events import Event, EventType, Origin
from shared.domain.position import Position, parse_position
from shared.journal.keys import Keys
from shared.journal.progress import read_progress
from shared.journal.reader import Journal
from shared.journal.wire import encode
from shared.web.probes import Readiness

log = structlog.get_logger()

_LEDGERS = 20
"""The most ledgers in one comparison: few, because Horizon sends all their transactions."""
_MAX_SECONDS = 60.0
_IGNORED_FIELDS = ("verified", "ledgerClosedAt", "schedule")
"""Two fields that are unknown if the source has deleted the transaction; a time that can differ."""
_ALARM = "sources_differ"

Bodies = Mapping[Position, Mapping[str, Any]]


class Reconciliation:
    """Compares every `seconds` seconds.

    `comparison_sources`: both sources, created a second time, used only for the comparison.
    """

    def __init__(
        self,
        failover: FailoverSource,
        comparison_sources: Sequence[Source],
        redis: Redis,
        keys: Keys,
        readiness: Readiness,
        *,
        seconds: float,
    ) -> None:
        self._failover = failover
        self._comparison_sources = {each.name: each for each in comparison_sources}
        self._redis = redis
        self._keys = keys
        self._journal = Journal(redis, keys)
        self._readiness = readiness
        self._seconds = seconds
        self._first: int | None = None

    async def run(self) -> None:
        """Compare regularly, until cancelled."""
        while True:
            try:
                await self._compare()
            except (SourceError, FatalSourceError, TimeoutError) as error:
                metrics.RECONCILIATIONS.labels("failed").inc()
                log.warning("not_reconciled", source=self._failover.other, error=repr(error))
                if isinstance(error, FatalSourceError) and error.kind == "unproved":
                    metrics.ALARM.labels(error.kind).set(1)
            await asyncio.sleep(self._seconds)

    async def _compare(self) -> None:
        cursor = (await read_progress(self._redis, self._keys)).cursor
        if cursor is None:
            return
        ledger = next_ledger(cursor)
        if self._first is None:
            # Begin with the next ledger: an earlier process may have read a part of this one.
            self._first = ledger + 1
        # Leave out the last ledger: a ledger in Horizon is complete only when the next one exists.
        first, last = max(self._first, ledger - _LEDGERS), ledger - 2
        journal_bodies, first = await self._journal_bodies(first, last)
        if first > last:
            return
        async with asyncio.timeout(_MAX_SECONDS):
            source_bodies = await _read(
                self._comparison_sources[self._failover.other],
                cursor_before(first),
                cursor_before(last + 1),
            )
        self._report(difference(journal_bodies, source_bodies), first, last)

    async def _journal_bodies(self, first: int, last: int) -> tuple[Bodies, int]:
        """Read the journal's chain events; returns them and the first ledger that is complete."""
        entries = await self._journal.of_ledgers(first, last)
        cuts = [e.position for e in entries if e.type == EventType.CHAIN_GAP]
        oldest = await self._journal.oldest()
        if oldest and oldest.previous != "0-0":  # trimmed: the oldest ledger may be incomplete
            cuts.append(oldest.position)
        first = max([first, *(parse_position(each).ledger + 1 for each in cuts)])
        bodies = {parse_position(e.position): orjson.loads(e.body) for e in entries}
        return {
            position: body
            for position, body in bodies.items()
            if body["origin"] == Origin.CHAIN and position.ledger >= first
        }, first

    def _report(self, found: str | None, first: int, last: int) -> None:
        metrics.RECONCILIATIONS.labels("differs" if found else "same").inc()
        if found is None:
            log.debug("reconciled", first=first, last=last, source=self._failover.other)
            return
        metrics.ALARM.labels(_ALARM).set(1)
        text = f"{_ALARM}: {found} ({self._failover.other}, ledgers {first} to {last})"
        self._readiness.note(_ALARM, text)
        log.error(_ALARM, first=first, last=last, source=self._failover.other, error=found)


async def _read(source: Source, start: int, end: int) -> Bodies:
    """Read the events after the TOID `start`, up to the TOID `end`, as the journal stores them."""
    events: dict[Position, Mapping[str, Any]] = {}
    async with aclosing(source.batches(start)) as batches:
        async for batch in batches:
            events |= {e.position: _body(e) for e in batch.events if e.position}
            if batch.cursor >= end:
                break
    return {position: body for position, body in events.items() if position.toid <= end}


def _body(event: Event) -> Mapping[str, Any]:
    body: dict[str, Any] = orjson.loads(encode(event, ())[1])
    return {name: value for name, value in body.items() if name not in _IGNORED_FIELDS}


def difference(journal_bodies: Bodies, source_bodies: Bodies) -> str | None:
    """Describe the first difference between the journal and the source; None if they are equal."""
    for position in sorted(journal_bodies.keys() | source_bodies.keys()):
        if position not in source_bodies:
            return f"the other source does not have {position}"
        if position not in journal_bodies:
            return f"the journal does not have {position}"
        journal_body = journal_bodies[position]
        for name, value in source_bodies[position].items():
            if journal_body.get(name) != value:
                return (
                    f"{position}: {name} is {journal_body.get(name)!r:.80} in the journal, "
                    f"{value!r:.80} in the other source"
                )
    return None

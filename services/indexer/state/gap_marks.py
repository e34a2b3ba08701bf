"""After a gap, any stream may have lost events. So all streams are marked as uncertain.

Their claimable amounts are then unknown, until a snapshot of the contract's record makes them
certain again (services.indexer.state.audit). Without RPC_URL, they stay uncertain.

The gap is stored together with the cursor after it. So the streams are marked even if the indexer
ends between the two.

See docs/decisions/0089-after-a-gap-amounts-are-unknown.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis

from services.indexer.sources.ledger_range import ledger_including
from shared.domain.events import Event, Origin
from shared.domain.snapshot import uncertain_event
from shared.domain.stream import Stream
from shared.journal.commit import Committer
from shared.journal.commit_errors import ContentionError, JournalBehindError
from shared.journal.indexes import of_origin
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.journal.progress import progress_fields, read_progress
from shared.journal.stream_indexes import StreamIndexes
from shared.redis.clock import Clock

log = structlog.get_logger()

_REASON = "gap"
_STREAMS = 200
"""Streams in a commit."""
_RETRY_SECONDS = 1.0


class GapMarks:
    """Marks the streams of one namespace. `clock` returns the time of Redis in Unix seconds."""

    def __init__(self, committer: Committer, redis: Redis, keys: Keys, clock: Clock) -> None:
        self._committer = committer
        self._indexes = StreamIndexes(redis, keys)
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._wanted = asyncio.Event()

    def soon(self) -> None:
        """Mark the streams, because a gap was committed."""
        self._wanted.set()

    async def run(self) -> None:
        """Mark after each gap, until cancelled. The last gap may be from before the start."""
        while True:
            self._wanted.clear()
            try:
                await self.mark()
            except (JournalBehindError, ContentionError) as error:
                log.warning("streams_not_marked", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            await self._wanted.wait()

    async def mark(self) -> None:
        """Mark all streams, if that was not done since the last gap.

        Raises JournalBehindError, ContentionError.
        """
        progress = await read_progress(self._redis, self._keys)
        if progress.lost is None or progress.lost == progress.marked:
            return
        ledger, count = ledger_including(progress.lost), 0
        streams = self._indexes.walk(of_origin(Origin.CHAIN), _STREAMS, newest_first=False)
        async for stream_ids in streams:
            count += await self._mark(stream_ids, ledger)
        await self._committer.record([], progress=progress_fields(marked=progress.lost))
        log.info("streams_marked", streams=count, lost_up_to=ledger)

    async def _mark(self, stream_ids: Sequence[str], ledger: int) -> int:
        now = int(self._clock())

        def decide(stored: StreamStates) -> list[Event]:
            doubtful = (each for each in stored.values() if each and _is_doubtful(each, ledger))
            return [uncertain_event(stream.id, now, _REASON) for stream in doubtful]

        return len((await self._committer.change(stream_ids, decide)).writes)


def _is_doubtful(stream: Stream, ledger: int) -> bool:
    """True if events of the stream can be missing up to the end of `ledger`."""
    is_known = stream.terminal or stream.uncertain or stream.state_ledger >= ledger
    return not is_known and stream.origin is Origin.CHAIN

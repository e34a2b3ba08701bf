"""Handles published events that Redis lost, in a failover or because Redis was emptied.

The chain's events come back with the same positions, and subscribers that have seen them must not
get them again. The API's events do not come back. After all events of the chain have come back, the
subscribers that had received an event that stays lost must get `reset`.

After a restore from the archive, the API's events come back too.

See docs/decisions/0052-reset-for-lost-api-events.md,
docs/decisions/0122-restore-brings-the-journal-back.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from services.fanout.feed.recent import RecentEvents
from shared.domain.events import EventType
from shared.domain.position import START, Position, journal_start, parse_position
from shared.journal.divergence import last_common_position
from shared.journal.keys import Keys
from shared.journal.losses import DataLossDetector, write_report
from shared.journal.reader import Journal, JournalTip
from shared.journal.wire import JournalEntry
from shared.runtime.metrics import LOST_EVENT

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LostEvents:
    """The events that did not come back, each with the epoch that began with its loss.

    `everything` says that Redis was emptied. Then `events` is empty.
    """

    events: Sequence[tuple[int, JournalEntry]]
    everything: bool = False


class Failover:
    """The state of one feed during and after a loss.

    `suspected` is True if the journal may lack published events. `journal` is that of the primary.
    `epoch` counts the losses. An event that comes back is only for subscribers that joined after it
    was lost. Subscribers that joined in an earlier epoch have already seen the event.
    """

    def __init__(self, redis: Redis, keys: Keys, journal: Journal) -> None:
        self.suspected = False
        self.last_seen = DataLossDetector()
        self.epoch = 0
        self.highest = START  # highest published position that the journal may lack
        self._redis = redis
        self._keys = keys
        self._journal = journal
        self._name = secrets.token_hex(8)
        self._emptied = False
        self._announced_reset = START  # position of the last journal.reset that was published
        # The lost events by position, each with the epoch that began with its loss.
        self._lost: dict[str, tuple[int, JournalEntry]] = {}
        # For each loss: the floor of the recent events at that time, and the epoch after the loss.
        self._floors: list[tuple[Position, int]] = []

    def check(self, previous: JournalTip | None, tip: JournalTip, published: Position) -> None:
        """Suspect a loss if Redis may have lost published events between `previous` and `tip`."""
        if self._may_have_lost(previous, tip, published):
            self.suspected = True

    def _may_have_lost(
        self, previous: JournalTip | None, tip: JournalTip, published: Position
    ) -> bool:
        if self.last_seen.is_back(tip):
            self.last_seen.adopt(tip)
            self._emptied = False
            return True
        if self.last_seen.lost and published < tip.top:
            # Too early to check: the feed must first publish the journal's newer events. A new
            # journal that is still empty has none. Without a rewind, its beginning would be a gap.
            return self._emptied and tip.empty
        known = previous.cursor if previous and published >= previous.top else None
        self.last_seen.update(published, known)
        emptied = self.last_seen.check(tip)
        if emptied and START < tip.last_reset == self._announced_reset:
            # The journal.reset of this loss was published before this check.
            self.last_seen.adopt(tip)
            return False
        self._emptied |= emptied
        # Another server means a failover or a restart. Return True even if the tips show no loss:
        # lost chain events may have come back already, so the caller must compare all events.
        server = previous.server if previous else None
        return emptied or (server is not None and server != tip.server)

    async def report(self) -> None:
        """While a loss of all data is not announced, report to the indexer what was published."""
        if self.last_seen.lost:
            await write_report(self._redis, self._keys, self._name, self.last_seen)

    async def rewind(self, recent: RecentEvents) -> bool:
        """Remove the recent events that the journal lacks. False if the journal has all of them."""
        self.suspected = False
        try:
            return await self._rewind(recent)
        except BaseException:
            self.suspected = True
            raise

    async def _rewind(self, recent: RecentEvents) -> bool:
        """The comparison and the removal.

        There is no await between finding the last common event and removing the events after it.
        """
        if emptied := self._emptied:
            began = (await self._journal.tip()).began
            if began is None and self.last_seen.cursor is not None:
                return False  # an indexer begins a new journal, or a restore brings the old one
            common = began or START
        else:
            # if nothing can be compared any more, all recent events count as lost
            common = await last_common_position(self._journal, recent) or recent.floor
            if common >= recent.top:
                return False
        log.error("journal_went_backwards", published=str(recent.top), agreed=str(common))
        self.epoch += 1
        self.highest = max(self.highest, recent.top)
        self._floors.append((recent.floor, self.epoch))
        removed = recent.truncate(START if emptied else common)
        self._lost |= {entry.position: (self.epoch, entry) for entry in removed}
        if emptied:
            recent.clear(common)
            self._emptied = False
        return True

    def epoch_of(self, entry: JournalEntry) -> int:
        """The lowest epoch whose subscribers have not seen this entry, which is now published."""
        if entry.type == EventType.JOURNAL_RESET:
            self._announced_reset = parse_position(entry.position)
        if lost := self._lost.pop(entry.position, None):
            return lost[0]
        if not self._floors:
            return 0
        position = parse_position(entry.position)
        return max((epoch for floor, epoch in self._floors if position <= floor), default=0)

    def is_over(self, tip: JournalTip, published: Position) -> bool:
        """True if all events that come back after a loss were published again."""
        if self.highest == START or published < tip.top:
            return False
        if self.last_seen.lost:
            # Not over until the indexer announces the loss. But if there never was a cursor, no
            # indexer has ever run, and there is no announcement to wait for.
            return self.last_seen.cursor is None and tip.cursor is None
        return tip.cursor is None or journal_start(tip.cursor, 0).toid >= self.highest.toid

    def end(self, tip: JournalTip) -> LostEvents:
        """Forget the loss. Returns the events that stay lost.

        There are none if Redis was emptied, or if journal.reset has announced the loss.
        """
        everything = self.last_seen.lost
        announced = self.highest <= tip.last_reset
        if everything:
            self.last_seen.adopt(tip)
        lost = list(self._lost.values())
        if lost:
            LOST_EVENT.inc(len(lost))
            positions = sorted(parse_position(entry.position) for _, entry in lost)
            first, last = str(positions[0]), str(positions[-1])
            log.error("events_lost", count=len(lost), first=first, last=last)
        self.highest = START
        self._lost.clear()
        self._floors.clear()
        return LostEvents(() if announced or everything else lost, everything)

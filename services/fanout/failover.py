"""What a failover took, or the loss of all of Redis: what was published and is not in the journal.

The chain's events come back, with the positions that they had; who has seen them must not get them
again. The API's are gone; who was told of them must be told so, once all that comes back is back.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from services.fanout.fork import find_fork
from services.fanout.ring import Ring
from shared.journal import Head, Journal
from shared.keys import Keys
from shared.losses import Memory, report
from shared.metrics import LOST_EVENT
from shared.positions import START, Position, beginning, parse_position
from shared.wire import Entry

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Gone:
    """What did not come back: these events, each with the epoch that lost it; or everything."""

    events: Sequence[tuple[int, Entry]]
    everything: bool = False


class Failover:
    """Of one feed.

    `epoch` counts the losses. What comes back after one is only for those who joined in it or
    later, since all who joined before have seen it.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.memory = Memory()
        self.epoch = 0
        self.highest = START  # that was published and may be missing in the journal
        self._redis = redis
        self._keys = keys
        self._name = secrets.token_hex(8)
        self._emptied = False
        self._lost: dict[str, tuple[int, Entry]] = {}  # by position, with the epoch that lost it
        self._floors: list[tuple[Position, int]] = []  # up to where the ring had dropped events

    def look(self, before: Head | None, head: Head, published: Position) -> bool:
        """Whether this head is the first to show another journal than that of `before`."""
        if self.memory.lost and published < head.top:  # first all that is there is published
            return False
        known = before.cursor if before and published >= before.top else None
        self.memory.saw(published, known)
        emptied = self.memory.look(head)
        self._emptied |= emptied
        # What was lost may lie below what came back before anyone looked: all has to be compared.
        server = before.server if before else None
        return emptied or (server is not None and server != head.server)

    async def report(self) -> None:
        """Let the indexer know what was published, until it has told everyone of the loss."""
        if self.memory.lost:
            await report(self._redis, self._keys, self._name, self.memory)

    async def rewind(self, journal: Journal, ring: Ring) -> bool:
        """Take back what the journal does not hold any more; False when it holds all.

        There is no await between looking for the last one that it holds and taking the others back.
        """
        if emptied := self._emptied:
            fork = (await journal.head()).began or START
        elif (fork := await find_fork(journal, ring)) >= ring.top:
            return False
        log.error("journal_went_backwards", published=str(ring.top), agreed=str(fork))
        self.epoch += 1
        self.highest = max(self.highest, ring.top)
        self._floors.append((ring.floor, self.epoch))
        taken = ring.cut(START if emptied else fork)
        self._lost |= {entry.position: (self.epoch, entry) for entry in taken}
        if emptied:
            ring.clear(fork)
            self._emptied = False
        return True

    def epoch_of(self, entry: Entry) -> int:
        """The lowest epoch whose members have not seen this next entry of the journal."""
        if found := self._lost.pop(entry.position, None):
            return found[0]
        if not self._floors or (place := parse_position(entry.position)).by_clock:
            return 0
        return max((epoch for floor, epoch in self._floors if place <= floor), default=0)

    def is_over(self, head: Head, published: Position) -> bool:
        """Whether all that comes back after a loss was published again."""
        if self.highest == START or published < head.top:
            return False
        if self.memory.lost:  # the indexer says when; where there never was one nothing comes back
            return self.memory.cursor is None and head.cursor is None
        return head.cursor is None or beginning(head.cursor, 0).toid >= self.highest.toid

    def end(self, head: Head) -> Gone:
        """Forget the loss. What is gone, as far as those who had it have not been told."""
        everything = self.memory.lost
        told = self.highest <= head.told
        if everything:
            self.memory.forget(head)
        gone = list(self._lost.values())
        if gone:
            LOST_EVENT.inc(len(gone))
            places = sorted(parse_position(entry.position) for _, entry in gone)
            log.error("events_lost", count=len(gone), first=str(places[0]), last=str(places[-1]))
        self.highest = START
        self._lost.clear()
        self._floors.clear()
        return Gone(() if told or everything else gone, everything)

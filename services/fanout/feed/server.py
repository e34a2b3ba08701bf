"""The Redis that the feed reads: the primary, or a replica that is compared with the primary.

Whether Redis has lost an event is decided by the primary alone. A replica that has fewer events is
only behind. The feed reads a replica while its journal is a beginning of the primary's journal
(`in_step`), and waits otherwise.

See docs/decisions/0102-fanouts-read-from-replicas.md.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from services.fanout import metrics
from services.fanout.feed.replica_state import Info, ReplicationLag, difference, is_cut_off
from services.fanout.feed.single_flight import SingleFlightReader
from shared.archive.errors import ArchiveError
from shared.archive.history import with_archive
from shared.domain.position import Position
from shared.journal.keys import Keys
from shared.journal.pages import JournalPages
from shared.journal.reader import Journal, JournalPage, JournalTip, parse_tip, queue_tip
from shared.journal.topic_reader import TopicReader
from shared.journal.wire import JournalEntry
from shared.redis.replica import connect_to_replica

if TYPE_CHECKING:
    from shared.archive.pages import ArchivePages

BOUND_SECONDS = 5.0
"""A replica that has a problem for this long makes the fanout unready. A resume waits as long."""
_MOVE_SECONDS = 10.0
"""The shortest time between two changes of the server because of a problem."""
_RETURN_SECONDS = 300.0
"""About how long the feed reads the primary, for want of a replica, until it looks again."""
_POLL = 0.1


class ReplicaBehindError(RedisConnectionError):
    """The replica still lacks a position that the primary has. The client must come back later."""


class Tips(NamedTuple):
    """The ends of two journals: of the server that the feed reads, and of the primary."""

    own: JournalTip
    primary: JournalTip


class FeedServer:
    """`redis`, `journal` and `reader` are of the server that the feed reads.

    `primary` and `primary_journal` are of the primary. Without `feed_url` they are the same.
    `reader` also reads the `archive`, if there is one.
    """

    def __init__(
        self, primary: Redis, keys: Keys, feed_url: str = "", archive: ArchivePages | None = None
    ) -> None:
        self._choice = None
        self.redis = self.primary = primary
        if feed_url:
            self.redis, self._choice = connect_to_replica(feed_url)
        self.primary_journal = Journal(primary, keys)
        self.journal = Journal(self.redis, keys) if feed_url else self.primary_journal
        by_topic = TopicReader(self.redis, keys, self.journal)
        self.has_archive = archive is not None
        pages = SingleFlightReader(JournalPages(self.journal, by_topic))
        self.reader = with_archive(pages, self.journal, archive)
        self.keys = keys
        self._tips: Tips | None = None
        self._reads = 0
        self._lock = asyncio.Lock()
        self._compared = -1  # the generation of the connections that were compared last
        self._difference: str | None = None
        self._lag = ReplicationLag()
        self._problem: str | None = None
        self._since = self._moved = time.monotonic()
        self._is_primary = False

    async def archived_after(self, position: Position, limit: int) -> Sequence[JournalEntry]:
        """The entries that follow a position and that the journal lacks.

        Empty if the archive lacks them too, or if it is away: live events do not wait for it.
        """
        if self.has_archive:
            with suppress(ArchiveError):
                match await self.reader.after(position, limit):
                    case JournalPage([first, *_] as entries) if first.previous == str(position):
                        return entries
        return ()

    @property
    def generation(self) -> int:
        """Grows when the server changes."""
        return self._choice.generation.number if self._choice else 0

    @property
    def in_step(self) -> bool:
        """True if the journal that is read is the primary's, or a beginning of it."""
        if self._choice is None:
            return True
        return self._compared == self.generation and self._difference is None

    @property
    def reason(self) -> str | None:
        """Why the replica cannot be used, once this has lasted for BOUND_SECONDS. Else None."""
        if self._problem is None or time.monotonic() - self._since < BOUND_SECONDS:
            return None
        return f"the replica of Redis {self._name} {self._problem}".replace("  ", " ")

    @property
    def note(self) -> str | None:
        """For /readyz: which replica is read, and how far it is behind."""
        if self._choice is None:
            return None
        seconds = self._lag.seconds(time.monotonic())
        state = self._problem or ("is the primary" if self._is_primary else "follows the primary")
        return f"{self._name} {state}, {seconds:.1f} s behind"

    @property
    def _name(self) -> str:
        return self._choice.name if self._choice else ""

    async def read(self) -> Tips:
        """Read both tips, and compare them. Raises redis-py's errors."""
        async with self._lock:
            return await self._read()

    async def has(self, position: Position) -> bool:
        """Wait until the replica has all events up to `position`.

        False if Redis has lost the position, or if the feed reads the primary. Raises
        ReplicaBehindError after BOUND_SECONDS, and redis-py's errors.
        """
        if self._choice is None:
            return False
        until = time.monotonic() + BOUND_SECONDS
        while True:
            own, primary = await self._read_from_now_on()
            if self.in_step and own.top >= position:
                return True
            if self.in_step and primary.top < position:
                return False
            if time.monotonic() > until:
                raise ReplicaBehindError(f"{self._name} has no events up to {position} yet")
            await asyncio.sleep(_POLL)

    def move_on(self) -> None:
        """Choose another server if a problem lasts, or if the primary is read for want of one."""
        now = time.monotonic()
        if self._choice is None:
            return
        here = now - self._moved
        if (self.reason and here > _MOVE_SECONDS) or (self._is_primary and here > _RETURN_SECONDS):
            self._moved = now - random.uniform(0, _MOVE_SECONDS / 2)  # not all fanouts at once
            self._choice.leave(self._choice.current)

    async def aclose(self) -> None:
        """Close the connections to the replica."""
        if self._choice is not None:
            await self.redis.aclose()

    async def _read_from_now_on(self) -> Tips:
        """A read that begins now or later. Callers that wait at the same time share it."""
        reads = self._reads
        async with self._lock:
            if self._reads > reads and self._tips:
                return self._tips
            return await self._read()

    async def _read(self) -> Tips:
        self._reads += 1
        if self._choice is None:
            tip = await self.primary_journal.tip()
            return Tips(tip, tip)
        compared = self.generation
        try:
            own, own_info = await self._tip_of(self.redis)
        except (RedisError, OSError):
            self._set_problem("does not answer")
            raise
        # The primary is read last, so it has at least what the replica has.
        primary, info = await self._tip_of(self.primary)
        self._difference, self._compared = difference(own, own_info, primary, info), compared
        self._is_primary = own_info.get("role") == "master"
        self._observe(own, own_info, primary)
        self._tips = Tips(own, primary)
        return self._tips

    async def _tip_of(self, redis: Redis) -> tuple[JournalTip, Info]:
        pipe = redis.pipeline(transaction=False)
        queue_tip(pipe, self.keys)
        pipe.info("replication")
        stored, rows, info = await pipe.execute()
        return parse_tip(stored, rows), info

    def _observe(self, own: JournalTip, own_info: Info, primary: JournalTip) -> None:
        now = time.monotonic()
        self._lag.update(own, primary, now)
        seconds = self._lag.seconds(now)
        metrics.REPLICA_LAG.set(seconds)
        cut_off = "has no connection to its primary" if is_cut_off(own_info) else None
        behind = "is behind the primary" if seconds else None
        self._set_problem(self._difference or cut_off or behind)

    def _set_problem(self, problem: str | None) -> None:
        if self._problem is None:
            self._since = time.monotonic()
        self._problem = problem

"""The feed's subscription to the channel: whether it is alive, and what was heard on it."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from services.fanout.feed.pubsub import ChannelReader, OnMessage, OnRead, subscribe
from services.fanout.feed.server import FeedServer
from shared.domain.position import START, Position
from shared.journal.keys import CHANNEL
from shared.journal.reader import JournalTip

log = structlog.get_logger()


@dataclass(slots=True)
class Channel:
    """`heard` is the position of the newest message. `generation` is that of its server."""

    reader: ChannelReader | None = None
    generation: int = 0
    heard: Position = START

    async def open(
        self, server: FeedServer, on_message: OnMessage, on_read: OnRead
    ) -> ChannelReader:
        """Subscribe. Raises the errors of Redis, and TimeoutError after three seconds."""
        self.generation = server.generation
        self.reader = await subscribe(server.redis, CHANNEL, on_message, on_read, seconds=3.0)
        return self.reader

    @property
    def is_open(self) -> bool:
        """Whether messages can arrive."""
        return self.reader is not None and not self.reader.closed.done()

    def close_if_deaf(self, previous: JournalTip | None, tip: JournalTip) -> None:
        """Close it if no message announced the last entry of the previous check."""
        expected = previous.top if previous and not previous.empty else START
        if self.reader and tip.top >= expected > self.heard:
            log.warning("channel_deaf", top=str(expected), heard=str(self.heard))
            self.reader.close()

    def close_if_moved(self, generation: int) -> None:
        """Close it if the journal is now read from another server."""
        if self.reader and generation != self.generation:
            self.reader.close()

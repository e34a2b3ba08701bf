"""Reading a history page by page: all events, or the events of some topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.domain.position import Position
from shared.domain.topics import ALL
from shared.journal.reader import Journal, Page
from shared.journal.topic_reader import TopicReader


class PageReader(Protocol):
    """Reads the next page of a history. Each read has the three answers of the journal."""

    async def after(self, position: Position, limit: int) -> Page:
        """Like `Journal.after`."""

    async def of_topics(
        self, topics: Sequence[str], position: Position, until: Position, limit: int
    ) -> Page:
        """Like `TopicReader.after`."""


async def next_page(
    reader: PageReader, topics: Sequence[str], after: Position, until: Position, limit: int
) -> Page:
    """The next events of these topics. With the topic of all events, some can be above `until`."""
    if ALL in topics:
        return await reader.after(after, limit)
    return await reader.of_topics(topics, after, until, limit)


class JournalPages:
    """The pages of the journal. A PageReader."""

    def __init__(self, journal: Journal, by_topic: TopicReader) -> None:
        self._journal = journal
        self._by_topic = by_topic

    async def after(self, position: Position, limit: int) -> Page:
        """The next page of all events."""
        return await self._journal.after(position, limit)

    async def of_topics(
        self, topics: Sequence[str], position: Position, until: Position, limit: int
    ) -> Page:
        """The next page of the events of these topics, and of the events for everyone."""
        return await self._by_topic.after(topics, position, until, limit)

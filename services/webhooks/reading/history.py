"""The history that endpoints read which are behind: the journal, and the archive where it ends."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from services.webhooks.settings import DispatcherSettings
from shared.archive.history import JoinedHistory
from shared.archive.opening import open_archive
from shared.domain.position import Position
from shared.domain.topics import ALL
from shared.journal.pages import JournalPages, PageReader
from shared.journal.reader import Journal, Page
from shared.journal.topic_reader import TopicReader


def open_history(settings: DispatcherSettings, redis: Redis, journal: Journal) -> PageReader:
    """The journal's pages, joined with the archive of ARCHIVE_URL if there is one."""
    pages = JournalPages(journal, TopicReader(redis, settings.keys, journal))
    archive = open_archive(settings, settings.keys.namespace)
    if archive is None:
        return pages
    return JoinedHistory(pages, archive, journal_start=journal.start, freshen=archive.freshen)


async def page_of(
    history: PageReader, topics: Sequence[str], after: Position, to: Position, limit: int
) -> Page:
    """The next events of these topics. With the topic of all events, some can be above `to`."""
    if ALL in topics:
        return await history.after(after, limit)
    return await history.of_topics(topics, after, to, limit)

"""The history that endpoints read which are behind: the journal, and the archive where it ends."""

from __future__ import annotations

from redis.asyncio import Redis

from services.webhooks.settings import DispatcherSettings
from shared.archive.history import with_archive
from shared.archive.opening import open_archive
from shared.journal.pages import JournalPages, PageReader
from shared.journal.reader import Journal
from shared.journal.topic_reader import TopicReader


def open_history(settings: DispatcherSettings, redis: Redis, journal: Journal) -> PageReader:
    """The journal's pages, joined with the archive of ARCHIVE_URL if there is one."""
    pages = JournalPages(journal, TopicReader(redis, settings.keys, journal))
    return with_archive(pages, journal, open_archive(settings, settings.keys.namespace))

"""Builds the event history and adds its routes."""

from __future__ import annotations

from aiohttp import web
from redis.asyncio import Redis

from services.api.events.archive_part import ArchivePart
from services.api.events.export import add_export_route
from services.api.events.history import EventHistory
from services.api.events.journal_part import JournalPart
from services.api.events.routes import EVENT_HISTORY, add_event_routes
from services.api.settings import SETTINGS
from shared.archive.opening import open_archive
from shared.journal.reader import Journal


def add_history(app: web.Application, redis: Redis, journal: Journal) -> None:
    """Add the history of the journal, and of the archive if ARCHIVE_URL is set."""
    settings = app[SETTINGS]
    journal_part = JournalPart(redis, settings.keys, journal)
    archive = open_archive(settings, settings.keys.namespace)
    part = ArchivePart(archive, journal_part, journal) if archive else journal_part
    app[EVENT_HISTORY] = EventHistory(journal, part)
    add_event_routes(app)
    add_export_route(app)

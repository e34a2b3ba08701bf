"""Builds the event history and adds its routes."""

from __future__ import annotations

from aiohttp import web
from redis.asyncio import Redis

from services.api.events.export import add_export_route
from services.api.events.history import EventHistory
from services.api.events.journal_part import JournalPart
from services.api.events.routes import EVENT_HISTORY, add_event_routes
from services.api.settings import SETTINGS
from shared.journal.reader import Journal


def add_history(app: web.Application, redis: Redis, journal: Journal) -> None:
    """Add the history of the journal, and of the archive if ARCHIVE_URL is set."""
    keys = app[SETTINGS].keys
    part = JournalPart(redis, keys, journal)
    app[EVENT_HISTORY] = EventHistory(journal, part)
    add_event_routes(app)
    add_export_route(app)

"""GET /v1/events/export: all events that match, oldest first, as one file.

The file is written while the history is read, page by page. So the memory that an export needs
does not depend on its length, and a slow client slows only its own export down. If the history
cannot be read to its end, the connection ends before the end of the answer: HTTP clients report
this as an error.

See docs/decisions/0124-journal-and-archive-are-one-history.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

import orjson
import structlog
from aiohttp import ClientConnectionResetError, web

from services.api.events.export_formats import MEDIA, ExportFormat, export_format
from services.api.events.history import EventHistory, EventPage
from services.api.events.permissions import require_topics
from services.api.events.routes import EVENT_HISTORY, topics_of_query
from services.api.events.schemas import ExportQuery
from services.api.http.request_keys import CALLER
from services.api.http.requests import read_query
from services.api.streams.routes import STREAMS
from shared.archive.errors import ArchiveError
from shared.auth.principal import ANYONE, Principal
from shared.domain.topics import Subscription
from shared.journal.wire import JournalEntry
from shared.redis.client import REDIS_UNAVAILABLE
from shared.runtime.tasks import describe
from shared.web.problems import unavailable

log = structlog.get_logger()

EXPORT_SLOTS = web.AppKey("export_slots", asyncio.Semaphore)
MOST_EXPORTS = 4
"""Exports that one process writes at the same time."""
SILENT_SECONDS = 10.0
"""After so long without bytes, a filler is sent. Gateways end silent answers after 30 s."""
_PAGE = 500


def add_export_route(app: web.Application) -> None:
    """Add the route, with and without /v1."""
    app[EXPORT_SLOTS] = asyncio.Semaphore(MOST_EXPORTS)
    for prefix in ("/v1", ""):
        app.router.add_get(f"{prefix}/events/export", export, allow_head=False)


async def export(request: web.Request) -> web.StreamResponse:
    """All events of a subscription's filters and a range of times, as CSV, NDJSON or Parquet."""
    query = read_query(request, ExportQuery)
    wanted = query.subscription(*topics_of_query(request, query))
    caller = request.get(CALLER, ANYONE)
    await require_topics(caller, wanted, request.app[STREAMS])
    slots = request.app[EXPORT_SLOTS]
    if slots.locked():
        raise unavailable(f"{MOST_EXPORTS} exports are running here. Try again later.", 10)
    async with slots:
        pages = _pages(request.app[EVENT_HISTORY], wanted, query)
        first = await anext(pages)  # an error here is still answered as a problem
        response = web.StreamResponse(headers=_headers(query.format, first))
        await response.prepare(request)
        await _write_whole(response, request, _write(response, pages, first, query, caller))
        return response


async def _write_whole(
    response: web.StreamResponse, request: web.Request, writing: Awaitable[None]
) -> None:
    """Write the file. If this fails, end the connection: the status was sent long before."""
    try:
        await writing
        await response.write_eof()
        return
    except ClientConnectionResetError:  # the client is gone
        return
    except (*REDIS_UNAVAILABLE, ArchiveError) as error:
        log.warning("export_unfinished", error=describe(error))
    except Exception:
        log.exception("export_failed", path=request.path)
    if request.transport:
        request.transport.abort()


async def _pages(
    history: EventHistory, wanted: Subscription, query: ExportQuery
) -> AsyncIterator[EventPage]:
    """The pages of the range, oldest first, up to the end of the journal at the first read."""
    within = query.range
    if query.from_ is not None:
        within = await history.since(within, query.from_)
    page = await history.page(wanted, within, limit=_PAGE, newest_first=False)
    within = within.up_to(page.top)
    yield page
    while page.next is not None:
        rest = within.beyond(page.next, newest_first=False)
        page = await history.page(wanted, rest, limit=_PAGE, newest_first=False)
        yield page


async def _write(
    response: web.StreamResponse,
    pages: AsyncIterator[EventPage],
    page: EventPage | None,
    query: ExportQuery,
    caller: Principal,
) -> None:
    file, now = export_format(query.format), asyncio.get_running_loop().time
    sent_at = now()
    while page is not None:
        data = _piece(file, page, query, caller)
        if not data and now() - sent_at > SILENT_SECONDS:
            data = file.filler()
        await _send(response, data)
        sent_at = now() if data else sent_at
        page = await anext(pages, None)
    await _send(response, file.end())


def _piece(file: ExportFormat, page: EventPage, query: ExportQuery, caller: Principal) -> bytes:
    kept = [e for e in page.entries if caller.may_see(e.topics) and _is_in_time(e, query)]
    return (file.gap(page.gap) if page.gap else b"") + file.entries(kept)


def _is_in_time(entry: JournalEntry, query: ExportQuery) -> bool:
    if query.from_ is None and query.to is None:
        return True
    time = orjson.loads(entry.body)["timestamp"]
    return (query.from_ or 0) <= time and (query.to is None or time <= query.to)


async def _send(response: web.StreamResponse, data: bytes) -> None:
    if data:
        await response.write(data)


def _headers(name: str, first: EventPage) -> dict[str, str]:
    gap = {"Headrace-Gap": "{} {}".format(*first.gap)} if first.gap else {}
    return gap | {
        "Content-Type": MEDIA[name] + ("; charset=utf-8" if name == "csv" else ""),
        "Content-Disposition": f'attachment; filename="events.{name}"',
        "Headrace-Position": str(first.top),
    }

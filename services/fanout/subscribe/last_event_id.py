"""Where a client wants to go on: from the request to a position. Pure."""

from __future__ import annotations

from aiohttp import web

from shared.domain.position import Position, parse_position

RESUME_PARAMETERS = ("last_event_id", "lastEventId", "lastEventID", "since", "cursor")
"""Where clients that cannot set the header put it; the header wins (docs/events.md)."""


def resume_position(request: web.Request) -> Position | str | None:
    """Where to go on, a sentence when what was given is no position, None when nothing was."""
    given = request.headers.get("Last-Event-ID")
    for name in RESUME_PARAMETERS:
        given = given or request.query.get(name)
    if not given:
        return None
    try:
        return parse_position(given)
    except ValueError as error:
        return str(error)

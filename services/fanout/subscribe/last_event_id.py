"""The position that a client resumes from: the header Last-Event-ID or a query parameter."""

from __future__ import annotations

from aiohttp import web

from shared.domain.position import Position, parse_position

RESUME_PARAMETERS = ("last_event_id", "lastEventId", "lastEventID", "since", "cursor")
"""Parameters for clients that cannot set the header, which takes precedence (docs/events.md)."""


def resume_position(request: web.Request) -> tuple[Position | None, str]:
    """The position of the last event that the client has, and "".

    If the client's id is invalid: None, and why. If the client sent no id: None and "".
    """
    given = request.headers.get("Last-Event-ID")
    for name in RESUME_PARAMETERS:
        given = given or request.query.get(name)
    if not given:
        return None, ""
    try:
        return parse_position(given), ""
    except ValueError as error:
        return None, str(error)

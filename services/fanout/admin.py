"""Routes for admins: statistics of this replica, and its connections. Each also without /v1.

See docs/decisions/0111-connections-are-listed-and-ended.md.
"""

from __future__ import annotations

import re

import orjson
import structlog
from aiohttp import web

from services.fanout.connections.heartbeat import lag_seconds
from services.fanout.connections.listing import MOST_ITEMS, ConnectionQuery, list_connections
from services.fanout.stats import stats
from services.fanout.subscribe.handler import Components
from shared.domain.topics import is_topic
from shared.web.problems import Goodbye, Problem, Slug

log = structlog.get_logger()

COMPONENTS = web.AppKey("components", Components)


def add_admin_routes(app: web.Application) -> None:
    """Add the routes. `app[COMPONENTS]` must be set before a request comes."""
    for prefix in ("/v1", ""):
        app.router.add_get(f"{prefix}/events/stats", _stats)
        app.router.add_get(f"{prefix}/events/connections", _list, allow_head=False)
        app.router.add_delete(f"{prefix}/events/connections/{{id}}", _end)


async def _stats(request: web.Request) -> web.Response:
    components = request.app[COMPONENTS]
    await components.authorizer.admit_admin(request)
    document = stats(components.feed, components.registry, components.limits, components.clock)
    return web.Response(body=orjson.dumps(document), content_type="application/json")


async def _list(request: web.Request) -> web.Response:
    """GET /v1/events/connections."""
    components = request.app[COMPONENTS]
    await components.authorizer.admit_admin(request)
    now, tip = components.clock.now(), components.feed.tip
    items, start = list_connections(
        components.registry,
        _parse(request),
        now=now,
        trusted_proxies=components.settings.trusted_proxies,
    )
    lag = lag_seconds(tip.closed_at if tip else None, now)
    document = {
        "items": items,
        "next": None if start is None else str(start),
        "connections": components.registry.count,
        "lagSeconds": None if lag is None else round(lag, 1),
    }
    headers = {"Cache-Control": "no-store"}
    return web.Response(
        body=orjson.dumps(document), headers=headers, content_type="application/json"
    )


async def _end(request: web.Request) -> web.Response:
    """DELETE /v1/events/connections/{id}."""
    components = request.app[COMPONENTS]
    principal = await components.authorizer.admit_admin(request)
    connection = request.match_info["id"]
    if (subscriber := components.registry.find(connection)) is None:
        detail = "This replica has no connection with this id. It may have ended."
        raise Problem(404, Slug.NOT_FOUND, detail)
    by = principal.account or principal.token_id or "anyone"
    log.info("audit", method=request.method, path=request.path, by=by, connection=connection)
    components.expiry.end(subscriber, Goodbye.ENDED_BY_ADMIN)
    return web.Response(status=204)


def _parse(request: web.Request) -> ConnectionQuery:
    """The parameters. Raises Problem 400 with the name of each malformed parameter."""
    query = request.query
    account, topic = query.get("account", ""), query.get("topic", "")
    limit, cursor = _number(query.get("limit", "100")), _number(query.get("cursor", "0"))
    wrong = {
        "topic": topic and not is_topic(topic) and "expected a stream id, user:<account>, or *",
        "limit": not 0 < limit <= MOST_ITEMS and f"expected a number from 1 to {MOST_ITEMS}",
        "cursor": cursor < 0 and "expected the `next` of a page, unchanged",
    }
    errors = [{"parameter": name, "detail": detail} for name, detail in wrong.items() if detail]
    if errors:
        detail = "; ".join(f"{error['parameter']}: {error['detail']}" for error in errors)
        raise Problem(400, Slug.MALFORMED, detail, errors=errors)
    return ConnectionQuery(account, topic, limit, cursor)


def _number(text: str) -> int:
    """A number of up to 9 digits, or -1."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1

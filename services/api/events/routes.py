"""Routes of past events, and of the summary of an account."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from services.api.auth.permissions import require_topic
from services.api.errors import StreamNotFoundError
from services.api.events.csv_export import events_to_csv
from services.api.events.history import EventHistory, EventPage
from services.api.events.permissions import require_topics
from services.api.events.schemas import EventsQuery, HistoryQuery, TopicFilter
from services.api.http.request_keys import CALLER
from services.api.http.requests import invalid, json_response, read_query
from services.api.streams.routes import STREAMS
from services.api.streams.schemas import SummaryQuery
from services.api.streams.summary import AccountSummaries
from shared.auth.principal import ANYONE
from shared.domain.strkeys import is_account
from shared.domain.topics import NO_TOPICS, Subscription, is_stream_id, own_topics, user_topic
from shared.journal.wire import JournalEntry
from shared.web.problems import Problem, Slug

EVENT_HISTORY = web.AppKey("history", EventHistory)
SUMMARIES = web.AppKey("summaries", AccountSummaries)

CSV = "text/csv"
JSON = "application/json"


def add_event_routes(app: web.Application) -> None:
    """Add the routes, with and without /v1."""
    for prefix in ("/v1", ""):
        app.router.add_get(f"{prefix}/events", events)
        app.router.add_get(f"{prefix}/streams/{{id}}/events", events_of_stream)
        app.router.add_get(f"{prefix}/users/{{account}}/summary", summary)


async def events(request: web.Request) -> web.Response:
    """A page of past events by the filters of a subscription, as JSON or CSV."""
    query = read_query(request, HistoryQuery)
    wanted = query.subscription(*topics_of_query(request, query))
    return await _page(request, wanted, query)


def topics_of_query(request: web.Request, query: TopicFilter) -> Sequence[str]:
    """The topics of the query, or those of the caller's account. Raises Problem 422 without any."""
    topics = query.topics() or own_topics(request.get(CALLER, ANYONE).account)
    if not topics:
        parameter, detail = NO_TOPICS
        raise invalid([{"parameter": parameter, "detail": detail}])
    return topics


async def events_of_stream(request: web.Request) -> web.Response:
    """A page of past events of one stream, as JSON or CSV."""
    query, stream_id = read_query(request, EventsQuery), request.match_info["id"]
    if not is_stream_id(stream_id):
        raise StreamNotFoundError(stream_id)
    return await _page(request, query.subscription(stream_id), query)


async def summary(request: web.Request) -> web.Response:
    """Totals of an account by token (sent, received, claimable), and its streams by status."""
    query, account = read_query(request, SummaryQuery), request.match_info["account"]
    if not is_account(account):
        message = f"{account[:64]!r} is not a G…, C… or M… address with a correct checksum."
        raise Problem(404, Slug.NOT_FOUND, message)
    require_topic(request.get(CALLER, ANYONE), user_topic(account))
    sums = await request.app[SUMMARIES].of(account, after=query.cursor, limit=query.limit)
    return json_response(sums)


async def _page(request: web.Request, wanted: Subscription, query: EventsQuery) -> web.Response:
    caller = request.get(CALLER, ANYONE)
    await require_topics(caller, wanted, request.app[STREAMS])
    page = await request.app[EVENT_HISTORY].page(
        wanted, query.range, limit=query.limit, newest_first=query.order == "desc"
    )
    visible = [entry for entry in page.entries if caller.may_see(entry.topics)]
    if _prefers_csv(request.headers.get("Accept", "")):
        return _csv(page, visible)
    return _json(page, visible)


def _json(page: EventPage, entries: list[JournalEntry]) -> web.Response:
    """A page as JSON. Each event has the same bytes as when it was published."""
    more = b'],"next":%b,"position":"%b","gap":%b}' % tuple(
        str(each).encode() for each in (_quoted(page.next), page.top, _gap(page))
    )
    items = b",".join(entry.body for entry in entries)
    return web.Response(body=b'{"items":[' + items + more, content_type=JSON)


def _quoted(value: object) -> str:
    return "null" if value is None else f'"{value}"'


def _gap(page: EventPage) -> str:
    if page.gap is None:
        return "null"
    return '{{"from":"{}","to":"{}"}}'.format(*page.gap)


def _csv(page: EventPage, entries: list[JournalEntry]) -> web.Response:
    headers = {
        "Content-Disposition": 'attachment; filename="events.csv"',
        "Headrace-Position": str(page.top),
        "Vary": "Accept",
    }
    if page.next is not None:
        headers["Headrace-Next"] = str(page.next)
    if page.gap is not None:
        headers["Headrace-Gap"] = "{} {}".format(*page.gap)
    return web.Response(
        body=events_to_csv(entries), content_type=CSV, charset="utf-8", headers=headers
    )


def _prefers_csv(accept: str) -> bool:
    """True if the client accepts `text/csv` with at least the weight of JSON (RFC 9110 12.5.1)."""
    weights = dict(_weight(part) for part in accept.split(","))
    csv = weights.get(CSV, 0.0)
    return csv > 0 and csv >= weights.get(JSON, 0.0)


def _weight(part: str) -> tuple[str, float]:
    name, *parameters = (text.strip() for text in part.lower().split(";"))
    given = [p.removeprefix("q=") for p in parameters if p.startswith("q=")]
    try:
        return name, float(given[0]) if given else 1.0
    except ValueError:
        return name, 0.0

"""Routes: from a request to a use case and back. Every path answers with and without /v1."""

from __future__ import annotations

import secrets

from aiohttp import web
from aiohttp.typedefs import Handler

from services.api.auth.permissions import require_account, restrict_to_own
from services.api.http.idempotency import idempotency_key_of
from services.api.http.request_keys import caller
from services.api.http.requests import (
    etag,
    json_response,
    read_body,
    read_if_match,
    read_no_body,
    read_query,
)
from services.api.settings import SETTINGS
from services.api.streams.schemas import CreateStream, ListQuery, PatchStream, TopUp
from services.api.streams.service import (
    CANCEL,
    PAUSE,
    RESUME,
    WITHDRAW,
    Document,
    StreamAction,
    StreamService,
    top_up,
)
from shared.runtime.urls import joined
from shared.web.problems import Problem, Slug

STREAMS = web.AppKey("streams", StreamService)


def add_routes(app: web.Application) -> None:
    """The routes of streams, and the way to their events."""
    for prefix in ("/v1", ""):
        streams, one = f"{prefix}/streams", f"{prefix}/streams/{{id}}"
        app.router.add_post(streams, create)
        app.router.add_get(streams, page)
        app.router.add_get(one, get)
        app.router.add_patch(one, update)
        app.router.add_delete(one, action(CANCEL))
        app.router.add_post(f"{one}/top-up", add_money)
        app.router.add_post(f"{one}/withdraw", action(WITHDRAW))
        app.router.add_post(f"{one}/pause", action(PAUSE))
        app.router.add_post(f"{one}/resume", action(RESUME))
        app.router.add_post(f"{one}/cancel", action(CANCEL))
        app.router.add_get(f"{prefix}/events/subscribe", subscribe)


async def create(request: web.Request) -> web.Response:
    """POST /v1/streams."""
    order = await read_body(request, CreateStream)
    require_account(caller(request), order.sender, "a new stream, as its sender")
    document = await request.app[STREAMS].create(order, idempotency_key_of(request, order))
    response = _stream(document, 201)
    response.headers["Location"] = f"{request.path}/{document['id']}"
    return response


async def page(request: web.Request) -> web.Response:
    """GET /v1/streams."""
    query = read_query(request, ListQuery)
    user = restrict_to_own(
        caller(request), user=query.user, sender=query.sender, recipient=query.recipient
    )
    return json_response(await request.app[STREAMS].page(query.model_copy(update={"user": user})))


async def get(request: web.Request) -> web.Response:
    """GET /v1/streams/{id}.

    `position` is where the stream's latest event stands, which the journal may have trimmed since;
    the header Headrace-Position is the journal's top before the read, safe to subscribe from.
    """
    document, top = await request.app[STREAMS].get(request.match_info["id"], caller(request))
    response = _stream(document)
    response.headers["Headrace-Position"] = top
    return response


async def update(request: web.Request) -> web.Response:
    """PATCH /v1/streams/{id}."""
    tags = read_if_match(request)
    patch = await read_body(request, PatchStream)
    streams, stream_id = request.app[STREAMS], request.match_info["id"]
    once = idempotency_key_of(request, patch)
    facts, by = patch.metadata.facts(), caller(request)
    return _stream(await streams.update(stream_id, facts, tags, once, by))


async def add_money(request: web.Request) -> web.Response:
    """POST /v1/streams/{id}/top-up."""
    tags = read_if_match(request)
    order = await read_body(request, TopUp)
    stream_id, once = request.match_info["id"], idempotency_key_of(request, order)
    step, by = top_up(order.amount), caller(request)
    return _stream(await request.app[STREAMS].act(stream_id, step, tags, once, by))


def action(step: StreamAction) -> Handler:
    """A handler of POST /v1/streams/{id}/<step>, which takes no body."""

    async def handle(request: web.Request) -> web.Response:
        tags = read_if_match(request)
        await read_no_body(request)
        stream_id, once = request.match_info["id"], idempotency_key_of(request)
        by = caller(request)
        return _stream(await request.app[STREAMS].act(stream_id, step, tags, once, by))

    return handle


async def subscribe(request: web.Request) -> web.Response:
    """Send an EventSource on to a fanout; it repeats its Last-Event-ID there by itself.

    Any of them at random: after one has failed, a reconnect is likely to reach another.
    """
    urls = request.app[SETTINGS].fanout_urls
    if not urls:
        word = "events are served by the fanouts, and none is named here (FANOUT_URLS)"
        raise Problem(404, Slug.NOT_FOUND, word)
    query = request.rel_url.raw_query_string
    location = joined(secrets.choice(urls), request.path)
    if query:  # as it was sent, behind what FANOUT_URLS says
        location += ("&" if "?" in location else "?") + query
    headers = {"Location": location, "Cache-Control": "no-store"}
    return web.Response(status=307, headers=headers)


def _stream(document: Document, status: int = 200) -> web.Response:
    return json_response(document, status, {"ETag": etag(document["version"])})

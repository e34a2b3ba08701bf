"""Routes of streams. Each path exists with and without /v1."""

from __future__ import annotations

import secrets

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from services.api.auth.permissions import require_sender, restrict_to_own
from services.api.errors import FeatureDisabledError
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
from services.api.streams.actions import (
    ACCEPT,
    CANCEL,
    HIDE,
    PAUSE,
    RESUME,
    WITHDRAW,
    StreamAction,
    top_up,
    update,
)
from services.api.streams.quotas import charged, stream_limit
from services.api.streams.schemas import CreateStream, ListQuery, PatchStream, TopUp
from services.api.streams.service import Document, StreamService
from shared.runtime.urls import append_path

STREAMS = web.AppKey("streams", StreamService)


def add_routes(app: web.Application) -> None:
    """Add the routes of streams, and the redirect to their events."""
    for prefix in ("/v1", ""):
        streams, one = f"{prefix}/streams", f"{prefix}/streams/{{id}}"
        app.router.add_post(streams, create)
        app.router.add_get(streams, page)
        app.router.add_get(one, get)
        app.router.add_patch(one, patch)
        app.router.add_delete(one, action_handler(CANCEL))
        app.router.add_post(f"{one}/top-up", add_money)
        app.router.add_post(f"{one}/withdraw", action_handler(WITHDRAW))
        app.router.add_post(f"{one}/pause", action_handler(PAUSE))
        app.router.add_post(f"{one}/resume", action_handler(RESUME))
        app.router.add_post(f"{one}/cancel", action_handler(CANCEL))
        app.router.add_post(f"{one}/accept", action_handler(ACCEPT))
        app.router.add_post(f"{one}/hide", action_handler(HIDE))
        app.router.add_get(f"{prefix}/events/subscribe", subscribe)


async def create(request: web.Request) -> web.Response:
    """POST /v1/streams."""
    if request.app[SETTINGS].api_streams == "off":
        raise FeatureDisabledError(
            "This installation makes no streams of the API (API_STREAMS=off). "
            "Make the stream on the chain, with the contract's function create_stream."
        )
    body = await read_body(request, CreateStream)
    require_sender(caller(request), body.sender)
    key, limit = idempotency_key_of(request, body), stream_limit(request, body.sender)
    async with charged(request, body.metadata):
        document = await request.app[STREAMS].create(body, key, limit)
    response = _response(document, 201)
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

    The header Headrace-Position is the top of the journal before the read. A client that subscribes
    from this position misses no event. `position` in the body is the position of the stream's
    latest event, which the journal may have trimmed.
    """
    found, top = await request.app[STREAMS].get(request.match_info["id"], caller(request))
    headers = {"ETag": etag(found.version), "Headrace-Position": top}
    return json_response(orjson.Fragment(found.json), headers=headers)


async def patch(request: web.Request) -> web.Response:
    """PATCH /v1/streams/{id}."""
    versions = read_if_match(request)
    body = await read_body(request, PatchStream)
    stream_id, key = request.match_info["id"], idempotency_key_of(request, body)
    action, by = update(body.metadata.facts()), caller(request)
    async with charged(request, body.metadata):
        return _response(await request.app[STREAMS].act(stream_id, action, versions, key, by))


async def add_money(request: web.Request) -> web.Response:
    """POST /v1/streams/{id}/top-up."""
    versions = read_if_match(request)
    body = await read_body(request, TopUp)
    stream_id, key = request.match_info["id"], idempotency_key_of(request, body)
    action, by = top_up(body.amount), caller(request)
    async with charged(request):
        return _response(await request.app[STREAMS].act(stream_id, action, versions, key, by))


def action_handler(action: StreamAction) -> Handler:
    """The handler of POST /v1/streams/{id}/<action>, for an action without a body."""

    async def handle(request: web.Request) -> web.Response:
        versions = read_if_match(request)
        await read_no_body(request)
        stream_id, key = request.match_info["id"], idempotency_key_of(request)
        by = caller(request)
        async with charged(request):
            return _response(await request.app[STREAMS].act(stream_id, action, versions, key, by))

    return handle


async def subscribe(request: web.Request) -> web.Response:
    """Redirect an EventSource to a fanout. The browser sends Last-Event-ID to the fanout too.

    The fanout is chosen at random. If a fanout has failed, the next attempt probably reaches
    another one.
    """
    urls = request.app[SETTINGS].fanout_urls
    if not urls:
        raise FeatureDisabledError(
            "Only a fanout sends live events, and this API knows no fanout (set FANOUT_URLS)."
        )
    query = request.rel_url.raw_query_string
    location = append_path(secrets.choice(urls), request.path)
    if query:  # append the query unchanged; the fanout's URL may have a query too
        location += ("&" if "?" in location else "?") + query
    headers = {"Location": location, "Cache-Control": "no-store"}
    return web.Response(status=307, headers=headers)


def _response(document: Document, status: int = 200) -> web.Response:
    return json_response(document, status, {"ETag": etag(document["version"])})

"""Routes of webhooks. Each path exists with and without /v1."""

from __future__ import annotations

import sys

from aiohttp import web
from redis.asyncio import Redis

from services.api.auth.guard import RATE_LIMITS, limited_client
from services.api.auth.routes import CLOCK
from services.api.http.idempotency import idempotency_key_of
from services.api.http.rate_limits import RateLimitPolicy, raise_if_exceeded
from services.api.http.request_keys import caller
from services.api.http.requests import (
    etag,
    invalid,
    json_response,
    read_body,
    read_if_match,
    read_no_body,
    read_query,
)
from services.api.settings import SETTINGS
from services.api.streams.routes import STREAMS
from services.api.webhooks.documents import Document
from services.api.webhooks.jobs import WebhookJobs
from services.api.webhooks.reading import WebhookReader
from services.api.webhooks.repeating import RepeatedRequests
from services.api.webhooks.schemas import (
    CreateWebhook,
    PatchWebhook,
    RedeliverEvents,
    RotateSecret,
    WebhooksQuery,
)
from services.api.webhooks.service import WebhookService
from shared.auth.principal import Scope
from shared.journal.commit import Committer
from shared.journal.reader import Journal
from shared.redis.replication import Replicas
from shared.webhooks.attempts import AttemptStore
from shared.webhooks.changes import ChangeLog
from shared.webhooks.progress import ProgressStore
from shared.webhooks.redeliveries import RedeliveryStore
from shared.webhooks.secrets import SecretBox
from shared.webhooks.store import EndpointStore
from shared.webhooks.urls import check_new_endpoint_url

WEBHOOKS = web.AppKey("webhooks", WebhookService)
WEBHOOK_READER = web.AppKey("webhook_reader", WebhookReader)
WEBHOOK_JOBS = web.AppKey("webhook_jobs", WebhookJobs)

TESTS = RateLimitPolicy("webhook-tests", 30)
"""Tests that one account, in open mode one address, may ask for in a minute.

Each makes a request to a URL of its choice.
"""

_NOT_STORED = {"Cache-Control": "no-store"}


def add_webhooks(
    app: web.Application,
    redis: Redis,
    committer: Committer,
    journal: Journal,
    replicas: Replicas,
) -> None:
    """Add the services of webhooks, and their routes."""
    settings, keys = app[SETTINGS], app[SETTINGS].keys
    store = EndpointStore(redis, keys, replicas)
    redeliveries = RedeliveryStore(redis, keys, replicas)
    progress, attempts = ProgressStore(redis, keys), AttemptStore(redis, keys)
    streams = app[STREAMS]
    reader = WebhookReader(
        store,
        progress,
        attempts,
        redeliveries,
        require_writable=streams.require_writable,
        clock=app[CLOCK],
    )
    box = SecretBox(settings.secret_keys)
    repeated = RepeatedRequests(committer, store, reader, box, app[CLOCK])
    app[WEBHOOK_READER] = reader
    app[WEBHOOK_JOBS] = WebhookJobs(reader, repeated, redeliveries, ChangeLog(redis, keys), journal)
    app[WEBHOOKS] = WebhookService(
        store, reader, repeated, journal=journal, streams=streams, box=box, clock=app[CLOCK]
    )
    for prefix in ("/v1", ""):
        webhooks, one = f"{prefix}/webhooks", f"{prefix}/webhooks/{{id}}"
        app.router.add_post(webhooks, create)
        app.router.add_get(webhooks, page)
        app.router.add_get(one, get)
        app.router.add_patch(one, patch)
        app.router.add_delete(one, delete)
        app.router.add_post(f"{one}/test", test)
        app.router.add_post(f"{one}/rotate-secret", rotate_secret)
        app.router.add_post(f"{one}/redeliver", redeliver)
        app.router.add_get(f"{one}/redeliveries", page_of_redeliveries)
        app.router.add_delete(f"{one}/redeliveries/{{redelivery}}", stop_redelivery)
        app.router.add_get(f"{one}/deliveries", deliveries)


async def create(request: web.Request) -> web.Response:
    """POST /v1/webhooks. Only this response shows the secret."""
    body = await read_body(request, CreateWebhook)
    _check_url(request, body.url)
    key, by = idempotency_key_of(request, body), caller(request)
    document = await request.app[WEBHOOKS].create(body, by, key, _most(request))
    headers = {"Location": f"{request.path}/{document['id']}", **_NOT_STORED}
    return _response(document, 201, headers)


async def page(request: web.Request) -> web.Response:
    """GET /v1/webhooks."""
    query = read_query(request, WebhooksQuery)
    return json_response(await request.app[WEBHOOK_READER].page(query, caller(request)))


async def get(request: web.Request) -> web.Response:
    """GET /v1/webhooks/{id}."""
    reader = request.app[WEBHOOK_READER]
    found = await reader.find(request.match_info["id"], caller(request))
    return _response(reader.document(*found))


async def patch(request: web.Request) -> web.Response:
    """PATCH /v1/webhooks/{id}."""
    versions = read_if_match(request)
    body = await read_body(request, PatchWebhook)
    if "url" in body.model_fields_set:
        _check_url(request, body.url)
    name, by = request.match_info["id"], caller(request)
    return _response(await request.app[WEBHOOKS].patch(name, body, by, versions))


async def delete(request: web.Request) -> web.Response:
    """DELETE /v1/webhooks/{id}."""
    await read_no_body(request)
    await request.app[WEBHOOKS].delete(request.match_info["id"], caller(request))
    return web.Response(status=204)


async def test(request: web.Request) -> web.Response:
    """POST /v1/webhooks/{id}/test: send a test message soon, in any state of the webhook."""
    await read_no_body(request)
    reader, name = request.app[WEBHOOK_READER], request.match_info["id"]
    endpoint, _ = await reader.changeable(name, caller(request))
    quota = (TESTS, limited_client(request, request.app[SETTINGS]))
    raise_if_exceeded(await request.app[RATE_LIMITS].take([quota]))
    return json_response({"messageId": await request.app[WEBHOOK_JOBS].test(endpoint)}, 202)


async def rotate_secret(request: web.Request) -> web.Response:
    """POST /v1/webhooks/{id}/rotate-secret. Only this response shows the new secret."""
    body = await read_body(request, RotateSecret) if request.can_read_body else RotateSecret()
    key, name = idempotency_key_of(request, body), request.match_info["id"]
    document = await request.app[WEBHOOKS].rotate(name, body.seconds, caller(request), key)
    return _response(document, headers=_NOT_STORED)


async def redeliver(request: web.Request) -> web.Response:
    """POST /v1/webhooks/{id}/redeliver."""
    body = await read_body(request, RedeliverEvents)
    key, name = idempotency_key_of(request, body), request.match_info["id"]
    document = await request.app[WEBHOOK_JOBS].redeliver(name, body, caller(request), key)
    return json_response(document, 202)


async def page_of_redeliveries(request: web.Request) -> web.Response:
    """GET /v1/webhooks/{id}/redeliveries: those that have not ended."""
    name, by = request.match_info["id"], caller(request)
    return json_response(await request.app[WEBHOOK_READER].redeliveries(name, by))


async def stop_redelivery(request: web.Request) -> web.Response:
    """DELETE /v1/webhooks/{id}/redeliveries/{redelivery}."""
    await read_no_body(request)
    name, redelivery = request.match_info["id"], request.match_info["redelivery"]
    await request.app[WEBHOOK_JOBS].stop_redelivery(name, redelivery, caller(request))
    return web.Response(status=204)


async def deliveries(request: web.Request) -> web.Response:
    """GET /v1/webhooks/{id}/deliveries: the last attempts."""
    name, by = request.match_info["id"], caller(request)
    return json_response(await request.app[WEBHOOK_READER].deliveries(name, by))


def _check_url(request: web.Request, url: str) -> None:
    try:
        check_new_endpoint_url(url, request.app[SETTINGS].webhook_allowed_networks)
    except ValueError as error:
        raise invalid([{"pointer": "/url", "detail": str(error)}]) from None


def _most(request: web.Request) -> int:
    """How many webhooks the caller may have. An admin has no limit."""
    settings = request.app[SETTINGS]
    is_admin = settings.auth_mode == "required" and Scope.ADMIN in caller(request).scopes
    return (not is_admin and settings.write_limit("webhooks_per_account")) or sys.maxsize


def _response(
    document: Document, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return json_response(document, status, {"ETag": etag(document["version"])} | (headers or {}))

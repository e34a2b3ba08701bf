"""Routes of transactions. Each path exists with and without /v1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aiohttp import web
from redis.asyncio import Redis

from services.api.auth.guard import RATE_LIMITS, limited_client
from services.api.errors import FeatureDisabledError
from services.api.http.rate_limits import RateLimitPolicy, raise_if_exceeded
from services.api.http.request_keys import caller
from services.api.http.requests import invalid, json_response, read_body
from services.api.metrics import PREPARED
from services.api.settings import SETTINGS
from services.api.transactions.schemas import (
    ChosenAction,
    PrepareTransaction,
    SubmitTransaction,
)
from shared.domain.strkeys import is_public_key
from shared.web import client as http

if TYPE_CHECKING:
    from services.api.transactions.service import TransactionService

TRANSACTIONS: web.AppKey[TransactionService] = web.AppKey("transactions")

_NOT_STORED = {"Cache-Control": "no-store"}


def add_transaction_routes(app: web.Application, redis: Redis) -> None:
    """Add the routes of transactions, and the service while the application runs."""

    async def run(app: web.Application) -> AsyncIterator[None]:
        # Without RPC_URL, the API need not load stellar-sdk (0.4 s, 20 MB).
        from services.api.transactions.service import TransactionService  # noqa: PLC0415

        async with http.session() as session:
            app[TRANSACTIONS] = TransactionService.of(app[SETTINGS], session, redis)
            yield

    if app[SETTINGS].rpc_url:
        app.cleanup_ctx.append(run)
    for prefix in ("/v1", ""):
        transactions = f"{prefix}/transactions"
        app.router.add_post(transactions, prepare)
        app.router.add_post(f"{transactions}/submit", submit)
        app.router.add_get(f"{transactions}/{{hash:[0-9a-f]{{64}}}}", status)


async def prepare(request: web.Request) -> web.Response:
    """POST /v1/transactions."""
    service = _service(request)
    chosen = await read_body(request, ChosenAction)
    body = await read_body(request, chosen.body)
    call = body.call(service.contract_id, _source(request, body))
    await _count(request)
    document = await service.preparer.prepare(call, caller(request))
    PREPARED.labels(document["action"]).inc()
    return json_response(document, headers=_NOT_STORED)


async def submit(request: web.Request) -> web.Response:
    """POST /v1/transactions/submit."""
    service = _service(request)
    body = await read_body(request, SubmitTransaction)
    document = await service.submitter.submit(body.xdr, caller(request))
    location = f"{request.path.removesuffix('/submit')}/{document['hash']}"
    return json_response(document, 202, headers={"Location": location, **_NOT_STORED})


async def status(request: web.Request) -> web.Response:
    """GET /v1/transactions/{hash}."""
    follower = _service(request).follower
    document = await follower.status(request.match_info["hash"], caller(request))
    return json_response(document, headers=_NOT_STORED)


def _service(request: web.Request) -> TransactionService:
    if TRANSACTIONS not in request.app:
        raise FeatureDisabledError(
            "This installation prepares no transactions, because RPC_URL is not set for the API."
        )
    return request.app[TRANSACTIONS]


def _source(request: web.Request, body: PrepareTransaction) -> str:
    source = body.source or caller(request).account
    if not is_public_key(source):
        raise invalid([{"pointer": "/source", "detail": "is required: the account that signs"}])
    return source


async def _count(request: web.Request) -> None:
    """Count a request against RATE_LIMIT_TRANSACTIONS. Raises Problem 429."""
    settings = request.app[SETTINGS]
    quota = settings.write_limit("rate_limit_transactions")
    policy, client = RateLimitPolicy("transactions", quota), limited_client(request, settings)
    raise_if_exceeded(await request.app[RATE_LIMITS].take([(policy, client)]))

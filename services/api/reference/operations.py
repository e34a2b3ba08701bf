"""The parameters, bodies and responses of each route, for the OpenAPI document.

The handlers validate requests with the same models. A test compares this table with the router
(tests/api/reference/test_documents.py).
"""

from __future__ import annotations

from pydantic import BaseModel

from services.api.auth.schemas import ChallengeQuery, CreateApiKey, RevokeTokens, SignedChallenge
from services.api.events.export_formats import MEDIA
from services.api.events.schemas import EventsQuery, ExportQuery, HistoryQuery
from services.api.http.models import EmptyBody
from services.api.models import login as login_answers
from services.api.models import pages
from services.api.models import responses as answers
from services.api.models.connections import ConnectionPage
from services.api.models.summaries import AccountSummary
from services.api.models.transactions import PreparedTransaction, TransactionStatus
from services.api.reference.operation import (
    ADMIN,
    EVENTS,
    LOGIN,
    SERVICE,
    STREAMS,
    TRANSACTIONS,
    ApiOperation,
)
from services.api.reference.webhook_operations import WEBHOOK_OPERATIONS
from services.api.streams.schemas import CreateStream, ListQuery, PatchStream, SummaryQuery, TopUp
from services.api.system.connections import ConnectionsQuery
from services.api.system.routes import SystemDocument
from services.api.transactions.schemas import SubmitTransaction, TransactionRequest


def _step(summary: str, body: type[BaseModel] = EmptyBody) -> ApiOperation:
    return ApiOperation(
        summary,
        STREAMS,
        body=body,
        answer=answers.StreamDocument,
        changes=True,
        versioned=True,
        headers=("ETag",),
        problems=(400, 404, 409, 412, 413, 415, 422),
    )


def _history(summary: str, query: type[BaseModel], *problems: int) -> ApiOperation:
    return ApiOperation(
        summary,
        EVENTS,
        query=query,
        answer=pages.HistoryPage,
        media=(MEDIA["csv"],),
        problems=(*problems, 422, 503),
    )


def _service(summary: str, *media: str) -> ApiOperation:
    return ApiOperation(summary, SERVICE, media=media, open=True)


_HTML, _TEXT = "text/html", "text/plain"
_CANCEL = _step("Cancel a stream: pay what has accrued, refund the rest")

OPERATIONS: dict[tuple[str, str], ApiOperation] = {
    ("POST", "/streams"): ApiOperation(
        "Create a stream",
        STREAMS,
        body=CreateStream,
        answer=answers.StreamDocument,
        status=201,
        changes=True,
        headers=("ETag", "Location"),
        problems=(400, 404, 409, 413, 415, 422),
    ),
    ("GET", "/streams"): ApiOperation(
        "List streams", STREAMS, query=ListQuery, answer=pages.StreamPage, problems=(422,)
    ),
    ("GET", "/streams/{id}"): ApiOperation(
        "Read a stream",
        STREAMS,
        answer=answers.StreamDocument,
        headers=("ETag", "Headrace-Position"),
        problems=(404,),
    ),
    ("PATCH", "/streams/{id}"): _step("Replace a stream's metadata", PatchStream),
    ("DELETE", "/streams/{id}"): _CANCEL,
    ("POST", "/streams/{id}/top-up"): _step("Add money to a stream", TopUp),
    ("POST", "/streams/{id}/withdraw"): _step("Withdraw all that is claimable"),
    ("POST", "/streams/{id}/pause"): _step("Pause a stream"),
    ("POST", "/streams/{id}/resume"): _step("Resume a paused stream"),
    ("POST", "/streams/{id}/cancel"): _CANCEL,
    ("POST", "/streams/{id}/accept"): _step("Accept a stream as its recipient"),
    ("POST", "/streams/{id}/hide"): _step("Hide a stream as its recipient"),
    ("GET", "/streams/{id}/events"): _history("Read past events of one stream", EventsQuery, 404),
    ("GET", "/events"): _history("Read past events by the filters of a subscription", HistoryQuery),
    ("GET", "/events/export"): ApiOperation(
        "Read all past events of a range, oldest first, as one file",
        EVENTS,
        query=ExportQuery,
        media=tuple(MEDIA.values()),
        headers=("Headrace-Position",),
        problems=(422, 503),
    ),
    ("GET", "/events/subscribe"): ApiOperation(
        "Get a redirect to the live events, which /asyncapi.json describes",
        EVENTS,
        status=307,
        headers=("Location",),
        problems=(404,),
        open=True,
    ),
    ("POST", "/events/ticket"): ApiOperation(
        "Get a ticket with which an EventSource can subscribe once",
        EVENTS,
        body=EmptyBody,
        answer=login_answers.TicketDocument,
        status=201,
        problems=(400, 413, 415, 422),
    ),
    ("GET", "/users/{account}/summary"): ApiOperation(
        "Get totals of what an account has sent, received and can claim",
        STREAMS,
        query=SummaryQuery,
        answer=AccountSummary,
        problems=(404, 422),
    ),
    ("GET", "/tokens/{address}"): ApiOperation(
        "Read what is known of a token: symbol, name and decimals",
        STREAMS,
        answer=pages.TokenDetails,
        problems=(400,),
    ),
    **WEBHOOK_OPERATIONS,
    ("POST", "/transactions"): ApiOperation(
        "Prepare a transaction that changes a stream on the chain, for a wallet to sign",
        TRANSACTIONS,
        body=TransactionRequest,
        answer=PreparedTransaction,
        problems=(400, 404, 413, 415, 422, 503),
    ),
    ("POST", "/transactions/submit"): ApiOperation(
        "Submit a signed transaction; the same hash is sent once",
        TRANSACTIONS,
        body=SubmitTransaction,
        answer=TransactionStatus,
        status=202,
        headers=("Location",),
        problems=(400, 404, 413, 415, 422, 503),
    ),
    ("GET", "/transactions/{hash}"): ApiOperation(
        "Read what has become of a transaction",
        TRANSACTIONS,
        answer=TransactionStatus,
        problems=(404, 503),
    ),
    ("GET", "/auth"): ApiOperation(
        "Get a challenge to sign with a wallet (SEP-10)",
        LOGIN,
        query=ChallengeQuery,
        answer=login_answers.ChallengeDocument,
        problems=(400, 404, 422),
        open=True,
    ),
    ("POST", "/auth"): ApiOperation(
        "Get a token for a signed challenge (SEP-10)",
        LOGIN,
        body=SignedChallenge,
        answer=login_answers.TokenDocument,
        problems=(400, 401, 404, 413, 415, 422),
        open=True,
    ),
    ("DELETE", "/auth"): ApiOperation("Log out", LOGIN, body=EmptyBody, status=204),
    ("POST", "/auth/logout"): ApiOperation("Log out", LOGIN, body=EmptyBody, status=204),
    ("POST", "/auth/refresh"): ApiOperation(
        "Get a new token before the old one expires",
        LOGIN,
        body=EmptyBody,
        answer=login_answers.TokenDocument,
    ),
    ("POST", "/auth/revoke"): ApiOperation(
        "Revoke a login or all of an account; webhooks go on", ADMIN, body=RevokeTokens, status=204
    ),
    ("POST", "/keys"): ApiOperation(
        "Create an API key; only this response shows its secret",
        ADMIN,
        body=CreateApiKey,
        answer=login_answers.NewApiKeyDocument,
        status=201,
    ),
    ("GET", "/keys"): ApiOperation("List API keys", ADMIN, answer=login_answers.ApiKeyListDocument),
    ("DELETE", "/keys/{id}"): ApiOperation(
        "Delete an API key and its tokens; its webhooks go on", ADMIN, status=204, problems=(404,)
    ),
    ("GET", "/.well-known/jwks.json"): _service("The public keys that check tokens (RFC 7517)"),
    ("GET", "/.well-known/stellar.toml"): _service("The stellar.toml for wallets (SEP-1)", _TEXT),
    ("GET", "/system"): ApiOperation(
        "Read the metrics of all services", ADMIN, answer=SystemDocument
    ),
    ("GET", "/system/connections"): ApiOperation(
        "List the connections of all fanouts",
        ADMIN,
        query=ConnectionsQuery,
        answer=ConnectionPage,
        problems=(422,),
    ),
    ("DELETE", "/system/connections/{replica}/{id}"): ApiOperation(
        "End a connection; its client is told to reconnect", ADMIN, status=204, problems=(404, 503)
    ),
    ("GET", "/"): ApiOperation(
        "The console (HTML), or an index of the endpoints (JSON)",
        SERVICE,
        answer=answers.ServiceIndex,
        media=(_HTML,),
        open=True,
    ),
    ("GET", "/console/{folder}/{file}"): ApiOperation(
        "A file of the console",
        SERVICE,
        media=("text/css", "text/javascript", "text/plain", "image/svg+xml", "application/json"),
        problems=(404,),
        open=True,
    ),
    ("GET", "/livez"): _service("Check that the process runs", _TEXT),
    ("GET", "/readyz"): _service("Check that the service can do its work; if not, say why"),
    ("GET", "/metrics"): _service("Metrics for Prometheus", _TEXT),
    ("GET", "/openapi.json"): _service("This document"),
    ("GET", "/asyncapi.json"): _service("The events, as an AsyncAPI 3 document"),
    ("GET", "/docs"): _service("The OpenAPI document and the events as a page", _HTML),
    ("GET", "/problems"): ApiOperation(
        "List the types of problems",
        SERVICE,
        answer=answers.ProblemTypeList,
        media=(_HTML,),
        open=True,
    ),
    ("GET", "/problems/{slug}"): ApiOperation(
        "Explain a type of problem, and what to do about it",
        SERVICE,
        answer=answers.ProblemTypeDocument,
        media=(_HTML,),
        problems=(404,),
        open=True,
    ),
    ("GET", "/docs/{file}"): _service("A file of the page /docs", "text/css", "text/javascript"),
}
"""The operations by method and path without /v1."""

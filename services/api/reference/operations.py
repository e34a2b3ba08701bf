"""What each route takes and answers, beside its handler: the source of the OpenAPI document.

The models are those by which the handlers validate. tests/api/reference/test_documents.py holds
this table against the router.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from services.api.auth.schemas import ChallengeQuery, CreateApiKey, RevokeTokens, SignedChallenge
from services.api.events.schemas import EventsQuery, HistoryQuery
from services.api.http.models import EmptyBody
from services.api.models import login as login_answers
from services.api.models import responses as answers
from services.api.streams.schemas import CreateStream, ListQuery, PatchStream, SummaryQuery, TopUp
from services.api.system.routes import SystemDocument

TAGS = STREAMS, EVENTS, LOGIN, ADMIN, SERVICE = "Streams", "Events", "Login", "Admin", "Service"
"""In the order of the page."""


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One route. `body` of a call that takes none is Nothing: it may be left out.

    `changes` says that it takes Idempotency-Key, `versioned` If-Match. `media` are what it may
    answer with beside JSON. `problems` are the statuses of its own refusals.
    """

    summary: str
    tag: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    changes: bool = False
    versioned: bool = False
    media: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    problems: tuple[int, ...] = ()
    open: bool = False


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


def _service(summary: str, *media: str) -> ApiOperation:
    return ApiOperation(summary, SERVICE, media=media, open=True)


_HTML, _TEXT, _CSV = "text/html", "text/plain", "text/csv"
_CANCEL = _step("End a stream: what has accrued is paid, the rest refunded")

OPERATIONS: dict[tuple[str, str], ApiOperation] = {
    ("POST", "/streams"): ApiOperation(
        "Make a stream",
        STREAMS,
        body=CreateStream,
        answer=answers.StreamDocument,
        status=201,
        changes=True,
        headers=("ETag", "Location"),
        problems=(400, 409, 413, 415, 422),
    ),
    ("GET", "/streams"): ApiOperation(
        "List streams", STREAMS, query=ListQuery, answer=answers.StreamPage, problems=(422,)
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
    ("POST", "/streams/{id}/top-up"): _step("Put more money into a stream", TopUp),
    ("POST", "/streams/{id}/withdraw"): _step("Withdraw all that is claimable"),
    ("POST", "/streams/{id}/pause"): _step("Pause a stream"),
    ("POST", "/streams/{id}/resume"): _step("Resume a paused stream"),
    ("POST", "/streams/{id}/cancel"): _CANCEL,
    ("GET", "/streams/{id}/events"): ApiOperation(
        "Read the past events of one stream",
        EVENTS,
        query=EventsQuery,
        answer=answers.HistoryPage,
        media=(_CSV,),
        problems=(404, 422),
    ),
    ("GET", "/events"): ApiOperation(
        "Read past events by the filters of a subscription",
        EVENTS,
        query=HistoryQuery,
        answer=answers.HistoryPage,
        media=(_CSV,),
        problems=(422,),
    ),
    ("GET", "/events/subscribe"): ApiOperation(
        "Be sent on to the live events (/asyncapi.json)",
        EVENTS,
        status=307,
        headers=("Location",),
        problems=(404,),
        open=True,
    ),
    ("POST", "/events/ticket"): ApiOperation(
        "Get a ticket, by which an EventSource subscribes once",
        EVENTS,
        body=EmptyBody,
        answer=login_answers.TicketDocument,
        status=201,
        problems=(400, 413, 415, 422),
    ),
    ("GET", "/users/{account}/summary"): ApiOperation(
        "Add up what an account has sent, received and may claim",
        STREAMS,
        query=SummaryQuery,
        answer=answers.AccountSummary,
        problems=(404, 422),
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
        "Get a fresh token before the old one expires",
        LOGIN,
        body=EmptyBody,
        answer=login_answers.TokenDocument,
    ),
    ("POST", "/auth/revoke"): ApiOperation(
        "End a token, or all of an account", ADMIN, body=RevokeTokens, status=204
    ),
    ("POST", "/keys"): ApiOperation(
        "Make an API key; the only answer that shows it",
        ADMIN,
        body=CreateApiKey,
        answer=login_answers.NewApiKeyDocument,
        status=201,
    ),
    ("GET", "/keys"): ApiOperation("List API keys", ADMIN, answer=login_answers.ApiKeyListDocument),
    ("DELETE", "/keys/{id}"): ApiOperation("End an API key", ADMIN, status=204, problems=(404,)),
    ("GET", "/.well-known/stellar.toml"): _service("What wallets read first (SEP-1)", _TEXT),
    ("GET", "/system"): ApiOperation(
        "Measure all parts of the system", ADMIN, answer=SystemDocument
    ),
    ("GET", "/"): ApiOperation(
        "The console for who asks for HTML, else where things are",
        SERVICE,
        answer=answers.ServiceIndex,
        media=(_HTML,),
        open=True,
    ),
    ("GET", "/console/{folder}/{file}"): ApiOperation(
        "A part of the console",
        SERVICE,
        media=("text/css", "text/javascript", "text/plain", "image/svg+xml", "application/json"),
        problems=(404,),
        open=True,
    ),
    ("GET", "/livez"): _service("Whether the process runs", _TEXT),
    ("GET", "/readyz"): _service("Whether it can do its work, and if not, why"),
    ("GET", "/metrics"): _service("Metrics for Prometheus", _TEXT),
    ("GET", "/openapi.json"): _service("This document"),
    ("GET", "/asyncapi.json"): _service("The events, as AsyncAPI 3"),
    ("GET", "/docs"): _service("This document to read", _HTML),
    ("GET", "/docs/{file}"): _service("A part of that page", "text/css", "text/javascript"),
}
"""By method and path without /v1."""

"""What each route takes and answers, beside its handler: the source of the OpenAPI document.

The models are those by which the handlers validate. tests/api/reference/test_documents.py holds
this table against the router.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from services.api.auth.schemas import ChallengeQuery, NewKey, Revoke, SignedChallenge
from services.api.events.schemas import EventsQuery, HistoryQuery
from services.api.http.models import Nothing
from services.api.models import login as login_answers
from services.api.models import responses as answers
from services.api.streams.schemas import CreateStream, ListQuery, PatchStream, SummaryQuery, TopUp
from services.api.system.routes import SystemDocument

TAGS = STREAMS, EVENTS, LOGIN, ADMIN, SERVICE = "Streams", "Events", "Login", "Admin", "Service"
"""In the order of the page."""


@dataclass(frozen=True, slots=True)
class Operation:
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


def _step(summary: str, body: type[BaseModel] = Nothing) -> Operation:
    return Operation(
        summary,
        STREAMS,
        body=body,
        answer=answers.StreamDocument,
        changes=True,
        versioned=True,
        headers=("ETag",),
        problems=(400, 404, 409, 412, 413, 415, 422),
    )


def _service(summary: str, *media: str) -> Operation:
    return Operation(summary, SERVICE, media=media, open=True)


_HTML, _TEXT, _CSV = "text/html", "text/plain", "text/csv"
_CANCEL = _step("End a stream: what has accrued is paid, the rest refunded")

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/streams"): Operation(
        "Make a stream",
        STREAMS,
        body=CreateStream,
        answer=answers.StreamDocument,
        status=201,
        changes=True,
        headers=("ETag", "Location"),
        problems=(400, 409, 413, 415, 422),
    ),
    ("GET", "/streams"): Operation(
        "List streams", STREAMS, query=ListQuery, answer=answers.StreamPage, problems=(422,)
    ),
    ("GET", "/streams/{id}"): Operation(
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
    ("GET", "/streams/{id}/events"): Operation(
        "Read the past events of one stream",
        EVENTS,
        query=EventsQuery,
        answer=answers.HistoryPage,
        media=(_CSV,),
        problems=(404, 422),
    ),
    ("GET", "/events"): Operation(
        "Read past events by the filters of a subscription",
        EVENTS,
        query=HistoryQuery,
        answer=answers.HistoryPage,
        media=(_CSV,),
        problems=(422,),
    ),
    ("GET", "/events/subscribe"): Operation(
        "Be sent on to the live events (/asyncapi.json)",
        EVENTS,
        status=307,
        headers=("Location",),
        problems=(404,),
        open=True,
    ),
    ("POST", "/events/ticket"): Operation(
        "Get a ticket, by which an EventSource subscribes once",
        EVENTS,
        body=Nothing,
        answer=login_answers.Ticket,
        status=201,
        problems=(400, 413, 415, 422),
    ),
    ("GET", "/users/{account}/summary"): Operation(
        "Add up what an account has sent, received and may claim",
        STREAMS,
        query=SummaryQuery,
        answer=answers.Summary,
        problems=(404, 422),
    ),
    ("GET", "/auth"): Operation(
        "Get a challenge to sign with a wallet (SEP-10)",
        LOGIN,
        query=ChallengeQuery,
        answer=login_answers.Challenge,
        problems=(400, 404, 422),
        open=True,
    ),
    ("POST", "/auth"): Operation(
        "Get a token for a signed challenge (SEP-10)",
        LOGIN,
        body=SignedChallenge,
        answer=login_answers.Token,
        problems=(400, 401, 404, 413, 415, 422),
        open=True,
    ),
    ("DELETE", "/auth"): Operation("Log out", LOGIN, body=Nothing, status=204),
    ("POST", "/auth/logout"): Operation("Log out", LOGIN, body=Nothing, status=204),
    ("POST", "/auth/refresh"): Operation(
        "Get a fresh token before the old one expires",
        LOGIN,
        body=Nothing,
        answer=login_answers.Token,
    ),
    ("POST", "/auth/revoke"): Operation(
        "End a token, or all of an account", ADMIN, body=Revoke, status=204
    ),
    ("POST", "/keys"): Operation(
        "Make an API key; the only answer that shows it",
        ADMIN,
        body=NewKey,
        answer=login_answers.FreshKey,
        status=201,
    ),
    ("GET", "/keys"): Operation("List API keys", ADMIN, answer=login_answers.Keys),
    ("DELETE", "/keys/{id}"): Operation("End an API key", ADMIN, status=204, problems=(404,)),
    ("GET", "/.well-known/stellar.toml"): _service("What wallets read first (SEP-1)", _TEXT),
    ("GET", "/system"): Operation("Measure all parts of the system", ADMIN, answer=SystemDocument),
    ("GET", "/"): Operation(
        "The console for who asks for HTML, else where things are",
        SERVICE,
        answer=answers.Places,
        media=(_HTML,),
        open=True,
    ),
    ("GET", "/console/{folder}/{file}"): Operation(
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

"""The section "Limits" of docs/api.md has every limit that a request can meet, with its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from services.api.auth import schemas as login
from services.api.auth.settings import CHALLENGE_SECONDS
from services.api.auth.tokens import MAX_TOKEN_SECONDS
from services.api.events import schemas as events
from services.api.events.history import MAX_READ as HISTORY_READ
from services.api.http import idempotency
from services.api.http.models import EmptyBody, QueryParameters, RequestBody
from services.api.http.requests import MAX_ERRORS
from services.api.settings import ApiSettings
from services.api.streams import schemas as streams
from services.api.streams.listing import MAX_READ as LIST_READ
from services.api.system.connections import ConnectionsQuery
from services.api.transactions import schemas as transactions
from services.api.transactions.submission_store import DAY
from services.api.webhooks import schemas as webhooks
from services.api.webhooks.edits import MOST_SECRETS
from services.api.webhooks.routes import TESTS
from services.fanout.settings import FanoutSettings
from shared.auth.principal import MAX_ISSUED_AHEAD
from shared.auth.tickets import TICKET_SECONDS
from shared.domain.stream import I128_MAX
from shared.journal.read_size import READ_BYTES
from shared.web.connection import Deadlines
from shared.webhooks.redeliveries import MOST_REDELIVERIES
from tests.support.fenced import ROOT

PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("\n## Limits\n") : PAGE.index("\n## Errors\n")]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SECTION.splitlines()
    if line.startswith("| ")
]

MODELS: dict[type[BaseModel], str] = {
    streams.Metadata: "`metadata`",
    streams.CreateStream: "a stream",
    streams.PatchStream: "a stream",
    streams.TopUp: "a top-up",
    streams.ListQuery: "`GET /v1/streams`",
    streams.SummaryQuery: "`GET /v1/users/{account}/summary`",
    events.EventsQuery: "`GET /v1/streams/{id}/events`",
    events.HistoryQuery: "`GET /v1/events`",
    events.ExportQuery: "`GET /v1/events/export`",
    transactions.PrepareTransaction: "`POST /v1/transactions`",
    transactions.PrepareCreate: "`POST /v1/transactions`",
    transactions.PrepareTopUp: "`POST /v1/transactions`",
    transactions.PrepareChange: "`POST /v1/transactions`",
    transactions.ChosenAction: "`POST /v1/transactions`",
    transactions.SubmitTransaction: "`POST /v1/transactions/submit`",
    webhooks.CreateWebhook: "a webhook",
    webhooks.PatchWebhook: "a webhook",
    webhooks.RotateSecret: "`POST /v1/webhooks/{id}/rotate-secret`",
    webhooks.RedeliverEvents: "`POST /v1/webhooks/{id}/redeliver`",
    webhooks.WebhooksQuery: "`GET /v1/webhooks`",
    ConnectionsQuery: "`GET /v1/system/connections`",
    login.ChallengeQuery: "`GET /v1/auth`",
    login.SignedChallenge: "`POST /v1/auth`",
    login.CreateApiKey: "`POST /v1/keys`",
    login.RevokeTokens: "`POST /v1/auth/revoke`",
}
"""Every body and query, and how the column "of" names it."""
PARTS = {EmptyBody, events.EventSelection, events.TopicFilter}
PARTS |= {webhooks.WebhookSelection, webhooks.WebhookFields}
"""Models that others consist of, and the body that has no field."""
BOUNDS = ("minimum", "maximum", "exclusiveMaximum", "minLength", "maxLength", "maxItems")

NO_LIMIT = {
    "port": "where a service listens",
    "connection_lease_seconds": "how long a crashed fanout counts",
    "revocation_seconds": "how often tokens are checked",
    "sync_seconds": "the interval of the heartbeat",
    "batch_ms": "how long events are collected",
    "gzip": "no number",
    "archive_cache_bytes": "a cache on the disk",
    "ring_events": "memory of a fanout; a resume beyond it reads the journal",
    "ring_bytes": "memory of a fanout; a resume beyond it reads the journal",
    "probe_seconds": "how often the journal is checked",
    "retry_ms": "the wait before a reconnect",
    "drain_seconds": "the duration of a drain",
}
"""Settings with a number that limit no request, with the reason."""


def numbers(schema: object) -> Iterator[int]:
    """The bounds in a JSON schema, of lists and alternatives too."""
    if isinstance(schema, dict):
        for name in BOUNDS:
            if name in schema:
                yield schema[name] - (name == "exclusiveMaximum")
        for key in ("anyOf", "allOf", "items"):
            yield from numbers(schema.get(key))
    elif isinstance(schema, list):
        for each in schema:
            yield from numbers(each)


def shows(text: str, number: float) -> bool:
    """True if the text has the number, with commas between thousands."""
    digits = f"{number:,}" if isinstance(number, int) else f"{number:,.0f}"
    return re.search(rf"(?<![\d,]){digits}(?![\d,])", text) is not None


FIELDS = [
    pytest.param(model, name, sorted(set(found)), id=f"{model.__name__}.{name}")
    for model in MODELS
    for name, schema in model.model_json_schema()["properties"].items()
    if (found := [n for n in numbers(schema) if n > 0])
]


@pytest.mark.parametrize(("model", "name", "bounds"), FIELDS)
def test_a_field_has_its_limits(model: type[BaseModel], name: str, bounds: list[int]) -> None:
    rows = [r for r in ROWS if f"`{name}`" in r[0] and MODELS[model] in r[1]]
    assert rows, f"no row for `{name}` of {MODELS[model]}"
    for bound in bounds:
        assert any(shows(row[2], bound) for row in rows), f"{rows}: {bound:,} is missing"


def test_no_body_and_no_query_is_left_out() -> None:
    def below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
        for each in model.__subclasses__():
            yield each
            yield from below(each)

    known = {*below(RequestBody), *below(QueryParameters)} - PARTS
    assert known <= set(MODELS)


def _numeric(settings: type[ApiSettings | FanoutSettings]) -> dict[str, Any]:
    fields = settings.model_fields.items()
    return {name: f.default for name, f in fields if isinstance(f.default, int | float)}


SETTINGS = _numeric(ApiSettings) | _numeric(FanoutSettings)


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - NO_LIMIT.keys()))
def test_a_setting_that_limits_requests_has_its_default(name: str) -> None:
    (row,) = [row for row in ROWS if row[0] == f"`{name.upper()}`"]
    assert shows(row[1], SETTINGS[name]), row


def test_the_settings_that_limit_nothing_exist() -> None:
    assert set(NO_LIMIT) <= set(SETTINGS)


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("`metadata`", streams.MAX_METADATA_BYTES),
        ("`ratePerSecond`", I128_MAX),
        ("end of its headers", Deadlines().head),
        ("body has arrived", Deadlines().body),
        ("accepts no byte", Deadlines().progress),
        ("accepted an answer", Deadlines().answer),
        ("tests of webhooks", TESTS.quota),
        ("redeliveries of a webhook", MOST_REDELIVERIES),
        ("secrets of a webhook", MOST_SECRETS),
        ("`Idempotency-Key`", 255),
        ("`Idempotency-Key`", idempotency.SECONDS / 3600),
        ("bytes that are read", READ_BYTES / (1 << 20)),
        ("index entries", LIST_READ),
        ("page of the history", HISTORY_READ),
        ("upper time bound", DAY / 3600),
        ("submitted transaction is remembered", DAY / 3600),
        ("ticket", TICKET_SECONDS),
        ("challenge", CHALLENGE_SECONDS),
        ("services.api token", MAX_TOKEN_SECONDS / 86_400),
        ("`iat`", MAX_ISSUED_AHEAD),
    ],
)
def test_a_fixed_limit_has_its_number(what: str, number: float) -> None:
    rows = [" ".join(row) for row in ROWS if what in row[0]]
    assert rows, what
    assert any(shows(row, number) for row in rows), rows


def test_the_number_of_errors_of_an_answer_is_named() -> None:
    assert f"at most {MAX_ERRORS} wrong fields" in SECTION

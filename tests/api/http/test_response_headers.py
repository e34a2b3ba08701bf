"""Headers of every response: request id and security headers. Also the audit log."""

from __future__ import annotations

import re
from collections.abc import Awaitable, MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from redis.asyncio import Redis
from structlog.testing import capture_logs

from services.api.http.response_headers import request_id
from services.api.settings import ApiSettings
from shared.journal.keys import Keys
from tests.api.auth.samples import ADMIN, ALICE, CAROL, REQUIRED, bearer, token_of, writer
from tests.api.samples import TOKEN, made, order
from tests.support.web_client import StartApi, WebClient

ORIGIN = {"Origin": "https://app.example"}


async def test_a_safe_request_id_is_kept_and_shown_in_problems(client: WebClient) -> None:
    response = await client.get("/v1/streams/7", headers={"X-Request-ID": "trace-1.a_B"})
    assert response.headers["X-Request-ID"] == "trace-1.a_B"
    assert (await response.json())["requestId"] == "trace-1.a_B"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ÿ", '"', "a;b"])
async def test_an_unsafe_request_id_is_replaced(client: WebClient, given: str) -> None:
    response = await client.get("/v1/streams", headers={"X-Request-ID": given})
    assert len(response.headers["X-Request-ID"]) == 32


@given(st.text(max_size=80))
def test_a_request_id_cannot_forge_a_log_line(text: str) -> None:
    assert request_id(text).isascii()
    assert request_id(text).isprintable()


async def test_the_id_is_in_the_log_of_the_request(secure: WebClient) -> None:
    with capture_logs() as logs:
        await secure.get("/v1/streams", headers=writer(ALICE) | {"X-Request-ID": "abc"})
    (line,) = [entry for entry in logs if entry["event"] == "request"]
    assert (line["path"], line["status"]) == ("/v1/streams", 200)


@pytest.mark.parametrize("path", ["/", "/v1/streams", "/nowhere", "/v1/streams/7", "/livez"])
async def test_security_headers_for_browsers(client: WebClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_no_shared_cache_stores_a_response_for_a_token(secure: WebClient) -> None:
    response = await secure.get("/v1/streams", headers=writer(ALICE))
    assert response.headers["Cache-Control"] == "private, no-cache"


async def test_only_listed_origins_may_read_in_required_mode(start: StartApi) -> None:
    shut = await start(**REQUIRED)
    headers = (await shut.get("/v1/streams", headers=ORIGIN | writer(ALICE))).headers
    assert "Access-Control-Allow-Origin" not in headers
    named = await start(**REQUIRED, cors_origins="https://app.example")
    headers = (await named.get("/v1/streams", headers=ORIGIN | writer(ALICE))).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    for name in ("RateLimit", "X-Request-ID", "ETag"):
        assert name in headers["Access-Control-Expose-Headers"]


FOR_THE_BROWSER = re.compile(
    r"Access-Control-.*|Vary|Server|Connection|Transfer-Encoding|Content-(Encoding|Security-Policy)|"
    r"X-Content-Type-Options|Referrer-Policy|Set-Cookie|"
    # what a page may read anyway (WHATWG Fetch, "CORS-safelisted response-header name")
    r"Cache-Control|Content-(Language|Length|Type)|Expires|Last-Modified|Pragma"
)


async def test_a_page_of_another_origin_can_read_every_header(
    start: StartApi, redis: Redis, keys: Keys
) -> None:
    client = await start(rate_limit_ip=100)
    for _ in range(3):
        stream = await made(client)
    rows: Any = await redis.xrange(keys.journal, count=1)
    await redis.xdel(keys.journal, rows[0][0])
    csv = {"Accept": "text/csv"}
    answers = [
        await client.get(f"/v1/streams/{stream['id']}", headers=ORIGIN),
        await client.get("/v1/events?all=true&order=asc&after=0-0&limit=1", headers=ORIGIN | csv),
        await client.put("/v1/streams", headers=ORIGIN),
    ]
    assert answers[1].status == 200, await answers[1].text()
    assert {"Headrace-Gap", "Headrace-Next", "Headrace-Position"} <= set(answers[1].headers)
    for answer in answers:
        exposed = answer.headers["Access-Control-Expose-Headers"].lower().split(", ")
        names = {name.lower() for name in answer.headers if not FOR_THE_BROWSER.fullmatch(name)}
        assert names - set(exposed) == set()


def test_the_settings_do_not_allow_cookies_for_every_origin() -> None:
    with pytest.raises(ValidationError, match="CORS_ORIGINS"):
        ApiSettings(contracts=TOKEN, **REQUIRED, cors_origins="*")
    settings = ApiSettings(contracts=TOKEN, **REQUIRED)
    assert (settings.cors_origins, settings.origins) == (("*",), ())
    assert ApiSettings(contracts=TOKEN).origins == ("*",)


async def audited(call: Awaitable[object]) -> list[MutableMapping[str, Any]]:
    with capture_logs() as logs:
        await call
    return [entry for entry in logs if entry["event"] == "audit"]


async def test_changes_of_an_admin_are_in_the_audit_log(secure: WebClient) -> None:
    body = {"name": "x", "scopes": []}
    (line,) = await audited(secure.post("/v1/keys", json=body, headers=ADMIN))
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/keys", 201)
    assert (line["by"], line["address"]) == (CAROL.public_key, "127.0.0.1")
    (line,) = await audited(secure.post("/v1/streams", json=order(), headers=ADMIN))
    assert (line["path"], line["status"]) == ("/v1/streams", 201)
    (line,) = await audited(secure.post("/v1/auth/revoke", json={}, headers=ADMIN))
    assert line["status"] == 422


async def test_attempts_at_admin_routes_are_in_the_audit_log(secure: WebClient) -> None:
    (line,) = await audited(secure.get("/v1/keys", headers=writer(ALICE)))
    assert (line["by"], line["status"]) == (ALICE.public_key, 403)


async def test_other_requests_are_not_in_the_audit_log(secure: WebClient) -> None:
    mine = order(sender=ALICE.public_key)
    assert await audited(secure.post("/v1/streams", json=mine, headers=writer(ALICE))) == []
    assert await audited(secure.get("/v1/streams", headers=ADMIN)) == []
    everything = bearer(token_of(CAROL.public_key, "events:all"))
    assert await audited(secure.get("/v1/streams", headers=everything)) == []

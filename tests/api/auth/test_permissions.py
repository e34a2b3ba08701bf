"""Permissions in AUTH_MODE=required: callers may only use their own streams."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from services.api.auth.permissions import (
    Party,
    require_party,
    require_read,
    require_topic,
    restrict_to_own,
)
from services.api.errors import PermissionDeniedError
from shared.auth.principal import ANYONE, Principal
from shared.journal.keys import Keys
from shared.journal.stream_document import decode_stream
from tests.api.auth.samples import ADMIN, ALICE, BOB, CAROL, bearer, token_of, writer
from tests.api.samples import Clock, made, on_chain, order
from tests.support.web_client import WebClient

BODY = order(sender=ALICE.public_key, recipient=BOB.public_key)


async def ask(
    client: WebClient, method: str, path: str, headers: dict[str, str], **more: Any
) -> tuple[int, Any]:
    response = await client.request(method, path, headers=headers, **more)
    return response.status, await response.json(content_type=None)


async def stream_of(client: WebClient) -> str:
    status, document = await ask(client, "POST", "/v1/streams", writer(ALICE), json=BODY)
    assert status == 201
    return document["id"]


async def test_without_a_token_only_open_routes_answer(secure: WebClient) -> None:
    for method, path in (
        ("GET", "/v1/streams"), ("POST", "/streams"), ("GET", "/v1/streams/7"),
        ("DELETE", "/v1/streams/7"), ("GET", "/v1/events"), ("GET", "/nowhere"),
        ("GET", "/v1/streams/7/events"), ("POST", "/v1/auth/refresh"), ("GET", "/v1/keys"),
    ):  # fmt: skip
        response = await secure.request(method, path)
        document = await response.json(content_type="application/problem+json")
        assert (response.status, document["type"]) == (401, "/problems/unauthorized"), path
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    for path in ("/", "/livez", "/metrics"):
        assert (await secure.get(path)).status == 200, path


@pytest.mark.parametrize(
    "credential",
    [
        "nonsense",
        "a.b.c",
        "",
        "ÿ.ÿ.ÿ",
        token_of("x", exp=1),
        token_of("x", aud="other"),
        "x" * 5000,
    ],
    ids=["a word", "three words", "empty", "no ASCII", "expired", "another audience", "long"],
)
async def test_invalid_credentials_are_rejected(secure: WebClient, credential: str) -> None:
    ways: tuple[dict[str, Any], ...] = (
        {"headers": {"Authorization": f"Bearer {credential}"}},
        {"params": {"access_token": credential}},
        {"headers": {"Cookie": f"headrace_token={credential.replace('ÿ', 'y')}"}},
    )
    for how in ways:
        assert (await secure.get("/v1/streams", **how)).status == 401


async def test_a_token_is_accepted_in_header_query_and_cookie(secure: WebClient) -> None:
    token = token_of(ALICE.public_key, "streams:write")
    cookie = {"Cookie": f"headrace_token={token}"}
    assert (await ask(secure, "GET", "/v1/streams", bearer(token)))[0] == 200
    assert (await ask(secure, "GET", f"/v1/streams?access_token={token}", {}))[0] == 200
    assert (await ask(secure, "GET", "/v1/streams", cookie))[0] == 200
    status, document = await ask(secure, "POST", "/v1/streams", cookie, json=BODY)
    assert (status, "cookie" in document["detail"]) == (401, True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (writer(ALICE), 201),
        (ADMIN, 201),
        (writer(BOB), 403),
        (bearer(token_of(ALICE.public_key)), 403),
        (bearer(token_of(ALICE.public_key, "events:all")), 403),
        (bearer(token_of(f"{ALICE.public_key}:7", "streams:write")), 403),
    ],
)
async def test_only_the_sender_creates_a_stream(
    secure: WebClient, headers: dict[str, str], status: int
) -> None:
    assert (await ask(secure, "POST", "/v1/streams", headers, json=BODY))[0] == status


STEPS = [
    ("top-up", "sender", {"amount": "5"}),
    ("pause", "sender", None),
    ("cancel", "sender", None),
    ("withdraw", "recipient", None),
]


@pytest.mark.parametrize(("step", "party", "body"), STEPS)
async def test_each_action_belongs_to_one_party(
    secure: WebClient, clock: Clock, step: str, party: str, body: dict[str, str] | None
) -> None:
    path = f"/v1/streams/{await stream_of(secure)}/{step}"
    clock.now += 10
    may, other = (ALICE, BOB) if party == "sender" else (BOB, ALICE)
    stale = {"If-Match": '"7"'}
    for headers in (writer(other), writer(CAROL), bearer(token_of(may.public_key))):
        assert (await ask(secure, "POST", path, headers, json=body))[0] == 403
        assert (await ask(secure, "POST", path, headers | stale, json=body))[0] == 403
    assert (await ask(secure, "POST", path, writer(may), json=body))[0] == 200


async def test_only_the_sender_resumes_edits_and_deletes(secure: WebClient) -> None:
    one = f"/v1/streams/{await stream_of(secure)}"
    assert (await ask(secure, "POST", f"{one}/pause", writer(ALICE)))[0] == 200
    patch = {"metadata": {"label": "rent"}}
    for method, path, body in (
        ("POST", f"{one}/resume", None), ("PATCH", one, patch), ("DELETE", one, None)
    ):  # fmt: skip
        assert (await ask(secure, method, path, writer(BOB), json=body))[0] == 403
        assert (await ask(secure, method, path, writer(ALICE), json=body))[0] == 200


async def test_an_admin_may_do_everything(secure: WebClient, clock: Clock) -> None:
    one = f"/v1/streams/{await stream_of(secure)}"
    clock.now += 10
    for step in ("withdraw", "pause", "resume", "cancel"):
        assert (await ask(secure, "POST", f"{one}/{step}", ADMIN))[0] == 200


async def test_the_party_of_a_chain_stream_learns_which_contract_to_call(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    await on_chain(redis, keys, 7)
    assert (await ask(secure, "POST", "/v1/streams/7/pause", writer(ALICE)))[0] == 403
    assert (await ask(secure, "POST", "/v1/streams/7/pause", ADMIN))[0] == 409


async def test_only_its_parties_read_a_stream(secure: WebClient) -> None:
    path = f"/v1/streams/{await stream_of(secure)}"
    everything = bearer(token_of(CAROL.public_key, "events:all"))
    for headers in (writer(ALICE), bearer(token_of(BOB.public_key)), everything, ADMIN):
        assert (await ask(secure, "GET", path, headers))[0] == 200
        assert (await ask(secure, "GET", f"{path}/events", headers))[0] == 200
    for headers in (writer(CAROL), writer(ALICE, topics=["7"])):
        assert (await ask(secure, "GET", path, headers))[0] == 403
        assert (await ask(secure, "GET", f"{path}/events", headers))[0] == 403


async def test_lists_are_restricted_to_the_caller(secure: WebClient) -> None:
    mine = await stream_of(secure)
    await ask(secure, "POST", "/v1/streams", ADMIN, json=order())
    for query in (
        "",
        f"?user={ALICE.public_key}",
        f"?recipient={BOB.public_key}&user={ALICE.public_key}",
    ):
        status, document = await ask(secure, "GET", f"/v1/streams{query}", writer(ALICE))
        assert (status, [s["id"] for s in document["items"]]) == (200, [mine])
    for name in ("user", "sender", "recipient"):
        path = f"/v1/streams?{name}={CAROL.public_key}"
        status, document = await ask(secure, "GET", path, writer(ALICE))
        assert status == 403
        assert [e["parameter"] for e in document["errors"]] == [name]
    for headers in (ADMIN, bearer(token_of(CAROL.public_key, "events:all"))):
        assert len((await ask(secure, "GET", "/v1/streams", headers))[1]["items"]) == 2
    limited = writer(ALICE, topics=["7"])
    assert (await ask(secure, "GET", "/v1/streams", limited))[0] == 403


async def test_history_and_summary_are_restricted_to_the_caller(secure: WebClient) -> None:
    a, b = ALICE.public_key, BOB.public_key
    await stream_of(secure)
    for path, status in (
        (f"/v1/events?users={a}", 200), (f"/v1/events?users={b}", 403),
        ("/v1/events?all=true", 403), (f"/v1/users/{a}/summary", 200),
        (f"/v1/users/{b}/summary", 403),
    ):  # fmt: skip
        assert (await ask(secure, "GET", path, writer(ALICE)))[0] == status, path


async def test_in_open_mode_a_token_has_no_effect(client: WebClient) -> None:
    document = await made(client)
    path = f"/v1/streams/{document['id']}/pause"
    assert (await client.post(path, headers=bearer("nonsense"))).status == 200


STREAM = decode_stream(
    b'{"id":"7","origin":"api","contractId":null,"sender":"A","recipient":"B","tokenAddress":"T",'
    b'"ratePerSecond":"1","depositedAmount":"9","withdrawnAmount":"0","refundedAmount":"0",'
    b'"startTime":1,"lastUpdateTime":1,"pausedAt":null,"status":"active","metadata":{},'
    b'"version":1,"position":"1-1","createdAt":1,"updatedAt":1}'
)


def principal(account: str, *scopes: str, topics: list[str] | None = None) -> Principal:
    return Principal(account, frozenset(scopes), None if topics is None else frozenset(topics))


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (ANYONE, True),
        (principal("A"), True),
        (principal("B", topics=["7"]), True),
        (principal("A", topics=["user:A"]), True),
        (principal("A", topics=["user:C"]), False),
        (principal("C", topics=["7", "user:A", "*"]), False),
        (principal("C", "events:all"), True),
        (principal("C", "events:all", topics=["8"]), False),
        (principal("C", "events:all", topics=["user:B"]), True),
        (principal("", "streams:write"), False),
    ],
)
def test_reading_by_account_scope_and_topics(who: Principal, allowed: bool) -> None:
    if allowed:
        assert require_read(who, "7", STREAM) is STREAM
    else:
        with pytest.raises(PermissionDeniedError):
            require_read(who, "7", STREAM)


def test_a_caller_without_an_account_gets_no_unfiltered_list() -> None:
    for who in (principal(""), principal("", "streams:write"), principal("A", topics=[])):
        with pytest.raises(PermissionDeniedError):
            restrict_to_own(who)
    assert restrict_to_own(principal("A")) == "A"
    assert restrict_to_own(principal("A"), sender="A") is None
    assert restrict_to_own(principal("C", "events:all", topics=["user:A"]), user="A") == "A"
    with pytest.raises(PermissionDeniedError):
        require_topic(principal("A"), "*")
    with pytest.raises(PermissionDeniedError):
        require_party(principal("A", "events:all"), "7", STREAM, Party.SENDER)

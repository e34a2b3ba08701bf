"""After the login: refresh, logout, revocation, and tickets for an EventSource."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from shared.auth.revocations import Revocation, RevocationStore
from shared.auth.tickets import Tickets
from shared.journal.keys import Keys
from tests.api.auth.samples import (
    ADMIN,
    ALICE,
    BOB,
    REQUIRED,
    bearer,
    claims_of,
    log_in,
    token_of,
    writer,
)
from tests.support.web_client import StartApi, WebClient


async def reads(client: WebClient, token: str) -> int:
    return (await client.get("/v1/streams", headers=bearer(token))).status


async def refreshed(client: WebClient, token: str) -> tuple[int, Any]:
    response = await client.post("/v1/auth/refresh", headers=bearer(token))
    return response.status, await response.json()


async def test_a_refreshed_token_belongs_to_the_same_login(wallets: WebClient) -> None:
    token = await log_in(wallets, ALICE.public_key, ALICE)
    status, document = await refreshed(wallets, token)
    assert status == 200
    old, new = claims_of(token), claims_of(document["token"])
    assert document["expiresAt"] == new["exp"] >= old["exp"]
    for name in ("sub", "jti", "scope", "auth_time"):
        assert new[name] == old[name]
    response = await wallets.post("/v1/auth/logout", headers=bearer(document["token"]))
    assert response.status == 204
    assert await reads(wallets, token) == await reads(wallets, document["token"]) == 401
    assert (await refreshed(wallets, token))[0] == 401
    assert (await wallets.delete("/v1/auth", headers=bearer(token))).status == 401


async def test_a_refreshed_token_never_outlives_the_session(wallets: WebClient) -> None:
    began = int(time.time()) - 86_400 + 100
    token = token_of(ALICE.public_key, "streams:write", auth_time=began, topics=["7"])
    status, document = await refreshed(wallets, token)
    claims = claims_of(document["token"])
    assert status == 200
    assert claims["exp"] <= began + 86_400 + 1
    assert (claims["topics"], claims["auth_time"]) == (["7"], began)


@pytest.mark.parametrize(
    "claims",
    [{}, {"auth_time": 1}, {"auth_time": "now"}, {"auth_time": 1 << 40, "exp": 1}],
)
async def test_tokens_that_cannot_be_refreshed(wallets: WebClient, claims: dict[str, Any]) -> None:
    assert (await refreshed(wallets, token_of(ALICE.public_key, **claims)))[0] == 401


async def test_a_logout_ends_only_its_own_login(wallets: WebClient) -> None:
    first, second = [await log_in(wallets, ALICE.public_key, ALICE) for _ in range(2)]
    assert (await wallets.delete("/v1/auth", headers=bearer(first))).status == 204
    assert (await reads(wallets, first), await reads(wallets, second)) == (401, 200)


async def test_a_token_without_a_jti_cannot_be_logged_out(secure: WebClient) -> None:
    response = await secure.delete("/v1/auth", headers=writer(ALICE, jti=""))
    assert (response.status, "jti" in (await response.json())["detail"]) == (401, True)


async def revoke(client: WebClient, body: dict[str, Any], headers: dict[str, str] = ADMIN) -> int:
    return (await client.post("/v1/auth/revoke", json=body, headers=headers)).status


async def test_an_admin_revokes_one_token_or_all_of_an_account(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    sessions = RevocationStore(redis, keys)
    cursor = (await sessions.read_since("")).cursor
    first, second = token_of(ALICE.public_key, jti="a"), token_of(ALICE.public_key, jti="b")
    other = token_of(BOB.public_key)
    assert await revoke(secure, {"jti": "a"}) == 204
    assert [await reads(secure, t) for t in (first, second, other)] == [401, 200, 200]
    assert await revoke(secure, {"account": ALICE.public_key}) == 204
    assert [await reads(secure, t) for t in (first, second, other)] == [401, 401, 200]
    revocations = (await sessions.read_since(cursor)).revocations
    assert [(r.token_id, r.account) for r in revocations] == [("a", ""), ("", ALICE.public_key)]


@pytest.mark.parametrize("body", [{}, {"jti": "a", "account": "b"}, {"jti": ""}, {"sub": "a"}])
async def test_invalid_revocations_are_rejected(secure: WebClient, body: dict[str, Any]) -> None:
    assert await revoke(secure, body) == 422


async def test_only_an_admin_revokes(secure: WebClient) -> None:
    assert await revoke(secure, {"jti": "a"}, writer(ALICE)) == 403
    assert await revoke(secure, {"jti": "a"}, {}) == 401


async def ticket(client: WebClient, headers: dict[str, str]) -> tuple[aiohttp.ClientResponse, Any]:
    response = await client.post("/v1/events/ticket", headers=headers)
    return response, await response.json()


async def test_a_ticket_can_be_used_once_for_its_token(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    headers = writer(ALICE)
    response, document = await ticket(secure, headers)
    assert (response.status, document["expiresIn"]) == (201, 30)
    assert response.headers["Cache-Control"] == "no-store"
    tickets = Tickets(redis, keys)
    redeemed = await asyncio.gather(
        *(tickets.redeem(document["ticket"], f"client {n}") for n in range(50))
    )
    (token,) = [t for t in redeemed if t is not None]
    assert bearer(token) == headers


async def test_tickets_need_a_token(secure: WebClient) -> None:
    assert (await ticket(secure, {}))[0].status == 401
    cookie = {"Cookie": "headrace_token=" + token_of(ALICE.public_key)}
    assert (await ticket(secure, cookie))[0].status == 401
    assert (await secure.get("/v1/streams", headers=cookie)).status == 200


async def test_in_open_mode_a_ticket_is_given_too(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    response, document = await ticket(client, {})
    assert response.status == 201
    assert await Tickets(redis, keys).redeem(document["ticket"], "client") == ""


async def test_a_revoked_token_gets_no_ticket(secure: WebClient, redis: Redis, keys: Keys) -> None:
    await RevocationStore(redis, keys).revoke(Revocation(token_id="gone"), seconds=60)
    assert (await ticket(secure, writer(ALICE, jti="gone")))[0].status == 401


async def test_a_revocation_applies_at_both_replicas(start: StartApi) -> None:
    one, two = await start(**REQUIRED), await start(**REQUIRED)
    token = token_of(ALICE.public_key, jti="x")
    assert await revoke(one, {"jti": "x"}) == 204
    assert await reads(two, token) == 401

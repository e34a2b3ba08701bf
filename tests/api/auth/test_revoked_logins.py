"""A revoked account: the logins of its users end too, whatever the clock of the issuer said."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis.asyncio import Redis
from stellar_sdk import MuxedAccount

from shared.auth.revocations import Revocation, RevocationStore
from shared.auth.tickets import Tickets
from shared.journal.keys import Keys
from tests.api.auth.samples import ADMIN, ALICE, BOB, bearer, claims_of, log_in, token_of
from tests.support.web_client import WebClient

MUXED = MuxedAccount(ALICE.public_key, 7).account_muxed or ""


async def reads(client: WebClient, token: str) -> int:
    return (await client.get("/v1/streams", headers=bearer(token))).status


async def revoke(client: WebClient, account: str) -> None:
    body = {"account": account}
    assert (await client.post("/v1/auth/revoke", json=body, headers=ADMIN)).status == 204


async def test_revoking_an_account_ends_the_logins_of_its_users(secure: WebClient) -> None:
    users = [ALICE.public_key, MUXED, f"{ALICE.public_key}:12"]
    tokens = [token_of(user) for user in users]
    other = token_of(f"{BOB.public_key}:12")
    await revoke(secure, ALICE.public_key)
    assert [await reads(secure, token) for token in (*tokens, other)] == [401, 401, 401, 200]


@pytest.mark.parametrize("user", [MUXED, f"{ALICE.public_key}:12"], ids=["muxed", "memo"])
async def test_revoking_one_user_ends_no_other_login(secure: WebClient, user: str) -> None:
    one, account = token_of(user), token_of(ALICE.public_key)
    other = token_of(f"{ALICE.public_key}:13")
    await revoke(secure, user)
    assert [await reads(secure, token) for token in (one, account, other)] == [401, 200, 200]


@pytest.mark.parametrize("ahead", [0, 1, 30, 58])
async def test_a_revocation_ends_a_token_with_an_iat_ahead_of_the_clock(
    secure: WebClient, ahead: int
) -> None:
    token = token_of(ALICE.public_key, iat=time.time() + ahead)
    assert await reads(secure, token) == 200
    await revoke(secure, ALICE.public_key)
    assert await reads(secure, token) == 401


@pytest.mark.parametrize("iat", [120, float("nan"), float("inf")], ids=["2 min", "NaN", "inf"])
async def test_a_token_from_the_future_is_refused(secure: WebClient, iat: float) -> None:
    token = token_of(ALICE.public_key, iat=time.time() + iat)
    assert await reads(secure, token) == 401


async def test_after_a_revocation_a_new_login_and_a_new_key_work_at_once(
    wallets: WebClient, redis: Redis, keys: Keys
) -> None:
    revocation = Revocation(account=ALICE.public_key, before=time.time() - 2)
    await RevocationStore(redis, keys).revoke(revocation, seconds=60)
    assert await reads(wallets, token_of(ALICE.public_key)) == 401, "its issuer may be ahead"
    for account in (ALICE.public_key, MUXED):
        token = await log_in(wallets, account, ALICE)
        assert await reads(wallets, token) == 200
        renewed = await wallets.post("/v1/auth/refresh", headers=bearer(token))
        assert await reads(wallets, (await renewed.json())["token"]) == 200
        assert claims_of(token)["exp"] <= time.time() + 3600
    body: dict[str, Any] = {"name": "new", "scopes": [], "account": ALICE.public_key}
    key = (await (await wallets.post("/v1/keys", json=body, headers=ADMIN)).json())["key"]
    assert await reads(wallets, key) == 200
    given = await (await wallets.post("/v1/events/ticket", headers=bearer(key))).json()
    exchanged = await Tickets(redis, keys).redeem(given["ticket"], "client")
    assert exchanged
    assert await reads(wallets, exchanged) == 200

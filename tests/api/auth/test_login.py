"""Login by SEP-10: a wallet gets a token; all invalid logins are rejected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pytest_aiohttp import AiohttpClient
from redis.asyncio import Redis
from stellar_sdk import Account, Keypair, MuxedAccount, TransactionBuilder
from stellar_sdk.sep.stellar_toml import fetch_stellar_toml

from services.api.app import build_app
from services.api.auth.routes import CLOCK
from services.api.settings import ApiSettings
from shared.journal.keys import Keys
from tests.api.auth.samples import (
    ALICE,
    BOB,
    HOME,
    PASSPHRASE,
    SERVER,
    WALLETS,
    Horizon,
    bearer,
    challenge,
    claims_of,
    log_in,
    signed,
)
from tests.api.samples import RECIPIENT, TOKEN, order
from tests.support.data import begun_long_ago
from tests.support.waiting import free_port, until
from tests.support.web_client import StartApi, WebClient


async def refused(client: WebClient, envelope: str | None, status: int = 401, **how: Any) -> str:
    response = await client.post("/v1/auth", **(how or {"json": {"transaction": envelope}}))
    document = await response.json(content_type="application/problem+json")
    assert response.status == status, document
    assert document["error"] == document["detail"]
    assert "token" not in document
    return document["detail"]


async def test_a_wallet_logs_in_knowing_only_the_home_domain(
    aiohttp_client: AiohttpClient, redis: Redis, redis_url: str, keys: Keys, horizon: Horizon
) -> None:
    await begun_long_ago(redis, keys)
    port = free_port()
    host = f"127.0.0.1:{port}"
    settings = ApiSettings(
        redis_url=redis_url, contracts=(TOKEN,), namespace=keys.namespace,
        horizon_url=horizon.url, **WALLETS | {"home_domain": host},
    )  # fmt: skip
    app = build_app(settings)
    client: TestClient[web.Request, None] = await aiohttp_client(TestServer(app, port=port))
    await until(app[CLOCK].now, what="the time of Redis")
    toml = await asyncio.to_thread(fetch_stellar_toml, host, use_http=True)
    assert (toml["SIGNING_KEY"], toml["NETWORK_PASSPHRASE"]) == (SERVER.public_key, PASSPHRASE)
    path = urlsplit(toml["WEB_AUTH_ENDPOINT"]).path
    assert toml["WEB_AUTH_ENDPOINT"] == f"http://{host}{path}"
    answer = await (await client.get(path, params={"account": ALICE.public_key})).json()
    form = {"transaction": signed(answer["transaction"], ALICE)}
    response = await client.post(path, data=form)  # SEP-10 also allows a form
    token = (await response.json())["token"]
    made = await client.post(
        "/v1/streams", json=order(sender=ALICE.public_key), headers=bearer(token)
    )
    assert made.status == 201


async def test_the_claims_of_a_login_token(wallets: WebClient) -> None:
    before = int(wallets.app[CLOCK]())  # which can be behind the clock of this test
    token = await log_in(wallets, ALICE.public_key, ALICE)
    claims = claims_of(token)
    assert (claims["iss"], claims["sub"]) == ("headrace", ALICE.public_key)
    assert (claims["scope"], len(claims["jti"])) == ("streams:write", 64)
    assert before <= claims["iat"] <= time.time()
    assert 3599 < claims["exp"] - claims["iat"] <= 3600, "iat has milliseconds"
    answer = await wallets.get("/v1/streams", headers=bearer(token))
    assert answer.status == 200


@pytest.mark.parametrize(("memo", "mux"), [(None, 7), (12, None)])
async def test_users_of_a_shared_account_cannot_act_as_the_account(
    wallets: WebClient, memo: int | None, mux: int | None
) -> None:
    account, query = ALICE.public_key, {}
    if mux:
        account = MuxedAccount(ALICE.public_key, mux).account_muxed or ""
    else:
        query = {"memo": str(memo)}
    token = await log_in(wallets, account, ALICE, **query)
    assert claims_of(token)["sub"] == (account if mux else f"{account}:12")
    body = order(sender=ALICE.public_key)
    response = await wallets.post("/v1/streams", json=body, headers=bearer(token))
    assert response.status == 403
    listed = await wallets.get("/v1/streams", headers=bearer(token))
    assert (await listed.json())["items"] == []


async def test_a_challenge_gives_one_token(wallets: WebClient) -> None:
    envelope = signed(await challenge(wallets, ALICE.public_key), ALICE)
    answers = await asyncio.gather(
        *(wallets.post("/v1/auth", json={"transaction": envelope}) for _ in range(20))
    )
    assert sorted(a.status for a in answers) == [200] + [401] * 19
    again = signed(envelope, BOB)  # other signatures, but the same challenge
    assert "unrecognized signatures" in await refused(wallets, again)
    assert "already used" in await refused(wallets, envelope)


async def test_without_the_clients_signature_there_is_no_login(wallets: WebClient) -> None:
    envelope = await challenge(wallets, ALICE.public_key)
    assert "not signed by any client signer" in await refused(wallets, envelope)
    await refused(wallets, signed(envelope, BOB))  # signed by another account
    await refused(wallets, signed(envelope, ALICE, BOB))
    await refused(wallets, signed(envelope, ALICE, passphrase="Public Global Stellar Network"))


def made_by(
    keypair: Keypair,
    *,
    home: str = HOME,
    ends: float = 300.0,
    passphrase: str = PASSPHRASE,
    sequence: int = -1,
) -> str:
    """A challenge made by hand, signed by `keypair` as the server and by Alice."""
    account = Account(keypair.public_key, sequence)
    builder = TransactionBuilder(account, passphrase, 100)
    now = int(time.time())
    builder.add_time_bounds(now - 600, int(now + ends))
    builder.append_manage_data_op(f"{home} auth", "n" * 64, source=ALICE.public_key)
    transaction = builder.build()
    transaction.sign(keypair)
    transaction.sign(ALICE)
    return transaction.to_xdr()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: made_by(BOB), "source account"),
        (lambda: made_by(SERVER, ends=-1), "timebounds"),
        (lambda: made_by(SERVER, home="evil.example"), "home domain"),
        (
            lambda: made_by(SERVER, passphrase="Public Global Stellar Network ; September 2015"),
            "signed",
        ),
        (lambda: made_by(SERVER, sequence=7), "sequence"),
        (lambda: "AAAA", "base64 XDR"),
        (lambda: "AAAAAgAAAAD", "base64 XDR"),
        (lambda: "no base64 at all", "base64 XDR"),
        (lambda: "ÿ", "base64 XDR"),
        (lambda: "A" * 60_000, "base64 XDR"),
    ],
)
async def test_challenges_of_others_are_rejected(
    wallets: WebClient, make: Callable[[], str], message: str
) -> None:
    """Each challenge is made just before it is sent, because it expires during a test run."""
    assert message in await refused(wallets, make())


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"json": {}}, 422),
        ({"json": {"transaction": ""}}, 422),
        ({"json": {"transaction": 5}}, 422),
        ({"json": {"transaction": "x", "other": 1}}, 422),
        ({"data": {"other": "x"}}, 422),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        (
            {
                "data": b"transaction=x",
                "headers": {"Content-Type": "application/x-www-form-urlencoded; charset=no"},
            },
            400,
        ),
    ],
)
async def test_invalid_bodies_are_rejected(
    wallets: WebClient, how: dict[str, Any], status: int
) -> None:
    await refused(wallets, "", status, **how)


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({}, 422, "account"),
        ({"account": ALICE.public_key[:-1]}, 422, "account"),
        ({"account": TOKEN}, 422, "SEP-45"),
        ({"account": ALICE.secret}, 422, "account"),
        ({"account": RECIPIENT, "memo": "x"}, 422, "memo"),
        ({"account": RECIPIENT, "memo": "0"}, 422, "memo"),
        ({"account": RECIPIENT, "memo": str(1 << 64)}, 422, "memo"),
        (
            {"account": MuxedAccount(RECIPIENT, 7).account_muxed, "memo": "1"},
            422,
            "already names its user",
        ),
        ({"account": RECIPIENT, "home_domain": "other.example"}, 400, HOME),
    ],
)
async def test_no_challenge_for_invalid_requests(
    wallets: WebClient, query: dict[str, Any], status: int, message: str
) -> None:
    response = await wallets.get("/v1/auth", params=query)
    document = await response.json()
    assert response.status == status
    assert message in str(document)
    assert document["error"] == document["detail"]
    assert ALICE.secret not in str(document)


async def test_without_a_signing_key_there_is_no_wallet_login(start: StartApi) -> None:
    client = await start()
    for path in (f"/v1/auth?account={RECIPIENT}", "/.well-known/stellar.toml"):
        assert (await client.get(path)).status == 404
    await refused(client, "AAAA", 404)


async def test_pages_of_every_origin_may_log_in(wallets: WebClient) -> None:
    origin = {"Origin": "https://wallet.example"}
    for response in (
        await wallets.get("/.well-known/stellar.toml", headers=origin),
        await wallets.get("/v1/auth", headers=origin),  # also the response to an error
        await wallets.get(f"/v1/auth?account={RECIPIENT}", headers=origin),
        await wallets.options("/auth", headers=origin | {"Access-Control-Request-Method": "POST"}),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers
    other = await wallets.get("/v1/streams", headers=origin)
    assert "Access-Control-Allow-Origin" not in other.headers

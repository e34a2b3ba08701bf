"""The API signs with a private key, and publishes the public key for the fanouts."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import OKPAlgorithm
from pytest_aiohttp import AiohttpServer
from redis.asyncio import Redis

from services.api.auth.tokens import TokenIssuer
from services.api.settings import ApiSettings
from shared.auth import public_keys
from shared.auth.tickets import Tickets
from shared.journal.keys import Keys
from tests.api.auth.samples import ALICE, HOME, SERVER, Horizon, bearer, log_in, token_of
from tests.api.samples import TOKEN
from tests.support.waiting import until
from tests.support.web_client import StartApi, WebClient


def new_key() -> str:
    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


OLD, NEW = new_key(), new_key()
THEIRS = Ed25519PrivateKey.generate()


def signed_by(*keys: str, **more: Any) -> dict[str, Any]:
    """Settings of an API with these private keys."""
    return {"auth_mode": "required", "jwt_private_key": ",".join(keys), **more}


def token_with(key: str, account: str = ALICE.public_key) -> str:
    settings = ApiSettings(contracts=TOKEN, **signed_by(key))
    return TokenIssuer(settings).issue(account, ["streams:write"], seconds=600)[0]


def theirs(**more: Any) -> str:
    now = int(time.time())
    claims = {"iss": "headrace", "aud": "headrace", "sub": ALICE.public_key, "jti": "j"}
    times = {"iat": now, "exp": now + 60}
    return jwt.encode(claims | times | more, THEIRS, algorithm="EdDSA", headers={"kid": "theirs"})


async def reads(client: WebClient, token: str) -> int:
    return (await client.get("/v1/streams", headers=bearer(token))).status


async def published(client: WebClient) -> dict[str, Any]:
    response = await client.get("/.well-known/jwks.json")
    assert (response.status, response.headers["Cache-Control"]) == (200, "public, max-age=60")
    return {key["kid"]: key for key in (await response.json())["keys"]}


class Issuer:
    """Another issuer: its public key, or status 500 while it is broken."""

    broken = False
    url = ""

    async def answer(self, _: web.Request) -> web.Response:
        key = OKPAlgorithm.to_jwk(THEIRS.public_key(), as_dict=True)
        document = {"keys": [key | {"kid": "theirs", "alg": "EdDSA"}]}
        return web.Response(status=500) if self.broken else web.json_response(document)


@pytest.fixture
async def issuer(aiohttp_server: AiohttpServer, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    monkeypatch.setattr(public_keys, "_RETRY_SECONDS_EMPTY", 0.0)
    issuer, app = Issuer(), web.Application()
    app.router.add_get("/keys", issuer.answer)
    issuer.url = str((await aiohttp_server(app)).make_url("/keys"))
    return issuer


async def test_the_published_key_checks_the_token_of_a_login(
    start: StartApi, horizon: Horizon, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallets = {"signing_seed": SERVER.secret, "home_domain": HOME, "horizon_url": horizon.url}
    client = await start(**signed_by(NEW, **wallets))
    ((kid, document),) = (await published(client)).items()
    assert set(document) == {"kty", "crv", "x", "kid", "alg", "use"}, "only public members"
    key = jwt.PyJWK.from_dict(document).key

    def claims_of(token: str) -> dict[str, Any]:
        assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": kid, "typ": "JWT"}
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=["EdDSA"], audience="headrace")
        return claims

    monkeypatch.setattr("tests.api.auth.samples.claims_of", claims_of)
    token = await log_in(client, ALICE.public_key, ALICE)
    assert await reads(client, token) == 200
    renewed = await (await client.post("/v1/auth/refresh", headers=bearer(token))).json()
    assert claims_of(renewed["token"])["jti"] == claims_of(token)["jti"]
    given = await (await client.post("/v1/events/ticket", headers=bearer(token))).json()
    assert await Tickets(redis, keys).redeem(given["ticket"], "client") == token


async def test_a_token_of_another_key_or_with_a_secret_is_refused(start: StartApi) -> None:
    client = await start(**signed_by(NEW))
    assert await reads(client, token_with(NEW)) == 200
    assert await reads(client, token_with(OLD)) == 401
    assert await reads(client, token_of(ALICE.public_key)) == 401


async def test_keys_are_rotated_without_a_new_login(start: StartApi) -> None:
    old, new = token_with(OLD), token_with(NEW)
    for configured, accepted in (
        ((OLD,), [200, 401]),
        ((OLD, NEW), [200, 200]),
        ((NEW, OLD), [200, 200]),
        ((NEW,), [401, 200]),
    ):
        client = await start(**signed_by(*configured))
        assert [await reads(client, token) for token in (old, new)] == accepted
        assert len(await published(client)) == len(configured)


async def test_tokens_of_another_issuer_are_accepted_too_but_not_refreshed(
    start: StartApi, issuer: Issuer
) -> None:
    client = await start(**signed_by(NEW, jwks_url=issuer.url))
    assert await reads(client, token_with(NEW)) == await reads(client, theirs()) == 200
    assert len(await published(client)) == 2, "the fanouts read all keys from the API"
    headers = bearer(theirs(auth_time=int(time.time())))
    refused = await client.post("/v1/auth/refresh", headers=headers)
    assert (refused.status, "cannot be refreshed" in await refused.text()) == (401, True)


async def test_while_the_keys_of_another_issuer_are_away_our_own_logins_work(
    start: StartApi, issuer: Issuer
) -> None:
    issuer.broken = True
    client = await start(**signed_by(NEW, jwks_url=issuer.url))
    assert await reads(client, theirs()) == 503
    assert await reads(client, token_with(NEW)) == 200
    state = await (await client.get("/readyz")).json()
    assert "cannot be read" in state["notes"]["keys"]
    await until(lambda: shows(client, "ok"))


async def test_an_api_that_could_not_read_other_keys_publishes_an_incomplete_set(
    start: StartApi, issuer: Issuer
) -> None:
    issuer.broken = True
    client = await start(**signed_by(NEW, jwks_url=issuer.url))
    response = await client.get("/.well-known/jwks.json")
    document = await response.json()
    assert (len(document["keys"]), document["incomplete"]) == (1, True)
    assert response.headers["Cache-Control"] == "no-store"
    issuer.broken = False
    assert await reads(client, theirs()) == 200
    complete = await (await client.get("/.well-known/jwks.json")).json()
    assert (len(complete["keys"]), "incomplete" in complete) == (2, False)


async def test_an_api_without_any_key_is_not_ready(start: StartApi, issuer: Issuer) -> None:
    issuer.broken = True
    client = await start(auth_mode="required", jwks_url=issuer.url)
    await until(lambda: shows(client, "no public keys"))
    assert (await client.get("/.well-known/jwks.json")).status == 503
    issuer.broken = False
    await until(lambda: shows(client, "ok"))
    assert list(await published(client)) == ["theirs"]


async def shows(client: WebClient, text: str) -> bool:
    parts = (await (await client.get("/readyz")).json())["parts"]
    return parts["keys"].startswith(text)


async def test_an_api_with_a_secret_publishes_no_key(secure: WebClient) -> None:
    response = await secure.get("/.well-known/jwks.json")
    assert (response.status, "JWT_PRIVATE_KEY" in await response.text()) == (404, True)

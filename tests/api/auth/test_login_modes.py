"""Tokens of another issuer (JWKS), routes without login, and an unreachable Redis."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from pytest_aiohttp import AiohttpServer
from redis.asyncio import Redis

from shared.auth.tickets import Tickets
from shared.journal.keys import Keys
from tests.api.auth.samples import ALICE, REQUIRED, bearer, writer
from tests.api.samples import RECIPIENT, order
from tests.support.waiting import free_port
from tests.support.web_client import StartApi, WebClient

KEY = ec.generate_private_key(ec.SECP256R1())


def theirs(**more: Any) -> str:
    document = {
        "iss": "https://id.example", "aud": "headrace", "sub": ALICE.public_key, "jti": "j",
        "scope": "streams:write", "iat": int(time.time()), "exp": int(time.time()) + 60,
    }  # fmt: skip
    return jwt.encode(document | more, KEY, algorithm="ES256", headers={"kid": "k"})


@pytest.fixture
async def elsewhere(start: StartApi, aiohttp_server: AiohttpServer) -> WebClient:
    """An API with another token issuer."""

    async def keys(_: web.Request) -> web.Response:
        key = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return web.json_response({"keys": [key | {"kid": "k", "alg": "ES256"}]})

    app = web.Application()
    app.router.add_get("/jwks", keys)
    url = str((await aiohttp_server(app)).make_url("/jwks"))
    return await start(auth_mode="required", jwks_url=url, jwt_issuer="https://id.example")


async def test_tokens_of_another_issuer_work_and_can_be_revoked(
    elsewhere: WebClient, redis: Redis, keys: Keys
) -> None:
    headers = bearer(theirs())
    body = order(sender=ALICE.public_key)
    assert (await elsewhere.post("/v1/streams", json=body, headers=headers)).status == 201
    given = await elsewhere.post("/v1/events/ticket", headers=headers)
    token = await Tickets(redis, keys).redeem((await given.json())["ticket"], "client")
    assert token
    assert bearer(token) == headers
    assert (await elsewhere.post("/v1/auth/logout", headers=headers)).status == 204
    assert (await elsewhere.get("/v1/streams", headers=headers)).status == 401
    ours = writer(ALICE)
    assert (await elsewhere.get("/v1/streams", headers=ours)).status == 401


async def test_with_another_issuer_the_api_issues_no_tokens(elsewhere: WebClient) -> None:
    assert (await elsewhere.get(f"/v1/auth?account={RECIPIENT}")).status == 404
    headers = bearer(theirs(auth_time=int(time.time())))
    assert (await elsewhere.post("/v1/auth/refresh", headers=headers)).status == 401
    admin = bearer(theirs(scope="admin"))
    body = {"name": "x", "scopes": ["events:all"]}
    key = (await (await elsewhere.post("/v1/keys", json=body, headers=admin)).json())["key"]
    assert (await elsewhere.get("/v1/streams", headers=bearer(key))).status == 200
    assert (await elsewhere.post("/v1/events/ticket", headers=bearer(key))).status == 404


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs"]
)
async def test_routes_that_need_no_login(secure: WebClient, path: str) -> None:
    assert (await secure.get(path)).status in (200, 503)


async def test_subscribers_are_redirected_without_a_login(start: StartApi) -> None:
    client = await start(**REQUIRED, fanout_urls="http://one.example")
    response = await client.get("/v1/events/subscribe?ticket=x", allow_redirects=False)
    assert response.status == 307


async def test_while_revocations_cannot_be_read_every_token_is_rejected(start: StartApi) -> None:
    client = await start(**REQUIRED, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    response = await client.get("/v1/streams", headers=writer(ALICE))
    assert (response.status, "Retry-After" in response.headers) == (503, True)
    assert (await client.get("/livez")).status == 200

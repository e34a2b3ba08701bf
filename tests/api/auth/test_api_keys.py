"""API keys: created by an admin, shown once, stored as a hash, and deleted with their tokens."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest
from redis.asyncio import Redis

from services.api.auth.routes import CLOCK
from shared.auth.tickets import Tickets
from shared.journal.keys import Keys
from tests.api.auth.samples import ADMIN, ALICE, BOB, REQUIRED, bearer, claims_of, writer
from tests.api.samples import order
from tests.support.web_client import StartApi, WebClient


async def made_key(client: WebClient, **more: Any) -> dict[str, Any]:
    body = {"name": "billing", "scopes": ["streams:write"], "account": ALICE.public_key} | more
    response = await client.post("/v1/keys", json=body, headers=ADMIN)
    document = await response.json()
    assert response.status == 201, document
    assert response.headers["Cache-Control"] == "no-store"
    return document


async def test_a_key_acts_as_its_account(secure: WebClient) -> None:
    document = await made_key(secure)
    headers = bearer(document["key"])
    body = order(sender=ALICE.public_key)
    assert (await secure.post("/v1/streams", json=body, headers=headers)).status == 201
    other = order(sender=BOB.public_key)
    assert (await secure.post("/v1/streams", json=other, headers=headers)).status == 403
    listed = await (await secure.get("/v1/streams", headers=headers)).json()
    assert len(listed["items"]) == 1


async def test_a_key_without_an_account_sees_what_its_scopes_allow(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    await secure.post("/v1/streams", json=order(sender=ALICE.public_key), headers=writer(ALICE))
    document = await made_key(secure, account=None, scopes=["events:all"])
    headers = bearer(document["key"])
    listed = await (await secure.get("/v1/streams", headers=headers)).json()
    assert len(listed["items"]) == 1
    body = order(sender=ALICE.public_key)
    assert (await secure.post("/v1/streams", json=body, headers=headers)).status == 403
    assert (await secure.get("/v1/keys", headers=headers)).status == 403
    given = await secure.post("/v1/events/ticket", headers=headers)
    token = await Tickets(redis, keys).redeem((await given.json())["ticket"], "client")
    assert token
    assert (await secure.get("/v1/streams", headers=bearer(token))).status == 200
    assert claims_of(token)["scope"] == "events:all"
    nothing = await made_key(secure, account=None, scopes=[])
    answer = await secure.get("/v1/streams", headers=bearer(nothing["key"]))
    assert (answer.status, (await answer.json())["items"]) == (200, [])


async def everything(redis: Redis, keys: Keys) -> bytes:
    """All data of the namespace in Redis, as bytes."""
    found = []
    async for name in redis.scan_iter(f"*{keys.namespace}*", count=1000):
        found += [name, await redis.dump(name) or b""]  # empty if it has just expired
        if await redis.type(name) == b"hash":
            fields: Any = await redis.hgetall(name)
            found += [b"%b=%b" % row for row in fields.items()]
    return b"\n".join(found)


async def test_a_key_is_hashed_at_rest_and_shown_once(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    document = await made_key(secure)
    secret = document["key"]
    assert (len(secret), secret[:3]) == (46, "hr_")
    await secure.get("/v1/streams", headers=bearer(secret))
    held = await everything(redis, keys)
    assert secret[3:].encode() not in held
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in held
    listed = await (await secure.get("/v1/keys", headers=ADMIN)).json()
    (row,) = listed["items"]
    assert row == {k: v for k, v in document.items() if k != "key"}
    assert secret not in str(listed)


async def test_deleting_a_key_ends_its_tokens(secure: WebClient, redis: Redis, keys: Keys) -> None:
    document = await made_key(secure)
    headers = bearer(document["key"])
    response = await secure.post("/v1/events/ticket", headers=headers)
    token = await Tickets(redis, keys).redeem((await response.json())["ticket"], "client")
    assert token
    claims = claims_of(token)
    assert (claims["sub"], claims["scope"]) == (ALICE.public_key, "streams:write")
    assert (await secure.get("/v1/streams", headers=bearer(token))).status == 200
    for expected in (204, 404):
        gone = await secure.delete(f"/v1/keys/{document['id']}", headers=ADMIN)
        assert gone.status == expected
    for credential in (document["key"], token):
        assert (await secure.get("/v1/streams", headers=bearer(credential))).status == 401


async def test_an_expired_key_is_rejected(
    secure: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await made_key(secure, expiresAt=int(time.time()) + 100)
    headers = bearer(document["key"])
    assert (await secure.get("/v1/streams", headers=headers)).status == 200
    clock = secure.app[CLOCK]
    later = clock() + 101
    monkeypatch.setattr(type(clock), "__call__", lambda _: later)
    assert (await secure.get("/v1/streams", headers=headers)).status == 401


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({"scopes": "admin"}, "/scopes"),
        ({"account": "G123"}, "/account"),
        ({"expiresAt": 5}, "/expiresAt"),
        ({"expiresAt": "5"}, "/expiresAt"),
        ({"key": "hr_x"}, "/key"),
    ],
)
async def test_invalid_keys_are_not_created(
    secure: WebClient, change: dict[str, Any], pointer: str
) -> None:
    body = {"name": "x", "scopes": []} | change
    response = await secure.post("/v1/keys", json=body, headers=ADMIN)
    (error,) = (await response.json())["errors"]
    assert (response.status, error["pointer"]) == (422, pointer)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/1")]
)
async def test_only_admins_manage_keys(secure: WebClient, method: str, path: str) -> None:
    for headers, status in ((writer(ALICE), 403), ({}, 401)):
        assert (await secure.request(method, path, headers=headers)).status == status


async def test_malformed_keys_are_rejected(secure: WebClient) -> None:
    known = (await made_key(secure))["key"]
    for key in ("hr_", known[:-1], known + "A", known[:-1] + "!", "hr_" + "A" * 43, "hr_ÿ"):
        headers = bearer(key)
        assert (await secure.get("/v1/streams", headers=headers)).status == 401


async def test_a_key_is_accepted_only_in_the_header(secure: WebClient) -> None:
    key = (await made_key(secure))["key"]
    assert (await secure.get("/v1/streams", params={"access_token": key})).status == 401
    cookie = {"Cookie": f"headrace_token={key}"}
    assert (await secure.get("/v1/streams", headers=cookie)).status == 401
    for path in ("/v1/auth/refresh", "/v1/auth/logout"):
        assert (await secure.post(path, headers=bearer(key))).status == 401


async def test_a_new_key_works_at_every_replica_at_once(start: StartApi) -> None:
    one, two = await start(**REQUIRED), await start(**REQUIRED)
    document = await made_key(one)
    assert (await two.get("/v1/streams", headers=bearer(document["key"]))).status == 200

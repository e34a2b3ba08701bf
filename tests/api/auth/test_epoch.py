"""After Redis lost all revocations, the API rejects tokens that were issued before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient

from services.api.app import build_app
from services.api.settings import ApiSettings
from shared.journal.keys import Keys
from tests.api.auth.samples import (
    ADMIN,
    ALICE,
    WALLETS,
    Horizon,
    bearer,
    challenge,
    claims_of,
    log_in,
    signed,
    token_of,
)
from tests.api.samples import TOKEN, time_is_known
from tests.support.data import begun_long_ago
from tests.support.redis_node import Node
from tests.support.waiting import until
from tests.support.web_client import WebClient


class Lossy:
    """An API in AUTH_MODE=required with a Redis that a test can empty."""

    def __init__(self, node: Node, keys: Keys, client: WebClient) -> None:
        self.node, self.keys, self.client = node, keys, client

    async def lose(self) -> None:
        """Delete all data of Redis, and wait until the API has begun a new epoch."""
        await self.node.stop()
        await self.node.start()
        await until(lambda: self.node.ask("EXISTS", self.keys.epoch), what="a new epoch")

    async def status(self, token: str) -> int:
        return int((await self.client.get("/v1/streams", headers=bearer(token))).status)


@pytest.fixture
async def lossy(
    aiohttp_client: AiohttpClient, tmp_path: Path, keys: Keys, horizon: Horizon
) -> AsyncIterator[Lossy]:
    node = Node(tmp_path / "redis", {"save": '""', "appendonly": "no"})
    await node.start()
    try:
        async with node.client() as redis:
            await begun_long_ago(redis, keys)
        settings = ApiSettings(
            redis_url=f"redis://127.0.0.1:{node.port}/0", contracts=(TOKEN,),
            namespace=keys.namespace, horizon_url=horizon.url, rate_limit_login=1000, **WALLETS,
        )  # fmt: skip
        client = await time_is_known(await aiohttp_client(build_app(settings)))
        yield Lossy(node, keys, client)
        await client.close()
    finally:
        await node.stop()


async def test_after_data_loss_a_revoked_token_stays_rejected(lossy: Lossy) -> None:
    good, ended = [await log_in(lossy.client, ALICE.public_key, ALICE) for _ in range(2)]
    assert (await lossy.client.delete("/v1/auth", headers=bearer(ended))).status == 204
    assert [await lossy.status(each) for each in (good, ended)] == [200, 401]
    await lossy.lose()
    assert [await lossy.status(each) for each in (good, ended)] == [401, 401]
    for path in ("/v1/auth/refresh", "/v1/events/ticket"):
        assert (await lossy.client.post(path, headers=bearer(ended))).status == 401
    response = await lossy.client.get("/v1/streams", headers=bearer(ended))
    detail = (await response.json())["detail"]
    assert "Log in again" in detail
    assert "python -m services.api token" in detail, "for tokens made on the command line"


async def test_after_data_loss_a_new_login_works_within_the_same_second(lossy: Lossy) -> None:
    """`iat` of a token has milliseconds, so it can be compared within a second."""
    await lossy.lose()

    async def logged_in() -> str:
        envelope = signed(await challenge(lossy.client, ALICE.public_key), ALICE)
        response = await lossy.client.post("/v1/auth", json={"transaction": envelope})
        return (await response.json()).get("token", "")

    token = await until(logged_in, what="a login")
    assert await lossy.status(token) == 200
    assert claims_of(token)["iat"] * 1e6 >= int(await lossy.node.ask("GET", lossy.keys.epoch))


async def test_after_data_loss_a_used_challenge_gives_no_second_token(lossy: Lossy) -> None:
    envelope = signed(await challenge(lossy.client, ALICE.public_key), ALICE)
    body = {"transaction": envelope}
    assert (await lossy.client.post("/v1/auth", json=body)).status == 200
    assert (await lossy.client.post("/v1/auth", json=body)).status == 401
    await lossy.lose()
    response = await lossy.client.post("/v1/auth", json=body)
    assert response.status == 401
    assert "lost its data" in (await response.json())["detail"]


async def test_after_data_loss_the_tokens_of_an_api_key_are_rejected(lossy: Lossy) -> None:
    order = {"name": "x", "scopes": ["events:all"]}
    made = await (await lossy.client.post("/v1/keys", json=order, headers=ADMIN)).json()
    given = await lossy.client.post("/v1/events/ticket", headers=bearer(made["key"]))
    ticket = (await given.json())["ticket"]
    assert given.status == 201
    await lossy.lose()
    assert await lossy.status(made["key"]) == 401, "the key was in Redis"
    assert not await lossy.node.ask("KEYS", "*:ticket:*"), ticket


async def test_a_new_epoch_ends_tokens_but_not_stored_keys(lossy: Lossy) -> None:
    """An operator begins a new epoch after a restore, and checks the keys by hand."""
    order = {"name": "x", "scopes": ["events:all"]}
    made = await (await lossy.client.post("/v1/keys", json=order, headers=ADMIN)).json()
    token = token_of(ALICE.public_key)
    assert await lossy.status(token) == 200

    async def undecided() -> bool:
        """Whether the request came before the next check, in which the API begins an epoch."""
        await lossy.node.ask("DEL", lossy.keys.epoch)
        status = await lossy.status(token)
        assert status in (503, 401), "nobody is let in"
        return status == 503

    await until(undecided, what="503, because nobody can tell")
    await until(lambda: lossy.node.ask("EXISTS", lossy.keys.epoch), what="a new epoch")
    assert [await lossy.status(each) for each in (made["key"], token)] == [200, 401]


@pytest.mark.parametrize("claims", [{"iat": None}, {"iat": 0}, {"iat": 0.5}])
async def test_a_token_without_a_valid_iat_is_rejected(
    lossy: Lossy, claims: dict[str, Any]
) -> None:
    assert await lossy.status(token_of(ALICE.public_key, **claims)) == 401

"""Fixtures for the API: the whole application on a socket, with a clock that tests set."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient, AiohttpServer
from redis.asyncio import Redis

from services.api.app import build_app
from services.api.settings import ApiSettings
from shared.journal.keys import Keys
from tests.api.auth.samples import REQUIRED, WALLETS, Horizon
from tests.api.samples import TOKEN, Clock, is_ready, time_is_known
from tests.support.data import begun_long_ago
from tests.support.waiting import until
from tests.support.web_client import StartApi, WebClient


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(
    aiohttp_client: AiohttpClient, redis: Redis, redis_url: str, keys: Keys, clock: Clock
) -> StartApi:
    """Start an API, with further settings if needed. Returns a client."""

    async def start(**more: Any) -> WebClient:
        await begun_long_ago(redis, keys)
        given = {"redis_url": redis_url, "contracts": (TOKEN,), "namespace": keys.namespace}
        settings = ApiSettings(**(given | more))
        client = await aiohttp_client(build_app(settings, clock=clock, notices=False))
        # A test with another Redis may need an API that does not reach it.
        return client if "redis_url" in more else await time_is_known(client)

    return start


@pytest.fixture
async def client(start: StartApi) -> WebClient:
    client = await start()
    await until(lambda: is_ready(client))
    return client


@pytest.fixture
async def horizon(aiohttp_server: AiohttpServer) -> Horizon:
    """A Horizon server, at first without accounts. `url` is its address."""
    horizon = Horizon()
    horizon.url = str((await aiohttp_server(horizon.app())).make_url("")).rstrip("/")
    return horizon


@pytest.fixture
async def secure(start: StartApi) -> WebClient:
    """An API in AUTH_MODE=required."""
    return await start(**REQUIRED)


@pytest.fixture
async def wallets(start: StartApi, horizon: Horizon) -> WebClient:
    """An API in AUTH_MODE=required where wallets log in."""
    return await start(**WALLETS, horizon_url=horizon.url, rate_limit_login=1000)

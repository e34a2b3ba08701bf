"""The flood attacks in every way, here against services in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from pytest_aiohttp import AiohttpClient
from redis.asyncio import Redis

from services.api.app import build_app
from services.api.settings import ApiSettings
from shared.journal.keys import Keys
from shared.runtime.tasks import cancel
from tests.api.samples import RECIPIENT, TOKEN
from tests.attacks.flood import Flood, FloodPlan
from tests.fanout.replicas import in_process_replica
from tests.support.data import begun_long_ago
from tests.support.waiting import until

SECRET = "a secret of the flood's test, more than 32 bytes"
KINDS = {"POST 201", "PATCH 200", "GET 200", "resume 200", "slow subscriber", "slow body"}


async def test_one_account_floods_in_every_way(
    aiohttp_client: AiohttpClient, redis: Redis, redis_url: str, keys: Keys
) -> None:
    await begun_long_ago(redis, keys)
    required: dict[str, Any] = {"auth_mode": "required", "jwt_secret": SECRET}
    settings = ApiSettings(
        redis_url=redis_url, contracts=(TOKEN,), namespace=keys.namespace,
        rate_limit_ip=0, rate_limit_subject=60, **required,
    )  # fmt: skip
    api = await aiohttp_client(build_app(settings, notices=False))
    async with in_process_replica(redis_url, keys, **required) as fanout:
        plan = FloodPlan(
            [api.port or 0], [fanout.port], SECRET, victim=RECIPIENT, token=TOKEN, share=1.0
        )
        async with aiohttp.ClientSession() as session:
            flood = Flood(plan, session)
            running = asyncio.create_task(flood.run())
            wanted = KINDS | {"malformed", "POST 429"}
            await until(lambda: running.done() or wanted <= set(flood.counts), what=str(wanted))
            await cancel(running)
    assert not any(kind.endswith(" 500") for kind in flood.counts), flood.counts

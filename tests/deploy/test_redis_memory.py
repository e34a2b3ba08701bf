"""One account fills Redis until the API refuses; what docs/operations/memory.md says then helps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_aiohttp import AiohttpClient, AiohttpServer

from services.api.app import REDIS_MEMORY, build_app
from services.api.settings import ApiSettings
from shared.journal.commit import Committer
from shared.journal.plan import Retention
from shared.redis.client import WriteRefusedError, connect
from tests.api.auth.samples import ADMIN, ALICE, BOB, WALLETS, Horizon, log_in, writer
from tests.api.samples import TOKEN, order, time_is_known
from tests.deploy.redis_work import KEYS, Guarded, guarded_redis
from tests.operations.pages import block
from tests.operations.site import redis_terminal
from tests.operations.terminal import Terminal
from tests.shared.samples import at, created
from tests.support.data import begun_long_ago
from tests.support.redis_server import PATIENT
from tests.support.redis_servers import find_servers, one_of_each_kind
from tests.support.web_client import WebClient

pytestmark = [pytest.mark.io, pytest.mark.timeout(120)]

ROOM = 6_000_000
"""Bytes between an empty Redis and its maxmemory."""


@dataclass
class Site:
    """A small Redis with the users of the deployment, an API, and an indexer that commits."""

    redis: Guarded
    api: WebClient
    indexer: Committer
    terminal: Terminal
    ledger: int = 1

    async def used(self) -> int:
        return int((await self.redis.all.info("memory"))["used_memory"])

    async def limit(self, maxmemory: int) -> None:
        await self.redis.all.config_set("maxmemory", maxmemory)

    async def create(self) -> int:
        """The status of POST /v1/streams by one account."""
        body = order(sender=ALICE.public_key, metadata={"note": "x" * 500})
        headers = writer(ALICE) | {"Idempotency-Key": f"{self.ledger}"}
        self.ledger += 1
        return (await self.api.post("/v1/streams", json=body, headers=headers)).status

    async def has_room(self) -> bool:
        """Whether Redis has room for streams, as the API sees it."""
        await self.api.app[REDIS_MEMORY].check()
        return self.api.app[REDIS_MEMORY].full_reason() is None

    async def accepts(self) -> bool:
        """Whether the API makes streams, after it has looked at the memory."""
        return await self.has_room() and await self.create() == 201

    async def revoke(self) -> int:
        answer = await self.api.post(
            "/v1/auth/revoke", json={"account": BOB.public_key}, headers=ADMIN
        )
        return answer.status

    async def commit(self, events: int = 1, note: int = 0, *, most: int = 10**9) -> None:
        """A commit of the indexer, whose journal may have `most` bytes."""
        self.indexer._retention = Retention(max_bytes=most)
        first = self.ledger
        self.ledger += events
        metadata = {"note": "x" * note}
        batch = [created(f"{n}", at(n), metadata=metadata) for n in range(first, self.ledger)]
        await self.indexer.record(batch, progress={"ledger": str(first)})

    async def commit_for_ever(self) -> None:
        while True:
            await self.commit(50, note=4_000)

    async def operator(self, name: str, **changed: str) -> str:
        """Run a block of the runbook, as it is apart from `changed`. Returns what it printed."""
        result = await self.terminal.run(block("memory.md", name), changed)
        assert result.code == 0, result.errors
        return result.text


@pytest_asyncio.fixture
async def site(
    tmp_path: Path, aiohttp_client: AiohttpClient, aiohttp_server: AiohttpServer
) -> AsyncIterator[Site]:
    horizon = str((await aiohttp_server(Horizon().app())).make_url("")).rstrip("/")
    server = list(one_of_each_kind(find_servers()).values())[-1]
    async with guarded_redis(tmp_path, server) as redis:
        await begun_long_ago(redis.all, KEYS)
        given = WALLETS | {"redis_url": redis.url("api"), "contracts": (TOKEN,)}
        given |= {"namespace": KEYS.namespace, "horizon_url": horizon, "rate_limit_ip": 0}
        given |= {
            "rate_limit_subject": 0,
            "bytes_per_account": 0,
            "streams_per_account": 0,
            "bytes_per_ip": 0,
        }
        app = build_app(ApiSettings(**given), notices=False)
        api = await time_is_known(await aiohttp_client(app))
        (tmp_path / "operator").mkdir()
        async with (
            connect(redis.url("indexer"), timeout=PATIENT) as writing,
            redis_terminal(tmp_path / "operator", redis.composed) as terminal,
        ):
            yield Site(redis, api, Committer(writing, KEYS), terminal)


async def test_the_runbook_helps_when_one_account_or_the_chain_has_filled_redis(
    site: Site,
) -> None:
    small = await site.used() + ROOM
    await site.limit(small)
    while await site.has_room():
        await asyncio.gather(*(site.create() for _ in range(50)))
    assert 0.8 * small <= await site.used() < 0.95 * small, "the API stops in time"
    await site.commit(20, note=500)
    assert await site.revoke() == 204
    assert await log_in(site.api, ALICE.public_key, ALICE)

    assert f"\n{small}" in await site.operator("look at the memory")
    await site.operator("raise maxmemory")
    assert await site.accepts()

    await site.limit(small)  # no more memory is to be had: keep less history
    assert not await site.accepts()
    for _ in range(5):
        await site.commit(most=ROOM // 20)
    assert await site.accepts()

    with pytest.raises(WriteRefusedError):  # the chain alone fills the rest
        await site.commit_for_ever()
    full = await site.used()
    await site.limit(full * 9 // 10)  # Redis may free a part of what it uses at any time
    assert await site.revoke() == 503
    await site.operator("raise maxmemory", **{"2gb": str(full + full // 10)})
    for _ in range(5):
        await site.commit(most=ROOM // 20)
    assert await site.revoke() == 204
    assert await site.accepts()

"""Fixtures: the metrics of every service, and fanouts behind a gateway."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from shared.journal.keys import Keys
from tests.deploy.fanouts import Fanouts
from tests.deploy.standin import StandIn, stand_in
from tests.fanout.replicas import CONTRACT
from tests.support import processes
from tests.support.name_server import NameServer, name_server


@pytest.fixture
async def exposition(redis_url: str, keys: Keys, tmp_path: Path) -> list[str]:
    """The lines of /metrics of each service, right after its start."""
    lines: list[str] = []
    common = {"REDIS_URL": redis_url, "NAMESPACE": keys.namespace, "CONTRACTS": CONTRACT}
    for service in ("indexer", "api", "fanout", "archiver", "webhooks"):
        archive = {"ARCHIVE_URL": f"file://{tmp_path}/archive"} if service == "archiver" else {}
        environment = common | archive
        async with (
            processes.running(f"services.{service}", **environment) as process,
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{process.port}/metrics") as response,
        ):
            lines += (await response.text()).splitlines()
    return lines


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[StandIn]:
    async with stand_in() as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names() -> AsyncIterator[NameServer]:
    async with name_server({}) as server:
        yield server


@pytest.fixture(scope="module")
def module_keys() -> Keys:
    return Keys(f"test-{uuid.uuid4().hex[:12]}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fanouts(redis_url: str, module_keys: Keys, names: NameServer) -> AsyncIterator[Fanouts]:
    """The fanouts that tests of a gateway share. Tests with other needs start their own."""
    async with Fanouts(redis_url, module_keys, names) as fanouts:
        await fanouts.start(BACKLOG_BYTES=200_000)
        yield fanouts

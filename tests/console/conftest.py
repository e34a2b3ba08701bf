"""Fixtures: one installation and one Chromium for all tests of the console."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings
from shared.journal.commit import Committer
from shared.journal.keys import Keys, namespace_of
from shared.redis.client import connect
from shared.webhooks.attempts import AttemptStore
from shared.webhooks.redeliveries import RedeliveryStore
from tests.console.accessibility import axe
from tests.console.browser import User, browser, user
from tests.console.samples import Counted, Dispatcher, create
from tests.support.installation import Installation, installation
from tests.support.redis_server import PATIENT
from tests.support.waiting import until

__all__ = ["axe", "browser"]

expect.set_options(timeout=30_000)  # milliseconds; 5 s are too few on a busy machine


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation in AUTH_MODE=open, with two ledgers a second."""
    folder = tmp_path_factory.mktemp("console")
    async with installation(folder, CLOSE_SECONDS="0.5", RETRY_MS="300") as whole:
        yield whole


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def counted(whole: Installation, browser: Browser) -> AsyncIterator[Counted]:
    """A page that shows the claimable amount of a stream, shared by all tests."""
    stream = await create(whole, label="counted", rate="11", ago=5)
    async with user(browser, whole.url(whole.ports.gateway)) as someone:
        page = await someone.open(f"#/streams/{stream['id']}")
        await page.wait_for_selector("#claimable")
        yield Counted(page, stream["id"], time.monotonic())


@pytest_asyncio.fixture(loop_scope="session")
async def someone(whole: Installation, browser: Browser) -> AsyncIterator[User]:
    """A user without open tabs."""
    async with user(browser, whole.url(whole.ports.gateway)) as someone:
        yield someone


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stored(whole: Installation) -> AsyncIterator[tuple[Redis, Keys]]:
    """The Redis of the installation, and the names of its keys."""
    url = f"redis://127.0.0.1:{whole.ports.redis}/0"
    keys = Keys(namespace_of(SimulatorSettings().network_passphrase, accounts.STREAMS))
    redis = connect(url, slot_key=keys.slot_key, timeout=PATIENT)
    yield redis, keys
    await redis.aclose()


@pytest.fixture(scope="package")
def committer(stored: tuple[Redis, Keys]) -> Committer:
    """Writes into the journal of the installation, as its indexer does."""
    return Committer(*stored)


@pytest.fixture(scope="package")
def attempts(stored: tuple[Redis, Keys]) -> AttemptStore:
    """Stores attempts to deliver, as a dispatcher of the installation does."""
    return AttemptStore(*stored)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def dispatcher(stored: tuple[Redis, Keys]) -> Dispatcher:
    """Carries out redeliveries, as a dispatcher of the installation does."""
    redis, keys = stored
    await redis.set(keys.webhook_partition(1), "dispatcher")
    return Dispatcher(RedeliveryStore(redis, keys))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def known_tokens(whole: Installation) -> None:
    """Streams of several tokens. The indexer has read those that tell their decimals."""
    for token in (accounts.TOKEN, accounts.LUMENS, accounts.HOSTILE, accounts.SILENT):
        await create(whole, token=token)
    for token in (accounts.TOKEN, accounts.LUMENS):
        await until(partial(_is_read, whole, token), seconds=60, what="a token that was read")


async def _is_read(whole: Installation, token: str) -> bool:
    _, found = await whole.get(whole.ports.gateway, f"/v1/tokens/{token}")
    return found["decimals"] is not None

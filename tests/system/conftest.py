"""Fixtures: one `make run` and one Chromium for the tests of what only `make run` has."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from deploy.local.ports import Ports
from tests.console.browser import User, browser, user
from tests.deploy.gateways import installed_kinds
from tests.support.installation import free_ports
from tests.support.tier import one_in_test
from tests.support.waiting import until
from tests.system.test_make_run import make_run

__all__ = ["browser"]

VALID_SECONDS = 30
"""The seconds for which a transaction is valid: the fewest that the API accepts."""


@dataclass(frozen=True)
class Run:
    """A running `make run`."""

    ports: Ports
    log: Path

    @property
    def url(self) -> str:
        return f"http://localhost:{self.ports.gateway}"

    @property
    def network(self) -> str:
        return f"http://localhost:{self.ports.network}"


@pytest_asyncio.fixture(
    scope="package", loop_scope="session", params=one_in_test(installed_kinds())
)
async def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Run]:
    folder, ports = tmp_path_factory.mktemp("run"), free_ports()
    log = folder / "run.txt"
    more = {"PORT_BASE": str(ports.base), "TRANSACTION_SECONDS": str(VALID_SECONDS)}
    process = make_run(folder, log, **more, GATEWAY=request.param)
    try:
        await until(lambda: "Headrace is ready" in log.read_text(), seconds=90, what=log.read_text)
        yield Run(ports, log)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(90)


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(run: Run, browser: Browser) -> AsyncIterator[User]:
    async with user(browser, run.url) as visitor:
        yield visitor

"""Fixtures: one installation and one Chromium for the examples of all pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.console.browser import browser
from tests.docs.blocks import Shell
from tests.fanout.conftest import auth_replica, start
from tests.support.installation import Installation, installation

__all__ = ["auth_replica", "browser", "start"]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """What `make run` starts, with two ledgers a second."""
    folder = tmp_path_factory.mktemp("docs")
    async with installation(folder, CLOSE_SECONDS="0.5", RETRY_MS="300") as whole:
        yield whole


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty tab."""
    tab = await browser.new_page()
    yield tab
    await tab.close()


@pytest.fixture
def shell(whole: Installation, tmp_path: Path) -> Shell:
    return Shell(tmp_path, whole.ports.gateway)


@pytest.fixture
def address(whole: Installation) -> str:
    """Host and port of the gateway, which pages name as `localhost:3001`."""
    return f"localhost:{whole.ports.gateway}"

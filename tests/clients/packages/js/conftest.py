"""Fixtures: the installed package, a running system, a server for pages, and Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.clients.packages.js.archive import add_libraries, install, pack, require_libraries
from tests.clients.packages.js.page_server import PageServer, page_server
from tests.console.browser import browser
from tests.support.installation import Installation, installation

__all__ = ["browser"]

expect.set_options(timeout=30_000)  # milliseconds; 5 s are too few on a busy machine


@pytest.fixture(scope="package")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="package")
def project(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project with the package, and with React and its types."""
    require_libraries()
    folder = tmp_path_factory.mktemp("projects") / "project"
    install(archive, folder)
    add_libraries(folder, "react", "react-dom", "@types/react")
    return folder


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """A system with two fanouts behind a gateway, and two ledgers a second."""
    folder = tmp_path_factory.mktemp("system")
    async with installation(folder, CLOSE_SECONDS="0.5", RETRY_MS="300") as whole:
        yield whole


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def pages(project: Path) -> AsyncIterator[PageServer]:
    async with page_server(project) as server:
        yield server

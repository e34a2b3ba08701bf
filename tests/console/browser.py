"""A real Chromium with a real installation. Pages record their messages and requests.

A conftest that imports the fixture `browser` gives one browser to all tests of its folder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright

from tests.support.programs import needed

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LOUD = ("error", "warning")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser. It is closed at the end. Skips the test if Chromium is not installed."""
    program = needed("chromium-headless-shell")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_QUIET)
        try:
            yield browser
        finally:
            await browser.close()


# A browser that is not closed goes on drawing, so it is closed after the last test of the folder.
@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


class User:
    """The browser profile of a user. Its tabs share storage, locks and channels."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.noise: list[str] = []
        self.hosts: set[str] = set()
        self.subscriptions: list[str] = []

    async def open(self, view: str = "#/live") -> Page:
        """Open a tab with a view."""
        page = await self.context.new_page()
        page.on("console", lambda m: self.noise.append(m.text) if m.type in _LOUD else None)
        page.on("pageerror", lambda error: self.noise.append(str(error)))
        page.on("request", self._asked)
        await page.goto(f"{self.address}/{view}")
        return page

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        self.hosts.add(url.netloc)
        if url.path.endswith("/events/subscribe"):
            self.subscriptions.append(request.url)


@asynccontextmanager
async def user(browser: Browser, address: str, **more: Any) -> AsyncIterator[User]:
    """A new user. `more` are options of the browser context, such as `color_scheme`.

    Motion is reduced by default: animations at 60 frames a second take most of a core.
    """
    options = {"viewport": {"width": 1120, "height": 760}, "reduced_motion": "reduce", **more}
    context = await browser.new_context(**options)
    try:
        yield User(context, address)
    finally:
        await context.close()

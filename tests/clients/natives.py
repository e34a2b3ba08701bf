"""Native EventSources, many at once: Chromium's in pages of another origin, and Node's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from playwright.async_api import Browser, Page

from tests.clients.libraries import NAMES, Driver, Received
from tests.console.browser import chromium

_NODE = ("eventsource", "undici")
_A_CONTEXT = 6
"""Connections that a browser's profile opens to one host by HTTP/1.1."""

_PAGE = """
<!doctype html>
<script>
  function subscribe(urls, names) {
    urls.forEach((url, number) => {
      const source = new EventSource(url)
      for (const name of names) {
        source.addEventListener(name, (e) => report(number, e.type, e.lastEventId, e.data))
      }
      source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) report(number, "given up", "", "")
      }
    })
  }
</script>
"""


@dataclass
class Native:
    """One EventSource; `events` grows."""

    url: str
    kind: str
    events: list[Received] = field(default_factory=list)

    def named(self, name: str) -> list[Received]:
        """The events of this name that came until now; `message` is the first of a connection."""
        return [event for event in self.events if event.name == name]

    @property
    def given_up(self) -> bool:
        """Whether it got an answer that is final for it (Chromium only)."""
        return bool(self.named("given up"))

    @property
    def began(self) -> str:
        """The position at which it connected first."""
        return self.named("message")[0].id or ""

    @property
    def ids(self) -> list[str]:
        """The ids of the journal's events."""
        return [event.id or "" for event in self.events if event.of_journal]


class Natives:
    """Opens EventSources; all end with the block that made this."""

    def __init__(self, browser: Browser, page: str, stack: AsyncExitStack) -> None:
        self.all: list[Native] = []
        self._browser = browser
        self._page = page
        self._stack = stack

    async def open(self, urls: Sequence[str], count: int) -> list[Native]:
        """To each URL this many of Chromium's, and one of each of Node's libraries."""
        new: list[Native] = []
        for _ in range(0, count, _A_CONTEXT):
            each = [url for url in urls for _ in range(_A_CONTEXT)]
            new += await self.subscribe(await self.page(), each)
        for url in urls:
            for library in _NODE:
                driver = await Driver.start(library, url)
                self._stack.push_async_callback(driver.stop)
                new.append(Native(url, library, driver.events))
        self.all += new
        return new

    async def page(self) -> Page:
        """A page of an origin of its own, in a browser's profile of its own."""
        context = await self._browser.new_context(ignore_https_errors=True)
        self._stack.push_async_callback(context.close)
        page = await context.new_page()
        await page.goto(self._page)
        return page

    async def subscribe(self, page: Page, urls: Sequence[str]) -> list[Native]:
        """The page's own EventSources."""
        natives = [Native(url, "chromium") for url in urls]

        def report(number: int, name: str, position: str, data: str) -> None:
            natives[number].events.append(Received(name, position, data))

        await page.expose_function("report", report)
        await page.evaluate("([urls, names]) => subscribe(urls, names)", [list(urls), NAMES])
        return natives


@asynccontextmanager
async def natives() -> AsyncIterator[Natives]:
    """A browser and a server for its page."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    runner = web.ServerRunner(web.Server(answer))
    async with AsyncExitStack() as stack:
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        browser = await stack.enter_async_context(chromium())
        host, port = runner.addresses[0][:2]
        yield Natives(browser, f"http://{host}:{port}/", stack)

"""Many native EventSources: those of Chromium, in pages of another origin, and those of Node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from playwright.async_api import Browser, Page

from tests.clients.libraries import NAMES, Driver, ReceivedEvent
from tests.console.browser import chromium

_NODE = ("eventsource", "undici")
_PER_PROFILE = 6
"""The limit of a browser profile for HTTP/1.1 connections to one host."""

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
class NativeSource:
    """One EventSource and its received events."""

    url: str
    kind: str
    events: list[ReceivedEvent] = field(default_factory=list)

    def named(self, name: str) -> list[ReceivedEvent]:
        """The received events with this name. `message` is the first event of each connection."""
        return [event for event in self.events if event.name == name]

    @property
    def given_up(self) -> bool:
        """True if it got an answer after which it never reconnects (Chromium only)."""
        return bool(self.named("given up"))

    @property
    def first_position(self) -> str:
        """The position of its first connection."""
        return self.named("message")[0].id or ""

    @property
    def ids(self) -> list[str]:
        """The ids of the journal events."""
        return [event.id or "" for event in self.events if event.is_journal_event]


class EventSources:
    """Opens EventSources. All of them close at the end of the `event_sources` block."""

    def __init__(self, browser: Browser, page: str, stack: AsyncExitStack) -> None:
        self.all: list[NativeSource] = []
        self._browser = browser
        self._page = page
        self._stack = stack

    async def open(self, urls: Sequence[str], count: int) -> list[NativeSource]:
        """Open this many of Chromium for each URL, and one of each library of Node."""
        new: list[NativeSource] = []
        for _ in range(0, count, _PER_PROFILE):
            each = [url for url in urls for _ in range(_PER_PROFILE)]
            new += await self.subscribe(await self.page(), each)
        for url in urls:
            for library in _NODE:
                driver = await Driver.start(library, url)
                self._stack.push_async_callback(driver.stop)
                new.append(NativeSource(url, library, driver.events))
        self.all += new
        return new

    async def page(self) -> Page:
        """A page of another origin, in a new browser profile."""
        context = await self._browser.new_context(ignore_https_errors=True)
        self._stack.push_async_callback(context.close)
        page = await context.new_page()
        await page.goto(self._page)
        return page

    async def subscribe(self, page: Page, urls: Sequence[str]) -> list[NativeSource]:
        """Open EventSources in this page."""
        sources = [NativeSource(url, "chromium") for url in urls]

        def report(number: int, name: str, position: str, data: str) -> None:
            sources[number].events.append(ReceivedEvent(name, position, data))

        await page.expose_function("report", report)
        await page.evaluate("([urls, names]) => subscribe(urls, names)", [list(urls), NAMES])
        return sources


@asynccontextmanager
async def event_sources() -> AsyncIterator[EventSources]:
    """Start a browser and a server for its page."""

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
        yield EventSources(browser, f"http://{host}:{port}/", stack)

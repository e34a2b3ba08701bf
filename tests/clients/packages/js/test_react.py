"""The hook with React: in Chromium, with a system whose fanouts are killed."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.clients.packages.js.archive import bundle
from tests.clients.packages.js.page_server import FOLDER, PageServer
from tests.console.samples import RECIPIENT, SENDER, create, step
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


class App:
    """The app in the page."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url

    async def mount(self, **options: Any) -> None:
        await self._page.evaluate("(options) => app.mount(options)", {"url": self._url} | options)

    async def unmount(self) -> None:
        await self._page.evaluate("app.unmount()")

    async def shown(self) -> dict[str, Any]:
        """What the hook returned at the last render."""
        return dict(await self._page.evaluate("app.shown") or {"state": "", "streams": []})

    async def rows(self) -> dict[str, int]:
        """The version of each stream in the document."""
        script = "all => Object.fromEntries(all.map((li) => [li.id, Number(li.dataset.version)]))"
        return dict(await self._page.eval_on_selector_all("li", script))

    async def connections(self) -> list[int]:
        """The `readyState` of each EventSource that the page has ever made."""
        return list(await self._page.evaluate("sources.map(({ readyState }) => readyState)"))

    async def is_live(self) -> bool:
        return (await self.shown())["state"] == "live"


@pytest.fixture(scope="module")
def bundled(project: Path) -> Path:
    """The app in one file, as a bundler makes it for browsers."""
    source = project / "hook.mjs"
    shutil.copy(FOLDER / "hook.mjs", source)
    return bundle(project, source)


@pytest_asyncio.fixture(loop_scope="session")
async def app(
    whole: Installation, pages: PageServer, browser: Browser, bundled: Path
) -> AsyncIterator[App]:
    context = await browser.new_context()
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(f"{pages.url}/hook.html")
    yield App(page, whole.url(whole.ports.gateway))
    await context.close()
    assert errors == []


async def wanted(whole: Installation, account: str) -> dict[str, int]:
    """The version of each stream of an account, by the API."""
    path = f"/v1/streams?limit=200&user={account}"
    _, own = await whole.get(whole.ports.gateway, path)
    _, pending = await whole.get(whole.ports.gateway, f"{path}&acceptance=pending")
    return {each["id"]: each["version"] for each in own["items"] + pending["items"]}


async def until_complete(whole: Installation, app: App, account: str) -> None:
    async def is_complete() -> bool:
        rows = await app.rows()
        return rows != {} and rows == await wanted(whole, account)

    await until(is_complete, seconds=60, what="all streams of the account")


async def test_the_hook_shows_the_streams_and_stays_complete_when_fanouts_are_killed(
    whole: Installation, app: App
) -> None:
    before = await create(whole, label="before")
    await app.mount(users=[RECIPIENT])
    await until_complete(whole, app, RECIPIENT)
    shown = await app.shown()
    assert (shown["state"], shown["error"]) == ("live", None)
    assert before["id"] in {stream["id"] for stream in shown["streams"]}
    for name in ("fanout-1", "fanout-2"):
        whole.kill(name)
        meanwhile = await create(whole)
        await step(whole, before["id"], "pause" if name == "fanout-1" else "resume")
        await until_complete(whole, app, RECIPIENT)
        assert meanwhile["id"] in await app.rows()
        whole.start(name)
        await until(lambda: whole.ready(whole.ports.gateway), seconds=60)
    shown = await app.shown()
    ids = [event["id"] for event in shown["events"]]
    assert len(ids) == len(set(ids)) >= 4
    await until(app.is_live, what="a new connection")


async def test_strict_mode_and_renders_with_equal_options_keep_one_connection(app: App) -> None:
    for _ in range(5):
        await app.mount(users=[RECIPIENT])
    await until(app.is_live, what="a connection")
    await app.mount(users=[RECIPIENT])
    assert await app.connections() == [1]


async def test_other_options_make_a_new_connection_with_other_streams(
    whole: Installation, app: App
) -> None:
    one = await create(whole)
    await app.mount(streams=[one["id"]])
    await until(app.rows, what="one stream")
    assert set(await app.rows()) == {one["id"]}
    await app.mount(users=[SENDER])
    await until_complete(whole, app, SENDER)
    assert (await app.connections())[0] == 2
    assert 1 in await app.connections()


async def test_unmounting_closes_the_connection(app: App) -> None:
    await app.mount(users=[RECIPIENT])
    await until(app.is_live, what="a connection")
    await app.unmount()
    assert await app.connections() == [2]

"""The installed package misses nothing while fanouts are killed: in Node, Chromium and Firefox.

In each browser it runs in a page, in a worker, and in a frame without an origin.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from shared.domain.position import parse_position
from tests.clients.packages.js.firefox import firefox
from tests.clients.packages.js.node_process import node
from tests.clients.packages.js.page_server import PageServer, Reports
from tests.console.samples import create
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

BROWSERS = ("chromium", "firefox")
CLIENTS = ("node", *(name + part for name in BROWSERS for part in ("", "-worker", "-frame")))


def page_of(name: str, whole: Installation, pages: PageServer) -> str:
    """The URL of a page with three clients."""
    clients = {"client": name, "worker": f"{name}-worker", "frame": f"{name}-frame"}
    query = urlencode(clients | {"url": whole.url(whole.ports.gateway)})
    return f"{pages.url}/client.html?{query}"


class Scenario:
    """Kills fanouts and makes streams, and waits for all clients."""

    def __init__(self, whole: Installation, pages: PageServer) -> None:
        self._whole = whole
        self._pages = pages

    @property
    def clients(self) -> dict[str, Reports]:
        return {name: self._pages.by_client[name] for name in CLIENTS}

    async def until_all(self, what: str, state: str = "", event: str = "") -> None:
        """Wait until all clients have this state, or have had this event."""

        def missing() -> list[str]:
            return [
                f"{name}: {reports.states[-3:]} {reports.events[-2:]} {reports.errors}"
                for name, reports in self.clients.items()
                if (state and reports.states[-1:] != [state])
                or (event and event not in reports.events)
            ]

        await until(lambda: not missing(), seconds=60, what=lambda: f"{what} for {missing()}")

    async def deliver(self, what: str) -> None:
        """Make a stream, and wait until all clients have its event."""
        stream = await create(self._whole)
        await self.until_all(what, event=str(stream["position"]))

    async def restart(self, *names: str) -> None:
        for name in names:
            self._whole.start(name)
        await until(lambda: self._whole.ready(self._whole.ports.gateway), seconds=60)


async def run(scenario: Scenario, whole: Installation) -> None:
    await scenario.until_all("a connection", state="live")
    await scenario.deliver("the first event")
    whole.kill("fanout-1")
    await scenario.deliver("an event while the first fanout is away")
    await scenario.restart("fanout-1")
    whole.kill("fanout-2")
    await scenario.deliver("an event while the second fanout is away")
    whole.kill("fanout-1")
    await scenario.until_all("the loss of all fanouts", state="reconnecting")
    for _ in range(3):
        await create(whole)
    await scenario.restart("fanout-1", "fanout-2")
    await scenario.until_all("a new connection", state="live")
    await scenario.deliver("an event after all fanouts were killed")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def results(
    whole: Installation,
    pages: PageServer,
    project: Path,
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Reports]:
    """The reports of all clients, which run at the same time."""
    async with AsyncExitStack() as stack:
        url = whole.url(whole.ports.gateway)
        await stack.enter_async_context(node(project, pages, url))
        folder = tmp_path_factory.mktemp("firefox")
        await stack.enter_async_context(firefox(page_of("firefox", whole, pages), folder))
        page = await browser.new_page()
        stack.push_async_callback(page.close)
        await page.goto(page_of("chromium", whole, pages))
        scenario = Scenario(whole, pages)
        await run(scenario, whole)
    return scenario.clients


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def committed(whole: Installation, results: dict[str, Reports]) -> list[str]:
    """The positions of all events from the first that a client received, oldest first."""
    first = min((reports.events[0] for reports in results.values()), key=parse_position)
    positions, after = [first], first
    while after:
        path = f"/v1/events?all=true&order=asc&limit=500&after={after}"
        _, page = await whole.get(whole.ports.gateway, path)
        positions += [event["id"] for event in page["items"]]
        after = page["next"]
    return positions


@pytest.mark.parametrize("client", CLIENTS)
async def test_each_event_arrives_once_and_in_order(
    results: dict[str, Reports], committed: list[str], client: str
) -> None:
    received = results[client].events
    first, last = committed.index(received[0]), committed.index(received[-1])
    assert received == committed[first : last + 1]
    assert len(received) > 10


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_state_tells_that_the_connection_was_lost(
    results: dict[str, Reports], client: str
) -> None:
    states = results[client].states
    assert "live" in states[states.index("reconnecting") :]
    assert (results[client].errors, results[client].reloads) == ([], [])


async def test_frames_and_workers_had_no_storage(results: dict[str, Reports]) -> None:
    for name in BROWSERS:
        assert results[name].facts["storage"] == ""
        assert results[f"{name}-frame"].facts == {"storage": "SecurityError", "origin": "null"}
        assert results[f"{name}-worker"].facts == {"storage": "missing"}
    assert results["node"].facts == {"storage": "missing", "native": "undefined"}

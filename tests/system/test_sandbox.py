"""The view Sandbox with a real `make run`: each button does its harm, and no event is lost."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.console.accessibility import axe, faults, too_wide
from tests.console.browser import User, user
from tests.console.keyboard import tab_to
from tests.support.waiting import until
from tests.system.conftest import Run

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]
__all__ = ["axe"]
expect.set_options(timeout=30_000)  # milliseconds; 5 s are too few on a busy machine
GOOD = re.compile(r"missed: 0, twice: 0 \(([1-9]\d*) events in the history")


async def opened(visitor: User) -> Page:
    """The view, opened from the menu, with the first event in its list."""
    page = await visitor.open("#/live")
    await page.get_by_role("navigation").get_by_role("link", name="Sandbox").click()
    await expect(page.get_by_role("heading", name="Sandbox", level=1)).to_be_focused()
    await expect(page.locator("nav [aria-current]")).to_have_text("Sandbox")
    await page.locator(".event").first.wait_for()
    return page


def figure(page: Page, name: str) -> Locator:
    return page.locator(f'[data-figure="{name}"]')


async def press(page: Page, name: str) -> str:
    """Press a button by keyboard. Returns what the page says when it has checked its list."""
    button = page.get_by_role("button", name=name)
    await tab_to(page, button)
    await page.keyboard.press("Enter")
    said = page.locator("main [role=status]")
    await expect(said).to_contain_text(f"{name}: under way")
    await expect(button).to_have_attribute("aria-disabled", "true")
    await expect(said).to_contain_text(re.compile(r"missed: \d+, twice: \d+"), timeout=120_000)
    await expect(button).to_have_attribute("aria-disabled", "false")
    await expect(button).to_be_focused()
    return await said.inner_text()


async def test_a_killed_fanout_loses_nothing_and_the_list_reconnects(
    run: Run, visitor: User
) -> None:
    page = await opened(visitor)
    words = await press(page, "Cut the connections of a fanout")
    killed = re.match(r"The fanout on port (\d+) was killed\. ", words)
    assert killed, words
    assert int(killed[1]) in run.ports.fanouts
    assert GOOD.search(words), words
    await expect(figure(page, "reconnects")).to_have_text("1")
    await expect(figure(page, "result")).to_have_text("missed: 0, twice: 0")
    name = f"fanout-{run.ports.fanouts.index(int(killed[1])) + 1}"
    assert f"{name} was killed by SIGKILL; it is started again" in run.log.read_text()


async def test_lost_messages_are_read_from_the_journal(run: Run, visitor: User) -> None:
    page = await opened(visitor)
    words = await press(page, "Lose messages")
    ended = re.match(r"Redis ended (\d+) subscriptions of the fanouts\. ", words)
    assert ended, words
    assert int(ended[1]) >= len(run.ports.fanouts)
    assert GOOD.search(words), words
    await expect(figure(page, "reconnects")).to_have_text("0")


async def test_repeated_messages_are_sent_once(run: Run, visitor: User) -> None:
    """Without the check of the feed (tests/chaos/mutants.py, dedup_off), the page says `twice`."""
    page = await opened(visitor)
    words = await press(page, "Repeat messages")
    repeated = re.match(r"(\d+) messages were published again\. ", words)
    assert repeated, words
    assert int(repeated[1]) > 0
    assert GOOD.search(words), words
    await expect(figure(page, "reconnects")).to_have_text("0")


async def test_a_paused_ledger_continues(run: Run, visitor: User) -> None:
    page = await opened(visitor)
    words = await press(page, "Pause the ledger")
    assert words.startswith("The simulated network closed no ledger for 10 seconds. "), words
    assert GOOD.search(words), words
    await expect(figure(page, "position")).to_have_text(re.compile(r"^\d+-\d+$"))
    received = figure(page, "events")
    before = int(await received.inner_text())
    await until(lambda: _more_than(received, before), seconds=60)


async def _more_than(received: Locator, before: int) -> bool:
    return int(await received.inner_text()) > before


async def test_the_page_tells_a_loss_and_a_repetition(run: Run, visitor: User) -> None:
    """The check is no decoration: with a history that has one more event, the page says so."""
    page = await opened(visitor)
    found = await page.evaluate(
        """async () => {
          const { compare } = await import("/console/js/sandbox.js");
          return compare(["5-1", "5-2", "5-2", "5-4", "7-1"], ["5-1", "5-2", "5-3", "6-1"]);
        }"""
    )
    assert found == {"missed": ["5-3", "6-1"], "twice": ["5-2"], "foreign": ["5-4"]}

    async def more(route: Route) -> None:
        response = await route.fetch()
        page_of_history = await response.json()
        if page_of_history["items"]:
            first = page_of_history["items"][0]
            toid, n = first["id"].split("-")
            page_of_history["items"].insert(1, {**first, "id": f"{toid}-{int(n) + 10**6}"})
        await route.fulfill(response=response, json=page_of_history)

    await page.route("**/v1/events?*", more)
    words = await press(page, "Lose messages")
    assert "missed: 1, twice: 0" in words
    await expect(figure(page, "result")).to_have_class("bad")


@pytest.mark.parametrize("width", [360, 1440])
async def test_the_view_is_accessible_and_fits(
    run: Run, browser: Browser, axe: str, width: int
) -> None:
    async with user(browser, run.url, viewport={"width": width, "height": 800}) as visitor:
        page = await opened(visitor)
        await page.get_by_role("button", name="Pause the ledger").wait_for()
        assert await faults(page, axe) == []
        assert await too_wide(page) == []
        assert visitor.noise == []


async def send(
    run: Run, path: str, origin: str | None, method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    headers = {"Origin": origin} if origin else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, run.url + path, headers=headers) as response,
    ):
        assert "Access-Control-Allow-Origin" not in response.headers
        isjson = response.content_type.endswith("json")
        return response.status, await response.json(content_type=None) if isjson else {}


async def test_only_the_own_console_may_use_the_sandbox(run: Run) -> None:
    foreign = (
        None,
        "null",
        "https://evil.example",
        f"http://evil.example:{run.ports.gateway}",
        f"https://localhost:{run.ports.gateway}",
        f"http://localhost:{run.ports.api}",
        "http://localhost",
    )
    for origin in foreign:
        for fault in ("cut", "lose", "repeat", "pause", "wallet"):
            status, answer = await send(run, f"/sandbox/{fault}", origin)
            assert status == 403, origin
            assert answer["detail"].startswith("The header Origin must be ")
    for own in (run.url, run.url.replace("localhost", "127.0.0.1")):
        assert (await send(run, "/sandbox/fire", own))[0] == 404
        assert (await send(run, "/sandbox/wallet", own))[0] == 400, "without a body"
        assert (await send(run, "/sandbox/cut?fanout=1", own))[0] == 400
        assert (await send(run, "/sandbox/cut", own, method="GET"))[0] == 405


async def test_a_second_fault_waits_for_the_end_of_the_first(run: Run) -> None:
    first = asyncio.create_task(send(run, "/sandbox/pause", run.url))
    await until(lambda: _refused(run), what="409")
    assert not first.done()
    done = {"done": "The simulated network closed no ledger for 10 seconds."}
    assert await first == (200, done)


async def _refused(run: Run) -> bool:
    return (await send(run, "/sandbox/cut?fanout=1", run.url))[0] == 409

"""The view Connections: who is subscribed to what, filters, and the button that ends one."""

from __future__ import annotations

from functools import partial

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.console.browser import User, user
from tests.console.keyboard import press, tab_to
from tests.console.samples import SENDER, follows_the_journal, subscribed
from tests.support.installation import Installation
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]
VIEW = "#/system/connections"


def row(page: Page, client: SseClient) -> str:
    return f'tr[data-id="{client.events[0].json["clientId"]}"]'


async def test_the_view_shows_the_connections_of_all_fanouts_and_filters_them(
    whole: Installation, someone: User
) -> None:
    queries = ("streams=7,8,9,10&types=stream.created&view=compact", f"users={SENDER}")
    async with subscribed(whole, *queries) as (streams, account):
        page = await someone.open("#/system")
        await page.get_by_role("link", name="See and end the connections").click()
        await expect(page.get_by_role("heading", name="Connections", level=1)).to_be_focused()
        first = page.locator(row(page, streams))
        await expect(first).to_contain_text(
            "stream 7, stream 8, stream 9 and 1 more; only stream.created"
        )
        await expect(first).to_contain_text("compact")
        await expect(first.get_by_role("cell")).to_have_count(7)
        second = page.locator(row(page, account))
        await expect(second).to_contain_text(f"account {SENDER[:4]}…{SENDER[-4:]}")
        for n, found in enumerate((first, second)):
            await expect(found).to_contain_text(f"127.0.0.1:{whole.ports.fanouts[n]}")
        lines = page.get_by_role("list", name="Fanouts").get_by_role("listitem")
        await expect(lines.filter(has_text="connection")).to_have_count(2)
        await expect(page.locator("nav [aria-current]")).to_have_text("System")

        await page.get_by_label("Topic").fill("8")
        await expect(page.locator("tbody tr")).to_have_count(1)
        assert page.url.endswith(f"{VIEW}?topic=8")
        await page.get_by_label("Topic").fill(SENDER)
        await expect(first).to_have_count(0)
        await expect(second).to_have_count(1)
        await page.get_by_label("Topic").fill("12345")
        await expect(page.get_by_text("No connection matches.")).to_be_visible()
        await page.get_by_label("Topic").fill("nonsense")
        await expect(page.get_by_role("alert")).to_contain_text("must be a stream id")
        await page.get_by_label("Topic").fill("")
        await expect(first).to_have_count(1)


async def test_one_connection_is_ended_by_the_keyboard_after_a_question(
    whole: Installation, someone: User
) -> None:
    async with subscribed(whole, "streams=77", "streams=77") as (ended, other):
        page = await someone.open(f"{VIEW}?topic=77")
        await expect(page.locator("tbody tr")).to_have_count(2)
        button = page.locator(row(page, ended)).get_by_role("button")
        await press(page, button)
        await expect(page.get_by_role("dialog", name="End this connection?")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(button).to_be_focused()
        assert not ended.closed.is_set()
        await page.keyboard.press("Enter")
        await press(page, page.get_by_role("button", name="End it"))
        await until(ended.closed.is_set, what="the end of the connection")
        assert ended.events[-1].json["reason"] == "ended_by_admin"
        await expect(page.get_by_text("The connection was ended.")).to_be_visible()
        await expect(page.locator(row(page, ended))).to_have_count(0)
        await expect(page.locator(row(page, other)).get_by_role("button")).to_be_focused()
        assert not other.closed.is_set()
        assert someone.noise == []


async def test_a_connection_that_has_ended_meanwhile_leaves_the_table(
    whole: Installation, someone: User
) -> None:
    async with subscribed(whole, "streams=78") as (client,):
        page = await someone.open(f"{VIEW}?topic=78")
        await page.locator(row(page, client)).get_by_role("button").click()
        client.close()
        await until(lambda: _gone(whole, "78"), what="the end at the fanout")
        await page.get_by_role("button", name="End it").click()
        await expect(page.get_by_text("The connection had ended already.")).to_be_visible()
        await expect(page.get_by_role("button", name="Load again")).to_be_focused()


async def _gone(whole: Installation, topic: str) -> bool:
    path = f"/v1/system/connections?topic={topic}"
    _, page = await whole.get(whole.ports.gateway, path)
    return page["items"] == []


async def test_an_ended_page_of_the_console_reconnects_and_misses_nothing(
    whole: Installation, browser: Browser, someone: User
) -> None:
    async with user(browser, someone.address) as watcher:
        live = await watcher.open("#/live")
        await expect(live.locator("#status")).to_have_attribute("data-kind", "live")
        await live.wait_for_selector(".event")
        await live.evaluate(
            "window.states = []; new MutationObserver(() => states.push("
            "document.getElementById('status').dataset.kind)).observe("
            "document.getElementById('status'), {attributes: true})"
        )
        page = await someone.open(f"{VIEW}?topic=*")
        await page.locator("tbody tr").first.wait_for()
        rows = page.locator("tbody tr")
        while count := await rows.count():  # its own connection too
            await rows.first.get_by_role("button").click()
            await page.get_by_role("button", name="End it").click()
            await expect(rows).to_have_count(count - 1)
        await live.wait_for_function("window.states.includes('away')")
        await expect(live.locator("#status")).to_have_attribute("data-kind", "live")
        await follows_the_journal(whole, live, more=4)
        await expect(live.locator("#notice")).to_be_hidden()


async def test_more_loads_the_next_page_and_focus_stays(whole: Installation, someone: User) -> None:
    async def few_a_page(route: Route) -> None:
        await route.continue_(url=f"{route.request.url}&limit=6")

    await someone.context.route("**/v1/system/connections?*", few_a_page)
    async with subscribed(whole, *["streams=79"] * 8):
        page = await someone.open(f"{VIEW}?topic=79")
        rows, more = page.locator("tbody tr"), page.get_by_role("button", name="More")
        await tab_to(page, more)
        while (count := await rows.count()) < 8:
            await expect(more).to_be_focused()
            await page.keyboard.press("Enter")
            await until(partial(_more, page, count), what="more rows")
        await expect(rows.locator("button:focus")).to_have_count(1)
        ids = await page.eval_on_selector_all("tbody tr", "all => all.map((r) => r.dataset.id)")
        assert len(set(ids)) == 8


async def _more(page: Page, count: int) -> bool:
    return await page.locator("tbody tr").count() > count

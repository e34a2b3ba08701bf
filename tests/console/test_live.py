"""The view Live in a real Chromium: new events, lost connections, many tabs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, expect

from tests.console.browser import User, user
from tests.console.samples import (
    arrived,
    connections,
    create,
    follows_the_journal,
    shown,
)
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_events_appear_without_a_reload(whole: Installation, someone: User) -> None:
    page = await someone.open("#/live")
    await page.wait_for_selector(".event")
    await follows_the_journal(whole, page)
    assert await page.evaluate("performance.getEntriesByType('navigation').length") == 1
    first = page.locator(".event").first
    assert (await first.locator(".late").inner_text()).endswith("s")
    await expect(page.locator("#status")).to_have_text("Live")
    stream = await create(whole, label="seen at once")
    row = page.locator(f'.event:has(a[href="#/streams/{stream["id"]}"])')
    await row.wait_for()
    assert "995,000 base units (CA6E…AUB2) at 11 base units a second" in await row.inner_text()
    assert someone.noise == []


async def test_events_appear_if_the_browser_denies_storage(
    whole: Installation, browser: Browser
) -> None:
    error = "new DOMException('denied', 'SecurityError')"
    denied = f"Object.defineProperty(window, '%s', {{get() {{ throw {error}; }}}});"
    async with user(browser, whole.url(whole.ports.gateway)) as someone:
        for kind in ("localStorage", "sessionStorage"):
            await someone.context.add_init_script(denied % kind)
        page = await someone.open("#/live")
        await page.wait_for_selector(".event")
        await follows_the_journal(whole, page)
        await page.locator("#theme").click()
        assert await page.evaluate("document.documentElement.dataset.theme")
        assert someone.noise == []


async def test_no_event_is_missed_when_the_fanout_is_killed(
    whole: Installation, someone: User
) -> None:
    page, system = await someone.open("#/live"), await someone.open("#/system")
    await page.wait_for_selector(".event")
    await until(lambda: settled(whole, 1), what="one connection")
    ports = {f"127.0.0.1:{port}": f"fanout-{n}" for n, port in enumerate(whole.ports.fanouts, 1)}
    holder = next(url for url, count in (await connections(whole)).items() if count)
    (other,) = set(ports) - {holder}
    await page.evaluate(
        "window.states = []; new MutationObserver(() => states.push("
        "document.getElementById('status').dataset.kind)).observe("
        "document.getElementById('status'), {attributes: true})"
    )
    whole.kill(ports[holder])
    try:
        await until(lambda: holds(whole, other), seconds=60, what="a connection to the other")
        await system.locator(f'[data-url="{holder}"]', has_text="does not answer").wait_for()
        await follows_the_journal(whole, page, more=8)
        await expect(page.locator("#status")).to_have_attribute("data-kind", "live")
    finally:
        whole.start(ports[holder])
    assert "away" in await page.evaluate("window.states")
    await until(lambda: whole.ready(whole.ports.gateway), seconds=60)


async def holds(whole: Installation, url: str) -> bool:
    return (await connections(whole)).get(url, 0) == 1


async def settled(whole: Installation, count: int) -> bool:
    return sum((await connections(whole)).values()) == count


async def test_ten_tabs_of_a_user_share_one_connection(whole: Installation, someone: User) -> None:
    await until(lambda: settled(whole, 0), seconds=60, what="no connection of another test")
    pages = [await someone.open("#/live") for _ in range(10)]
    for page in pages:
        await page.wait_for_selector(".event")
    assert len(someone.subscriptions) == 1
    stream = await create(whole)
    for page in pages:
        await expect(page.locator(f'a[href="#/streams/{stream["id"]}"]')).to_be_attached()
    await until(lambda: settled(whole, 1), what="one connection")
    await pages.pop(0).close()
    for page in pages[:2]:
        await follows_the_journal(whole, page)
    assert len(someone.subscriptions) == 2
    await until(lambda: settled(whole, 1), what="one connection after the other has ended")
    assert someone.noise == []


async def test_a_reload_of_the_page_misses_nothing(whole: Installation, someone: User) -> None:
    page = await someone.open("#/live")
    await page.wait_for_selector(".event")
    await follows_the_journal(whole, page, more=2)
    await page.reload()
    await page.wait_for_selector(".event")
    await follows_the_journal(whole, page, more=2)
    assert "last_event_id=" in someone.subscriptions[-1]


async def test_events_can_be_filtered_and_paused(whole: Installation, someone: User) -> None:
    page = await someone.open("#/live")
    await page.wait_for_selector(".event")
    await page.get_by_label("Type").select_option("stream.withdrawn")
    kinds = "all => [...new Set(all.map((each) => each.dataset.type))]"
    only = lambda: page.eval_on_selector_all(".event", kinds)  # noqa: E731
    await until(lambda: is_now(only, ["stream.withdrawn"]), what="withdrawals only")
    assert "types=stream.withdrawn" in page.url
    await page.get_by_role("button", name="Pause").click()
    held = await shown(page)
    await page.get_by_text(re.compile(r"Paused\. \d+ new")).wait_for()
    assert await shown(page) == held
    await page.get_by_role("button", name="Resume").click()
    await until(lambda: arrived(page, held[0], 1), what="those that waited")
    assert await only() == ["stream.withdrawn"]


async def is_now(ask: Callable[[], Awaitable[object]], wanted: object) -> bool:
    return (await ask()) == wanted


async def test_after_a_gap_the_history_is_loaded_again_with_a_notice(
    whole: Installation, someone: User
) -> None:
    gap = (
        'retry: 50\ndata: {"type":"connected","position":"1-0"}\nid: 1-0\n\n'
        'event: gap\ndata: {"from":"1-0","to":"2-0","historyUrl":"/v1/streams"}\nid: 2-0\n\n'
    )
    page = await someone.context.new_page()
    fulfil = {"body": gap, "content_type": "text/event-stream"}
    await page.route("**/events/subscribe*", lambda route: route.fulfill(**fulfil), times=1)
    await page.goto(f"{someone.address}/#/live")
    await page.get_by_role("alert").get_by_text("Everything was loaded again").wait_for()
    await page.wait_for_selector(".event")
    await follows_the_journal(whole, page, more=2)

"""An API or a fanout that does not answer: the page says so, and tries again."""

from __future__ import annotations

import re
import signal
from contextlib import suppress

import pytest
from playwright.async_api import Page, Route, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from tests.console.browser import User
from tests.console.samples import RECIPIENT, create, follows_the_journal
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

VIEWS = {
    "#/live": ".event",
    "#/streams": ".stream",
    f"#/account/{RECIPIENT}": ".stream",
    "#/account": ".suggested li",
    "#/system": ".part[data-url*=':']",
}
DOWN = {"status": 503, "json": {"detail": "Redis does not answer."}}


async def fails(page: Page) -> None:
    """Let each request for data fail, as if Redis was away."""

    async def answer(route: Route) -> None:
        is_event_source = "subscribe" in route.request.url
        await (route.continue_() if is_event_source else route.fulfill(**DOWN))  # type: ignore[arg-type]

    await page.route("**/v1/**", answer)


async def test_an_api_that_is_away_is_an_error_with_a_button_in_each_view(
    whole: Installation, someone: User
) -> None:
    made = await create(whole)
    views = {f"#/streams/{made['id']}": ".picture", f"#/events/{made['position']}": "pre"}
    for view, sign in (VIEWS | views).items():
        page = await someone.context.new_page()
        await fails(page)
        await page.goto(f"{someone.address}/{view}")
        alert = page.locator(".failure[role=alert]")
        await expect(alert).to_contain_text("Redis does not answer.")
        await page.unroute("**/v1/**")
        button = page.get_by_role("button", name="Try again")
        if await button.count():  # most views also try again by themselves, and then it goes away
            with suppress(PlaywrightTimeoutError):
                await button.press("Enter", timeout=1_000)
        await page.wait_for_selector(sign)
        await expect(alert).to_have_count(0)
        await page.close()


async def test_an_error_that_lasts_can_be_tried_again_by_keyboard(
    whole: Installation, someone: User
) -> None:
    """The view of an event does not try again by itself."""
    made = await create(whole)
    page = await someone.context.new_page()
    await fails(page)
    await page.goto(f"{someone.address}/#/events/{made['position']}")
    button = page.get_by_role("button", name="Try again")
    await button.wait_for()
    await page.unroute("**/v1/**")
    await button.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_selector("pre")


async def test_without_a_network_the_error_says_that_the_api_does_not_answer(
    someone: User,
) -> None:
    page = await someone.open("#/streams")
    await page.wait_for_selector(".stream")
    await page.route("**/v1/streams*", lambda route: route.abort())
    await page.get_by_label("Status").select_option("active")
    await expect(page.get_by_role("alert")).to_contain_text("The API does not answer")


async def test_a_silent_server_is_noticed_within_two_sync_intervals(
    whole: Installation, someone: User
) -> None:
    """The fanouts are stopped, so that their connections stay open and send nothing."""
    page = await someone.context.new_page()
    await page.clock.install()
    await page.goto(f"{someone.address}/#/live")
    await page.wait_for_selector('#status[data-kind="live"]')
    await page.wait_for_selector(".event .late:not(:empty)")
    age = page.locator("#age")
    await expect(age).to_be_hidden()
    names = [f"fanout-{n}" for n, _ in enumerate(whole.ports.fanouts, 1)]
    try:
        for name in names:
            whole.signal(name, signal.SIGSTOP)
        await page.clock.fast_forward(31_000)
        await expect(page.locator("#status")).to_have_attribute("data-kind", "away")
        wanted = re.compile(r"^The page shows data as of ledger \d+, \d+ s ago\.$")
        await expect(age).to_have_text(wanted)
    finally:
        for name in names:
            whole.signal(name, signal.SIGCONT)
    # The clock of the page is ahead of the server's now. A response of the API corrects it.
    await page.evaluate("location.hash = '#/streams'")
    await expect(page.locator("#status")).to_have_attribute("data-kind", "live", timeout=60_000)
    await expect(age).to_be_hidden()
    await page.evaluate("location.hash = '#/live'")
    await page.wait_for_selector(".event")
    await follows_the_journal(whole, page, more=2)
    await until(lambda: whole.ready(whole.ports.gateway), seconds=60)

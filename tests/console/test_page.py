"""The page: security headers, keyboard, screen readers, phones, light and dark themes."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.console.accessibility import faults
from tests.console.browser import User, user
from tests.console.keyboard import press
from tests.console.samples import SENDER, create
from tests.console.views import VIEWS
from tests.support.installation import Installation

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("counted"),  # whose minute passes meanwhile
]


async def opened(someone: User, whole: Installation, name: str) -> Page:
    """Wait until a view shows its content."""
    stream = await create(whole, label=f"for {name}", ago=60)
    page = await someone.open(VIEWS[name].address.format(**stream, account=SENDER))
    await page.wait_for_selector(VIEWS[name].sign)
    return page


async def test_the_choice_of_base_units_is_accessible(
    whole: Installation, someone: User, axe: str
) -> None:
    page = await opened(someone, whole, "stream")
    await page.get_by_role("button", name="Base units").click()
    assert await faults(page, axe) == []


async def test_the_first_control_leads_past_the_menu(whole: Installation, someone: User) -> None:
    page = await opened(someone, whole, "live")
    focused = "document.activeElement.textContent.trim() || document.activeElement.id"
    await page.keyboard.press("Tab")
    assert await page.evaluate(focused) == "Skip to the content"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.keyboard.press("Tab")
    assert await page.evaluate(focused) == "Pause"
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Resume")).to_be_focused()
    await press(page, page.locator("nav").get_by_role("link", name="Streams"), "Shift+Tab")
    await expect(page.get_by_role("heading", name="Streams", level=1)).to_be_focused()
    assert await page.title() == "Streams – Headrace"
    await expect(page.locator("nav [aria-current]")).to_have_text("Streams")


async def test_light_and_dark_follow_the_system_until_one_is_chosen(
    whole: Installation, browser: Browser
) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    async with user(browser, whole.url(whole.ports.gateway), color_scheme="dark") as someone:
        page = await someone.open("#/login")
        dark = await page.evaluate(paper)
        await page.get_by_role("button", name="Switch between light and dark").click()
        light = await page.evaluate(paper)
        assert dark != light
        await page.reload()
        await page.wait_for_selector("form")
        assert await page.evaluate(paper) == light


async def test_the_page_loads_fast(whole: Installation, someone: User) -> None:
    """The page has few, small files, requested together. A second visit downloads none again."""
    page = await opened(someone, whole, "live")
    sizes = "performance.getEntriesByType('resource').filter((r) => r.name.includes('/console/'))"
    kept = f"{sizes}.map((r) => r.transferSize)"
    assert sum(await page.evaluate(kept)) < 60_000
    await page.reload()
    await page.wait_for_selector(".event")
    assert sum(await page.evaluate(kept)) < 12_000, "304s alone"


async def test_it_is_served_with_a_strict_policy(whole: Installation) -> None:
    url = whole.url(whole.ports.gateway)
    async with whole.session.get(url, headers={"Accept": "text/html,*/*"}) as response:
        assert response.content_type == "text/html"
        assert response.headers["Vary"].count("Accept")
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        page = await response.text()
    assert "<style" not in page
    assert " style=" not in page
    async with whole.session.get(url) as response:
        assert response.content_type == "application/json", "curl still sees where things are"
    script = f"{url}/console/headrace/headrace.js"
    async with whole.session.get(script) as response:
        assert response.content_type == "text/javascript"
        tag = response.headers["ETag"]
    async with whole.session.get(script, headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")
    for missing in ("headrace/nothing.js", "js/..%2findex.html", "js/%2e%2e"):
        async with whole.session.get(f"{url}/console/{missing}") as response:
            assert response.status == 404


async def test_an_unreachable_api_is_reported_and_asked_again(
    whole: Installation, someone: User
) -> None:
    page = await someone.context.new_page()
    down: dict[str, Any] = {"status": 503, "json": {"detail": "Redis is away"}}
    html = "text/html"

    async def answer(route: Route) -> None:
        wants_page = html in (route.request.headers.get("accept") or "")
        await (route.continue_() if wants_page else route.fulfill(**down))

    await page.route(f"{someone.address}/", answer)
    await page.goto(f"{someone.address}/#/live")
    await page.get_by_text("The API cannot be reached: Redis is away").wait_for()
    await page.unroute(f"{someone.address}/")
    await page.locator(".event").first.wait_for(timeout=60_000)  # the page loads again by itself

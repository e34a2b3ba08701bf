"""The page: security headers, keyboard, screen readers, phones, light and dark themes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.console.browser import User, user
from tests.console.samples import RECIPIENT, create
from tests.support.installation import Installation

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("counted"),  # whose minute passes meanwhile
]

AXE = Path(__file__).parents[1] / "clients/node_modules/axe-core/axe.min.js"
VIEWS = {
    "live": ("#/live", ".event"),
    "streams": ("#/streams", ".stream"),
    "stream": ("#/streams/{id}", ".picture"),
    "chain": ("#/streams/1", ".timeline .where code"),
    "account": (f"#/account/{RECIPIENT}", ".stream"),
    "nobody": ("#/account", ".suggested"),
    "system": ("#/system", ".part[data-url*=':']"),
    "connections": ("#/system/connections", ".connections tbody tr"),
    "login": ("#/login", "form"),
    "event": ("#/events/{position}", "pre"),
    "replay": ("#/replay/{position}", ".event"),
}


async def opened(someone: User, whole: Installation, name: str) -> Page:
    """Wait until a view shows its content."""
    address, sign = VIEWS[name]
    stream = await create(whole, label=f"for {name}", ago=60)
    page = await someone.open(address.format(**stream))
    await page.wait_for_selector(sign)
    return page


async def tour(someone: User, whole: Installation) -> AsyncIterator[tuple[str, Page]]:
    """Open all views in one tab."""
    stream = await create(whole, label="a stream on tour", ago=60)
    page = await someone.open()
    for name, (address, sign) in VIEWS.items():
        await page.goto(f"{someone.address}/{address.format(**stream)}")
        await page.wait_for_selector(sign)
        yield name, page


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        word = "tests/clients/node_modules is missing: `make test` installs it where npm is"
        pytest.fail(word) if os.environ.get("CI") == "true" else pytest.skip(word)
    return AXE.read_text(encoding="utf-8")


async def faults(page: Page, axe: str) -> list[str]:
    """The findings of axe-core, run by the debugger because the page's policy forbids it."""
    await page.evaluate(axe)
    found = await page.evaluate("async () => (await axe.run()).violations")
    return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in found]


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_fault_and_no_other_host_is_requested(
    whole: Installation, browser: Browser, axe: str, scheme: str, width: int
) -> None:
    gateway = whole.url(whole.ports.gateway)
    look: dict[str, Any] = {
        "color_scheme": scheme,
        "reduced_motion": "reduce",
        "viewport": {"width": width, "height": 900},
    }
    found = {}
    async with user(browser, gateway, **look) as someone:
        async for name, page in tour(someone, whole):
            found[name] = await faults(page, axe)
        assert found == {view: [] for view in VIEWS}
        assert someone.noise == []
        assert someone.hosts == {f"127.0.0.1:{whole.ports.gateway}"}


async def test_dialogs_are_accessible_and_close_with_escape(
    whole: Installation, someone: User, axe: str
) -> None:
    page = await opened(someone, whole, "streams")
    await page.get_by_role("button", name="New stream").click()
    assert await faults(page, axe) == []
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    page = await opened(someone, whole, "stream")
    await page.get_by_role("button", name="Cancel stream").click()
    assert await faults(page, axe) == []
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.locator(".one")).to_have_attribute("data-status", "active")
    await page.get_by_role("button", name="Base units").click()
    assert await faults(page, axe) == []
    await page.get_by_role("button", name="Download CSV").click()
    assert await faults(page, axe) == []
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.route("**/v1/**", lambda route: route.abort())
    await page.goto(f"{someone.address}/#/streams")
    await page.locator(".failure").wait_for()
    assert await faults(page, axe) == []


async def test_everything_can_be_done_by_keyboard(whole: Installation, someone: User) -> None:
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
    await page.locator(".event .when").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="Replay from here")).to_be_visible()
    await page.get_by_role("link", name="Replay from here").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Replay", level=1)).to_be_focused()
    await page.locator("nav").get_by_text("Streams").focus()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Tab")
    assert await page.evaluate(outline) == "solid"
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Streams", level=1)).to_be_focused()
    assert await page.title() == "Streams – Headrace"
    await expect(page.locator("nav [aria-current]")).to_have_text("Streams")


TOO_WIDE = """() => [...document.body.querySelectorAll("*")]
  .filter((each) => each.getBoundingClientRect().right > 361)
  .map((each) => each.outerHTML.slice(0, 120))"""


async def test_a_phone_shows_each_view_without_scrolling_sideways(
    whole: Installation, browser: Browser
) -> None:
    look = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    found = {}
    async with user(browser, whole.url(whole.ports.gateway), **look) as someone:
        async for name, page in tour(someone, whole):
            found[name] = await page.evaluate(TOO_WIDE)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, found[name]
    assert found == {view: [] for view in VIEWS}


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

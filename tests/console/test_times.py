"""Times in a real Chromium: the zone is named, and the reader chooses local times or UTC."""

from __future__ import annotations

import datetime
import re
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.browser import user
from tests.console.samples import create, detail
from tests.support.installation import Installation

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

TOKYO = "Asia/Tokyo"


def text(seconds: int, zone: str, name: str) -> str:
    """A date and time as the page writes it in the language en-US."""
    at = datetime.datetime.fromtimestamp(seconds, ZoneInfo(zone))
    return f"{at:%b} {at.day}, {at.year}, {at:%H:%M:%S} {name}"


async def told(page: Page) -> str:
    return await page.locator(".foot").inner_text()


async def test_the_zone_is_named_and_utc_is_one_button_away(
    whole: Installation, browser: Browser
) -> None:
    made = await create(whole, ago=100)
    start = made["startTime"]
    options = {"timezone_id": TOKYO, "locale": "en-US"}
    async with user(browser, whole.url(whole.ports.gateway), **options) as someone:
        page = await someone.open(f"#/streams/{made['id']}")
        started = detail(page, "Started").locator("time")
        await expect(started).to_have_text(text(start, TOKYO, "GMT+9"))
        assert f"Times: {TOKYO}" in await told(page)
        button = page.get_by_role("button", name="UTC", exact=True)
        await button.focus()
        await page.keyboard.press("Enter")
        await expect(started).to_have_text(text(start, "UTC", "UTC"))
        await expect(button).to_have_attribute("aria-pressed", "true")
        await expect(page.locator(".axis")).to_contain_text("UTC")
        assert "Times: UTC" in await told(page)
        await page.reload()
        await expect(started).to_have_text(text(start, "UTC", "UTC"))
        await page.goto(f"{someone.address}/#/live?streams={made['id']}")
        event = page.locator(".event time").first
        await expect(event).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
        await expect(event).to_have_attribute("title", re.compile("UTC$"))
        await button.click()
        await expect(event).to_have_attribute("title", re.compile(r"GMT\+9$"))
        assert someone.noise == []

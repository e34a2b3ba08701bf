"""The views of webhooks: made, seen, changed and deleted, with secrets that are shown once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Route, expect

from shared.webhooks.attempts import Attempt, AttemptKind, AttemptStore
from tests.console.browser import User
from tests.console.keyboard import enter, press, tab_to
from tests.console.samples import button, create, detail, read_webhooks, webhook
from tests.support.installation import Installation

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
]


GAP = """dialog => dialog.querySelector("h2 + *").getBoundingClientRect().top
  - dialog.querySelector("h2").getBoundingClientRect().bottom"""
"""Pixels between the heading of a dialog and what follows."""


async def test_a_webhook_is_made_by_keyboard_and_its_secret_is_shown_once(
    whole: Installation, someone: User
) -> None:
    page = await someone.open("#/live")
    await press(page, page.get_by_role("link", name="Webhooks", exact=True))
    await expect(page.get_by_role("heading", name="Webhooks", level=1)).to_be_focused()
    await press(page, button(page, "New webhook"))
    dialog = page.get_by_role("dialog")
    await enter(page, page.get_by_label("URL"), "https://10.0.0.1/hook")
    await enter(page, page.get_by_label("Events of"), "Some")
    await enter(page, page.get_by_label("Accounts and streams"), "999998, 999999")
    await enter(page, page.get_by_label("Types"), "stream.created")
    await enter(page, page.get_by_label("Description"), "made by keyboard")
    await enter(page, page.get_by_label("Events in a delivery"), "20")
    make = button(page, "Make the webhook")
    await press(page, make)
    await expect(dialog.get_by_role("alert")).to_contain_text("is not a public address")
    await enter(page, page.get_by_label("URL"), "https://shop.example/hook", "Shift+Tab")
    await expect(dialog.get_by_role("alert")).to_be_hidden()
    await press(page, make)
    secret = dialog.locator(".secret code")
    await expect(secret).to_have_text(re.compile(r"^whsec_[A-Za-z0-9+/=]{44}$"))
    for _ in range(3):  # browsers let a second press of Escape close what refused the first
        await page.keyboard.press("Escape")
    await expect(secret).to_be_visible()
    await press(page, button(page, "I have it"))
    heading = page.get_by_role("heading", name="made by keyboard", level=1)
    await expect(heading).to_be_visible()
    await expect(page.locator("body")).not_to_contain_text("whsec_")
    await expect(page.locator("nav [aria-current]")).to_have_text("Webhooks")
    made = await read_webhooks(whole, "/" + page.url.rpartition("/")[2])
    assert (made["streams"], made["types"]) == (["999998", "999999"], ["stream.created"])
    assert (made["batch"], made["url"]) == (20, "https://shop.example/hook")
    await page.get_by_role("link", name="Webhooks", exact=True).first.click()
    await expect(page.get_by_role("link", name="made by keyboard")).to_be_visible()
    assert [told for told in someone.noise if "422" not in told] == []


async def test_a_repeated_press_after_a_lost_answer_makes_one_webhook(
    whole: Installation, someone: User
) -> None:
    lost = list[Any]()

    async def lose(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(await route.fetch())
            await route.abort()
        else:
            await route.continue_()

    await someone.context.route("**/v1/webhooks", lose)
    page = await someone.open("#/webhooks")
    await button(page, "New webhook").click()
    url = "https://once.example/hook"
    await page.get_by_label("URL").fill(url)
    await button(page, "Make the webhook").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("not answer")
    await button(page, "Make the webhook").click()
    await expect(page.locator(".secret code")).to_have_text(re.compile("^whsec_"))
    rows = (await read_webhooks(whole, "?limit=200"))["items"]
    assert [row["url"] for row in rows].count(url) == 1


async def test_the_last_deliveries_are_shown_as_they_come(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts, description="delivered")
    page = await someone.open(f"#/webhooks/{name}")
    rows = page.get_by_role("table", name="Last deliveries").locator("tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("20 events")
    await expect(rows.first).to_contain_text("500")
    await expect(rows.first).to_contain_text("<b>")
    await expect(rows.nth(1)).to_contain_text("no answer within 15 s")
    await expect(rows.last).to_contain_text("20 ms")
    both = Attempt(9e8, AttemptKind.EVENT, "6-1", 1, 1.5, answer="busy", error="cut off")
    await attempts.add(name, both)
    await expect(rows.first.locator("td p")).to_have_text(["cut off", "busy"])
    await attempts.add(name, Attempt(9e8, AttemptKind.REDELIVERY, "7-1", 1, 1.5, status=200))
    await expect(rows.first).to_contain_text("1 event, again")
    assert someone.noise == []


async def test_it_is_paused_resumed_and_deleted_by_keyboard(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts)
    page = await someone.open(f"#/webhooks/{name}")
    state = detail(page, "State")
    await press(page, button(page, "Pause"))
    await expect(state).to_contain_text("Nothing is delivered until you resume it")
    await expect(button(page, "Resume")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(state).to_contain_text("Events are delivered")
    await expect(button(page, "Pause")).to_be_focused()
    await press(page, button(page, "Delete"))
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(button(page, "Delete")).to_be_focused()
    await page.keyboard.press("Enter")
    await press(page, button(page, "Delete it"))
    await expect(page.get_by_role("heading", name="Webhooks", level=1)).to_be_focused()
    status, _ = await whole.get(whole.ports.gateway, f"/v1/webhooks/{name}")
    assert status == 404
    assert someone.noise == []


async def test_it_gets_a_test_a_new_secret_and_events_once_more(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    position = (await create(whole))["position"]
    name = await webhook(whole, attempts)
    page = await someone.open(f"#/webhooks/{name}")
    await button(page, "Send a test").click()
    await expect(page.get_by_text("A test was asked for.")).to_be_visible()

    await button(page, "New secret").click()
    await page.get_by_label("Hours").fill("1")
    await page.get_by_role("dialog").get_by_role("button", name="New secret").click()
    await expect(page.locator(".secret code")).to_have_text(re.compile("^whsec_"))
    await expect(page.get_by_text("The old secret signs too, until")).to_be_visible()
    await button(page, "I have it").click()
    await expect(detail(page, "Old secret")).to_contain_text("signs until")

    await button(page, "Deliver again").click()
    dialog = page.get_by_role("dialog")
    first = page.get_by_label("From")
    await first.fill("junk")
    title = await first.get_attribute("title")
    assert title
    assert re.search(await first.get_attribute("pattern") or "none", title)
    assert await first.evaluate("node => !node.checkValidity()")
    assert await dialog.evaluate(GAP) >= 8
    await page.get_by_label("From").fill(position)
    await page.get_by_label("To").fill("1-1")
    await dialog.get_by_role("button", name="Deliver again").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("to must not be below")
    await page.get_by_label("To").fill("")
    await dialog.get_by_role("button", name="Deliver again").click()
    await expect(page.get_by_text("The events are delivered again.")).to_be_visible()
    await tab_to(page, page.get_by_role("button", name="Copy the id"))
    assert [told for told in someone.noise if "422" not in told] == []


async def test_an_unknown_webhook_is_an_error_with_the_words_of_the_api(someone: User) -> None:
    page = await someone.open("#/webhooks/wh_000000000000000000000000")
    alert = page.locator("main").get_by_role("alert")
    await expect(alert).to_contain_text("There is no webhook")

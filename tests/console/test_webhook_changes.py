"""The dialog that changes a webhook: what is sent, and what is said if the API refuses it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from shared.webhooks.attempts import AttemptStore
from tests.console.browser import User
from tests.console.keyboard import enter, press
from tests.console.samples import SENDER, button, detail, read_webhooks, webhook
from tests.support.installation import Installation

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


def sent(page: Page, method: str) -> list[Any]:
    """The bodies of the requests with this method, as they are sent."""
    bodies = list[Any]()
    page.on("request", lambda r: bodies.append(r.post_data_json) if r.method == method else None)
    return bodies


async def test_a_change_by_keyboard_sends_only_what_the_reader_changed(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts, description="before", batch=20, types=["token.mint"])
    page = await someone.open(f"#/webhooks/{name}")
    bodies, change, dialog = sent(page, "PATCH"), button(page, "Change"), page.get_by_role("dialog")
    await press(page, change)
    await expect(page.get_by_label("Accounts and streams")).to_have_value("999999")
    await expect(page.get_by_label("Events in a delivery")).to_have_value("20")
    await page.keyboard.press("Escape")
    await expect(change).to_be_focused()
    await page.keyboard.press("Enter")
    send = dialog.get_by_role("button", name="Change it")
    await press(page, send)
    await expect(dialog.get_by_role("alert")).to_contain_text("Nothing is different yet")
    assert bodies == []
    await enter(page, page.get_by_label("Description"), "after", "Shift+Tab")
    await press(page, send)
    await expect(page.get_by_role("heading", name="after", level=1)).to_be_visible()
    await expect(page.get_by_text("It was changed.")).to_be_visible()
    await expect(change).to_be_focused()
    assert bodies == [{"description": "after"}]
    assert someone.noise == []


async def test_each_field_of_a_webhook_is_changed(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts, types=["token.mint"])
    page = await someone.open(f"#/webhooks/{name}")
    await button(page, "Change").click()
    await page.get_by_label("URL", exact=True).fill("https://new.example/hook")
    await page.get_by_label("Accounts and streams").fill(f"7 {SENDER}")
    await page.get_by_label("Types").fill("")
    await page.get_by_label("Events in a delivery").fill("50")
    await page.get_by_label("Order").select_option("stream")
    await button(page, "Change it").click()
    await expect(detail(page, "Delivered")).to_contain_text("up to 50 events at a time")
    found = await read_webhooks(whole, f"/{name}")
    assert (found["url"], found["order"]) == ("https://new.example/hook", "stream")
    assert (found["streams"], found["users"], found["types"]) == (["7"], [SENDER], [])
    await button(page, "Change").click()
    await page.get_by_label("Events of").select_option("all")
    await expect(page.get_by_label("Accounts and streams")).to_be_hidden()
    await button(page, "Change it").click()
    await expect(detail(page, "Gets")).to_have_text("all events")
    found = await read_webhooks(whole, f"/{name}")
    assert (found["all"], found["streams"], found["users"]) == (True, [], [])


async def test_a_change_that_somebody_else_overtook_is_not_made(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts, description="mine")
    page = await someone.open(f"#/webhooks/{name}")
    await button(page, "Change").click()
    url = f"{whole.url(whole.ports.gateway)}/v1/webhooks/{name}"
    async with whole.session.patch(url, json={"description": "of somebody else"}) as response:
        assert response.status == 200
    heading = page.locator("h1", has_text="of somebody else")
    await expect(heading).to_be_attached()  # the view has read it, but the dialog has not
    alert = page.get_by_role("dialog").get_by_role("alert")
    await page.get_by_label("Description").fill("mine again")
    await button(page, "Change it").click()
    await expect(alert).to_contain_text("was changed after you opened this dialog")
    assert (await read_webhooks(whole, f"/{name}"))["description"] == "of somebody else"
    await page.keyboard.press("Escape")
    await button(page, "Change").click()
    await expect(page.get_by_label("Description")).to_have_value("of somebody else")
    await page.get_by_label("Description").fill("mine again")
    await button(page, "Change it").click()
    await expect(page.get_by_role("heading", name="mine again", level=1)).to_be_visible()
    assert [told for told in someone.noise if "412" not in told] == []


async def test_what_the_api_refuses_is_said_in_the_dialog(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts)
    page = await someone.open(f"#/webhooks/{name}")
    await button(page, "Change").click()
    alert = page.get_by_role("dialog").get_by_role("alert")
    await page.get_by_label("URL", exact=True).fill("https://10.0.0.1/hook")
    await button(page, "Change it").click()
    await expect(alert).to_contain_text("url 10.0.0.1 is not a public address")
    await page.get_by_label("URL", exact=True).fill("https://shop.example/headrace")
    await expect(alert).to_be_hidden()
    await page.get_by_label("Types").fill("stream.opened")
    await button(page, "Change it").click()
    await expect(alert).to_contain_text("types/0")
    assert (await read_webhooks(whole, f"/{name}"))["types"] == []

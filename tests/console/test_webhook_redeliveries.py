"""The redeliveries of a webhook that have not ended: seen while they go on, and stopped."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from shared.webhooks.attempts import AttemptStore
from tests.console.browser import User
from tests.console.keyboard import press, tab_to
from tests.console.requests import Held, all_are_known, methods_of
from tests.console.samples import Dispatcher, create, redeliver, webhook
from tests.support.installation import Installation

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_redeliveries_are_listed_and_stopped_by_keyboard(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    first, second = [(await create(whole))["position"] for _ in range(2)]
    name = await webhook(whole, attempts)
    page = await someone.open(f"#/webhooks/{name}")
    lines = page.get_by_role("list", name="Redeliveries").get_by_role("listitem")
    await page.get_by_role("heading", name="Last deliveries").wait_for()
    await expect(page.get_by_role("heading", name="Redeliveries")).to_be_hidden()
    one, other = await redeliver(whole, name, first), await redeliver(whole, name, second)
    await expect(lines).to_have_count(2)
    await expect(lines.first).to_contain_text(f"From {first} to {one['to']}")
    await press(page, page.get_by_role("button", name=f"Stop the redelivery {one['id']}"))
    await expect(page.get_by_text("The redelivery was stopped.")).to_be_visible()
    await expect(lines).to_have_count(1)
    await expect(lines).to_contain_text(other["id"])
    await expect(lines.get_by_role("button", name="Stop")).to_be_focused()
    path = f"/v1/webhooks/{name}/redeliveries"
    _, left = await whole.get(whole.ports.gateway, path)
    assert [each["id"] for each in left["items"]] == [other["id"]]
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect(page.get_by_role("heading", name="Redeliveries")).to_be_hidden()
    assert someone.noise == []


async def test_the_focus_stays_on_a_redelivery_that_goes_on(
    whole: Installation, attempts: AttemptStore, dispatcher: Dispatcher, someone: User
) -> None:
    first, _ = [(await create(whole))["position"] for _ in range(2)]
    name = await webhook(whole, attempts)
    asked = await redeliver(whole, name, first)
    page = await someone.open(f"#/webhooks/{name}")
    line = page.get_by_role("list", name="Redeliveries").get_by_role("listitem")
    stop = line.get_by_role("button", name="Stop")
    await tab_to(page, stop)
    await stop.evaluate("node => node.addEventListener('blur', () => { window.lost = true; })")
    await dispatcher.move(name, asked, first)
    await expect(line).not_to_contain_text(f"From {first} ")
    await expect(line).to_contain_text(f"to {asked['to']}")
    await expect(stop).to_be_focused()
    assert not await page.evaluate("window.lost")
    await dispatcher.end(name, asked)
    await expect(line).to_have_count(0)
    await expect(page.get_by_role("heading", level=1)).to_be_focused()


async def test_a_redelivery_that_has_ended_meanwhile_is_an_error_with_the_words_of_the_api(
    whole: Installation, attempts: AttemptStore, dispatcher: Dispatcher, someone: User
) -> None:
    name = await webhook(whole, attempts)
    asked = await redeliver(whole, name)
    page = await someone.context.new_page()
    await page.clock.install(time=0)
    await page.clock.pause_at(1_000)  # so that the view reads the webhook only when it begins
    await page.goto(f"{someone.address}/#/webhooks/{name}")
    stop = page.get_by_role("button", name=f"Stop the redelivery {asked['id']}")
    await stop.wait_for()
    await dispatcher.end(name, asked)
    await stop.click()
    await expect(page.get_by_role("alert")).to_contain_text("that has not ended")
    await expect(stop).to_have_count(0)


async def test_a_second_press_before_the_answer_makes_no_second_redelivery(
    whole: Installation, attempts: AttemptStore, someone: User
) -> None:
    name = await webhook(whole, attempts)
    page = await someone.open(f"#/webhooks/{name}")
    request = Held("POST")
    await page.route(f"**/v1/webhooks/{name}/redeliver", request)
    asked = methods_of(page)
    await page.get_by_role("button", name="Deliver again").click()
    await page.get_by_label("From").fill("0-0")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Deliver again").click()
    await asyncio.wait_for(request.reached.wait(), 60)
    await page.keyboard.press("Enter")
    await all_are_known(page)
    assert asked.count("POST") == 1
    request.released.set()
    await expect(
        page.get_by_role("list", name="Redeliveries").get_by_role("listitem")
    ).to_have_count(1)
    await expect(dialog).to_have_count(0)

"""Everything in the console by keyboard alone, in a real Chromium: nothing here clicks."""

from __future__ import annotations

import re
import signal

import pytest
from playwright.async_api import Browser, expect
from stellar_sdk import Keypair

from shared.webhooks.attempts import AttemptStore
from tests.console.browser import User, user
from tests.console.keyboard import enter, press, tab_to, unreachable
from tests.console.samples import (
    RECIPIENT,
    SENDER,
    TOKEN,
    arrived,
    create,
    redeliver,
    shown,
    webhook,
)
from tests.console.views import tour
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_each_control_of_each_view_is_reached_and_seen(
    whole: Installation, browser: Browser, attempts: AttemptStore
) -> None:
    """On a narrow page, whose header is high. The ledger pauses: new rows would never end."""
    made = await create(whole, label="reached")
    data = {**made, "active": made["id"], "account": SENDER}
    data["webhook"] = await webhook(whole, attempts)
    await redeliver(whole, data["webhook"])
    found = {}
    look = {"viewport": {"width": 390, "height": 700}}
    async with user(browser, whole.url(whole.ports.gateway), **look) as someone:
        try:
            whole.signal("network", signal.SIGSTOP)
            async for name, page in tour(someone, data):
                found[name] = await unreachable(page)
        finally:
            whole.signal("network", signal.SIGCONT)
    assert {name: words for name, words in found.items() if words} == {}


async def test_a_stream_is_found_and_opened_and_its_event_copied_and_replayed(
    whole: Installation, someone: User
) -> None:
    await someone.context.grant_permissions(["clipboard-read", "clipboard-write"])
    made = await create(whole, label="found by keyboard", deposit="5000")
    larger = await create(whole, label="also by keyboard")
    page = await someone.open("#/login")
    heading = page.get_by_role("heading", level=1)
    await press(page, page.get_by_role("link", name="Streams"))
    await expect(heading).to_be_focused()
    await enter(page, page.get_by_label("Search"), "by keyboard")
    await enter(page, page.get_by_label("Status"), "act")
    await expect(page.locator(".stream").first).to_have_attribute("data-id", larger["id"])
    await expect(page.locator(".stream")).to_have_count(2)
    await enter(page, page.get_by_label("Order"), "ear")
    await expect(page.locator(".stream").first).to_have_attribute("data-id", made["id"])
    await press(page, page.get_by_role("link", name="found by keyboard"))
    await expect(heading).to_be_focused()
    await expect(heading).to_have_text("found by keyboard")
    slider = page.get_by_role("slider")
    await tab_to(page, slider)
    before = await slider.get_attribute("aria-valuetext")
    await page.keyboard.press("ArrowLeft")
    await expect(slider).not_to_have_attribute("aria-valuetext", before or "")
    await press(page, page.locator(".timeline .when").last)
    await expect(heading).to_be_focused()
    await press(page, page.get_by_role("button", name="Copy the position"))
    await expect(page.get_by_text("Copied the position.")).to_be_attached()
    assert await page.evaluate("navigator.clipboard.readText()") == made["position"]
    await press(page, page.get_by_role("link", name="Replay from here"), "Shift+Tab")
    await expect(heading).to_have_text("Replay")
    await expect(heading).to_be_focused()
    assert someone.noise == []


async def test_a_stream_is_made_changed_and_ended(whole: Installation, someone: User) -> None:
    page = await someone.open("#/streams")
    await press(page, page.get_by_role("button", name="New stream"))
    dialog = page.get_by_role("dialog")
    values = {"From": SENDER, "To": RECIPIENT, "Token": TOKEN, "Rate a second": "11"}
    values |= {"Deposit": "995000", "Label": "made by keyboard"}
    for name, value in values.items():
        field = page.get_by_label(name, exact=True)
        await expect(field).to_be_enabled()  # an amount, as soon as its unit is known
        await enter(page, field, value)
    await press(page, dialog.get_by_role("button", name="Create stream"))
    heading, one = page.get_by_role("heading", level=1), page.locator(".one")
    await expect(heading).to_have_text("made by keyboard")
    await expect(heading).to_be_focused()
    pause, resume = (page.get_by_role("button", name=name) for name in ("Pause", "Resume"))
    await press(page, pause)
    await expect(one).to_have_attribute("data-status", "paused")
    await expect(resume).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(pause).to_be_focused()
    await enter(page, page.get_by_label("Amount to add"), "5000")
    await page.keyboard.press("Enter")
    await expect(page.locator(".timeline")).to_contain_text("Topped up")
    await expect(page.get_by_label("Amount to add")).to_be_focused()
    # Within its first second the stream has nothing to withdraw.
    await expect(page.locator("#claimable")).to_have_text(re.compile(r"^[1-9]"))
    withdraw = page.get_by_role("button", name="Withdraw")
    await press(page, withdraw, "Shift+Tab")
    await expect(page.locator(".timeline")).to_contain_text("Withdrawn")
    await expect(withdraw).to_be_focused()
    cancel = page.get_by_role("button", name="Cancel stream")
    await press(page, cancel)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(cancel).to_be_focused()
    await page.keyboard.press("Enter")
    await press(page, page.get_by_role("button", name="Cancel it"))
    await expect(one).to_have_attribute("data-status", "cancelled")
    await expect(heading).to_be_focused()
    assert someone.noise == []


async def test_events_are_downloaded(whole: Installation, someone: User) -> None:
    made = await create(whole)
    page = await someone.open(f"#/streams/{made['id']}")
    save = page.get_by_role("button", name="Download events")
    await press(page, save)
    dialog = page.get_by_role("dialog")
    async with page.expect_download():
        await press(page, dialog.get_by_role("button", name="Download", exact=True))
    await expect(dialog.get_by_role("status")).to_contain_text("Downloaded")
    await expect(dialog.get_by_role("button", name="Download", exact=True)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(save).to_be_focused()
    assert someone.noise == []


async def test_streams_of_strangers_are_answered_and_accounts_named(
    whole: Installation, someone: User
) -> None:
    account = Keypair.random().public_key
    for label in ("first", "second"):
        await create(whole, recipient=account, label=label)
    page = await someone.open(f"#/account/{account}")
    waiting = page.locator('[data-list="pending"]')
    await press(page, waiting.get_by_role("button", name="Accept").first)
    await expect(waiting.locator(".stream")).to_have_count(1)
    await expect(waiting.get_by_role("link", name="first")).to_be_focused()
    await press(page, waiting.get_by_role("button", name="Hide"))
    await expect(waiting).to_be_hidden()
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await enter(page, page.get_by_label("Your name for this address"), "Landlady")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Saved in this browser.")).to_be_visible()
    await tab_to(page, page.get_by_role("link", name="Hidden streams: 1"))
    await press(page, page.get_by_role("link", name="Account", exact=True))
    await enter(page, page.get_by_role("combobox", name="Account"), RECIPIENT)
    await page.keyboard.press("Enter")
    await expect(page.locator(".identity")).to_contain_text(RECIPIENT)
    await press(page, page.get_by_role("link", name="Account", exact=True))
    await press(page, page.get_by_role("button", name="Remove the name Landlady"))
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert someone.noise == []


async def test_the_focus_stays_on_an_event_while_the_list_changes(
    whole: Installation, someone: User
) -> None:
    """Meanwhile no ledger closes: on a busy machine, new rows would push the event out."""
    page = await someone.open("#/live")
    await page.wait_for_selector(".event")
    try:
        whole.signal("network", signal.SIGSTOP)
        newest = (await shown(page))[0]
        link = page.locator(f'.event[data-id="{newest}"] .when')
        await tab_to(page, link)
    finally:
        whole.signal("network", signal.SIGCONT)
    await create(whole)
    await until(lambda: arrived(page, newest, 1), what="newer events")
    await expect(link).to_be_focused()
    assert await page.evaluate(LOADED_AGAIN) == "1-0"
    assert await page.evaluate(CROWDED_OUT) == "2-0"


LIST = """const { EventList } = await import("/console/js/event_list.js");
  const event = (id) => ({ id, type: "token.mint", timestamp: 1, origin: "api" });
  const list = new EventList("A short list", { most: 2 });
  document.querySelector("main").append(list.node);
  list.load(["2-0", "1-0"].map(event));
  list.node.querySelector("[data-id='1-0'] a").focus();
  const focused = () => document.activeElement.closest(".event")?.dataset.id;"""
LOADED_AGAIN = f"async () => {{ {LIST} list.load(['3-0', '1-0'].map(event)); return focused(); }}"
CROWDED_OUT = f"async () => {{ {LIST} list.add(event('3-0')); return focused(); }}"

"""Search, filters, orders and the address book in a real Chromium."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from stellar_sdk import Keypair

from tests.console.browser import User, user
from tests.console.samples import DEPOSIT, USDC, create
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

IDS = "all => all.map((each) => each.dataset.id)"


def row(stream_id: str) -> str:
    return f'.stream[data-id="{stream_id}"]'


async def test_streams_are_found_by_label_prefix_token_and_name(
    whole: Installation, someone: User
) -> None:
    account = Keypair.random().public_key
    made = await create(whole, label="Lighthouse of Ada", recipient=account, token=USDC)
    page, one = await someone.open("#/streams"), row(made["id"])
    search = page.get_by_label("Search")
    for text in ("lighthouse of", account[:12], account[:10].lower()):
        await search.fill(text)
        await expect(page.locator(".stream")).to_have_count(1)
        await expect(page.locator(one)).to_be_visible()
    await search.fill("no stream has this label")
    await page.get_by_text("No streams match.").wait_for()
    await search.fill("lighthouse")
    await page.get_by_label("Token contract").fill(USDC)
    await expect(page.locator(one)).to_be_visible()
    await until(lambda: _has(page, f"token={USDC}"), what="the filter in the address")
    await page.reload()
    await expect(page.locator(one)).to_be_visible()
    await expect(page.get_by_label("Search")).to_have_value("lighthouse")
    assert someone.noise == []


async def _has(page: Page, text: str) -> bool:
    return text in page.url


async def test_a_transaction_leads_to_its_events(whole: Installation, someone: User) -> None:
    async def found() -> str | None:
        path = "/v1/events?all=true&types=stream.created&limit=50"
        _, history = await whole.get(whole.ports.gateway, path)
        return next((e["txHash"] for e in history["items"] if e["origin"] == "chain"), None)

    transaction = await until(found, seconds=60, what="a transaction")
    page = await someone.open("#/streams")
    await page.get_by_label("Search").fill(transaction)
    await page.get_by_role("link", name="Show its events").click()
    await page.wait_for_selector(".event")
    titles = "all => all.map((each) => each.querySelector('.where').title)"
    found_titles = await page.locator(".event").evaluate_all(titles)
    assert {title.split()[1].rstrip(",") for title in found_titles} == {transaction}
    await page.get_by_label("Transaction").fill("ab" * 32)
    await page.get_by_text("This transaction is not among the latest").wait_for()


async def test_orders_and_states_are_kept_in_the_address(
    whole: Installation, someone: User
) -> None:
    sender = Keypair.random().public_key
    small = await create(whole, recipient=sender, deposit="1000", rate="1", label="order small")
    spent = await create(whole, recipient=sender, deposit="11", rate="11", ago=9, label="order 2")
    large = await create(whole, recipient=sender, deposit=DEPOSIT, rate="11", label="order large")
    soon = await create(whole, recipient=sender, deposit="990000", rate="11", label="order soon")
    page = await someone.open("#/streams?search=order+&sort=amount")
    wanted = [each["id"] for each in (large, soon, small, spent)]
    await expect(page.locator(".stream")).to_have_count(4)
    assert await page.locator(".stream").evaluate_all(IDS) == wanted
    await page.get_by_label("Order").select_option("end")
    wanted = [each["id"] for each in (spent, small, soon, large)]
    await until(lambda: _are(page, wanted), what="the order of the ends")
    assert "sort=end" in page.url
    await page.get_by_label("Runs out").select_option("depleted")
    await until(lambda: _are(page, [spent["id"]]), seconds=60, what="the one that ran out")
    await page.reload()
    await until(lambda: _are(page, [spent["id"]]), what="the same filter after a reload")
    newer = await create(whole, recipient=sender, deposit="22", rate="11", ago=9, label="order 3")
    await until(
        lambda: _are(page, [spent["id"], newer["id"]]), seconds=60, what="another one, live"
    )
    assert someone.noise == []


async def _are(page: Page, wanted: list[str]) -> bool:
    return bool(await page.locator(".stream").evaluate_all(IDS) == wanted)


async def test_names_for_addresses_stay_in_this_browser(
    whole: Installation, someone: User, browser: Browser
) -> None:
    account = Keypair.random().public_key
    made = await create(whole, recipient=account, label="named")
    page, other = await someone.open(f"#/account/{account}"), await someone.open("#/streams")
    party = other.locator(f"{row(made['id'])} .parties .party").last
    await expect(party).to_have_text(f"{account[:4]}…{account[-4:]}")
    await page.get_by_label("Your name for this address").fill("<b>Landlady</b>")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Saved in this browser.")).to_be_visible()
    await expect(party).to_have_text("<b>Landlady</b>")
    await expect(party).to_have_attribute("title", account)
    await other.get_by_label("Search").fill("landl")
    await expect(other.locator(".stream")).to_have_count(1)
    await other.goto(f"{someone.address}/#/account")
    await other.get_by_role("button", name="Remove the name").click()
    await page.goto(f"{someone.address}/#/streams?search={made['id']}")
    await expect(page.locator(".parties .party").last).to_have_text(f"{account[:4]}…{account[-4:]}")
    async with user(browser, someone.address) as stranger:
        page = await stranger.open(f"#/account/{account}")
        await expect(page.get_by_label("Your name for this address")).to_have_value("")
    assert someone.noise == []


async def test_names_work_without_storage(whole: Installation, browser: Browser) -> None:
    account = Keypair.random().public_key
    await create(whole, recipient=account)
    error = "new DOMException('denied', 'SecurityError')"
    denied = f"Object.defineProperty(window, 'localStorage', {{get() {{ throw {error}; }}}});"
    async with user(browser, whole.url(whole.ports.gateway)) as someone:
        await someone.context.add_init_script(denied)
        page = await someone.open(f"#/account/{account}")
        await page.get_by_label("Your name for this address").fill("Landlady")
        await page.get_by_role("button", name="Save name").click()
        await expect(page.locator(".stream .parties .party").last).to_have_text("Landlady")
        assert someone.noise == []


async def downloaded(page: Page) -> Path:
    """The file of the dialog, after a click on its button."""
    async with page.expect_download() as waiting:
        await page.get_by_role("dialog").get_by_role("button", name="Download", exact=True).click()
    return Path(await (await waiting.value).path())


async def test_events_are_downloaded_within_a_range_of_dates(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, label="=1+1")
    page = await someone.open(f"#/streams/{made['id']}")
    await page.get_by_role("button", name="Download events").click()
    dialog = page.get_by_role("dialog")
    lines = (await downloaded(page)).read_text().splitlines()
    assert lines[0].startswith("id,time,type,streamId")
    rows = [line.split(",") for line in lines[1:]]
    assert [row[0] for row in rows if row[3] == made["id"]] == [made["position"]]
    assert {row[2].split(".")[0] for row in rows if row[3] != made["id"]} <= {"contract"}
    await expect(dialog).to_contain_text("Downloaded ")
    await dialog.get_by_label("Format").select_option("ndjson")
    events = [json.loads(line) for line in (await downloaded(page)).read_text().splitlines()]
    assert [event["id"] for event in events] == [row[0] for row in rows]
    await dialog.get_by_label("From").fill(_local(int(time.time()) + 3600))
    assert (await downloaded(page)).read_text() == ""
    assert someone.noise == []


def _local(seconds: int) -> str:
    """The value of a field for a date, in the zone of the browser, which is that of the test."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(seconds))

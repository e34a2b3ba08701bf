"""Streams in a real Chromium: created and changed by clicking, with correct amounts."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import Browser, Page, Route, expect
from stellar_sdk import Keypair

from tests.console.browser import User, user
from tests.console.samples import RECIPIENT, SENDER, TOKEN, Counted, create, step
from tests.support.installation import Installation
from tests.support.tier import at_length
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

HOSTILE = '<img src=x onerror="window.hacked = 1">'


async def make(page: Page, label: str) -> str:
    """Create a stream with the dialog. Returns its id."""
    await page.get_by_role("button", name="New stream").click()
    fields = {
        "From": SENDER,
        "To": RECIPIENT,
        "Token": TOKEN,
        "Rate a second": "11",
        "Deposit": "995000",
        "Label": label,
    }
    for name, value in fields.items():
        await page.get_by_label(name, exact=True).fill(value)
    await page.get_by_role("button", name="Create stream").click()
    await page.wait_for_selector(".one")
    return str(await page.locator(".one").get_attribute("data-id"))


async def test_changes_by_clicking_show_in_all_open_pages(
    whole: Installation, browser: Browser, someone: User
) -> None:
    page, account = await someone.open("#/streams"), await someone.open(f"#/account/{RECIPIENT}")
    async with user(browser, someone.address) as other:
        elsewhere = await other.open("#/streams")
        await elsewhere.wait_for_selector(".stream")
        await page.bring_to_front()
        stream_id = await make(page, "Rent")
        one = page.locator(".one")
        rows = [each.locator(f'.stream[data-id="{stream_id}"]') for each in (account, elsewhere)]

        async def all_say(status: str) -> None:
            for place in (one, *rows):
                await expect(place).to_have_attribute("data-status", status)

        await all_say("active")
        await page.get_by_role("button", name="Pause").click()
        await all_say("paused")
        await expect(page.get_by_role("button", name="Withdraw")).to_be_disabled()
        await page.get_by_role("button", name="Resume").click()
        await all_say("active")
        await page.get_by_label("Amount to add").fill("5000")
        await page.get_by_role("button", name="Top up").click()
        for row in rows:
            await expect(row).to_contain_text("of 1,000,000")
        await until(
            lambda: _has_seconds(page, 2), what="something to withdraw by the API's clock too"
        )
        await page.get_by_role("button", name="Withdraw").click()
        await expect(page.locator(".timeline")).to_contain_text("Withdrawn")
        await page.get_by_role("button", name="Cancel stream").click()
        await page.get_by_role("button", name="Cancel it").click()
        await all_say("cancelled")
        await expect(page.get_by_role("group", name="Actions")).to_be_hidden()
        _, stream = await whole.get(whole.ports.gateway, f"/v1/streams/{stream_id}")
        versions = [await place.get_attribute("data-version") for place in (one, *rows)]
        assert versions == [str(stream["version"])] * 3
        kinds = await page.locator(".timeline .chip").all_inner_texts()
        assert kinds == ["Cancelled", "Withdrawn", "Topped up", "Resumed", "Paused", "Created"]
        assert someone.noise + other.noise == []


async def _has_seconds(page: Page, seconds: int) -> bool:
    """Whether the page shows this many seconds of money, or up to one more."""
    return int((await page.evaluate(COUNTED))[1]) >= seconds * 11


async def test_errors_of_the_api_are_shown(whole: Installation, someone: User) -> None:
    page = await someone.open("#/streams")
    await page.get_by_role("button", name="New stream").click()
    for name, value in [("From", SENDER), ("To", SENDER[:-1] + "A"), ("Token", TOKEN)]:
        await page.get_by_label(name, exact=True).fill(value)
    await page.get_by_label("Rate a second").fill("11")
    button = page.get_by_role("button", name="Create stream")
    before = await button.bounding_box()
    await page.get_by_label("Deposit").fill("995000")
    await expect(page.locator(".preview")).to_contain_text("in total")
    assert await button.bounding_box() == before, "a button that moves can miss its click"
    await button.click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "recipient must be a G…, C… or M… address"
    )


async def test_a_hostile_label_is_shown_as_text(whole: Installation, someone: User) -> None:
    one = (await create(whole, label=HOSTILE))["id"]
    # The filters leave out the chain's newer streams and events, which would push this one out.
    lists = (f"#/streams?search={one}", f"#/account/{SENDER}", f"#/live?streams={one}")
    for view in (*lists, f"#/streams/{one}"):
        page = await someone.open(view)
        await page.get_by_text(HOSTILE).first.wait_for()
        assert await page.locator("img").count() == 0
        assert await page.evaluate("window.hacked") is None
    assert someone.noise == []


async def test_a_stream_of_a_stranger_waits_apart_until_it_is_accepted_or_hidden(
    whole: Installation, someone: User
) -> None:
    victim = Keypair.random().public_key
    kept = (await create(whole, label="my wage", recipient=victim))["id"]
    spam = (await create(whole, label=HOSTILE, recipient=victim, deposit=str(10**30)))["id"]
    page = await someone.open(f"#/account/{victim}")
    waiting, incoming = (page.locator(f'[data-list="{name}"]') for name in ("pending", "accepted"))
    await expect(waiting.locator(".stream")).to_have_count(2)
    await expect(waiting.get_by_text(HOSTILE)).to_be_visible()
    await expect(incoming.locator(".stream")).to_have_count(0)
    origins = page.locator(".totals [data-origin]")
    await expect(origins).to_have_count(1)  # those of the chain alone
    row = page.locator(f'.stream[data-id="{kept}"]')
    await row.get_by_role("button", name="Accept").click()
    await expect(incoming.locator(".stream")).to_have_attribute("data-id", kept)
    await page.locator(f'.stream[data-id="{spam}"]').get_by_role("button", name="Hide").click()
    await expect(waiting).to_be_hidden()
    await expect(origins).to_have_count(2)
    assert await origins.evaluate_all("all => all.map((each) => each.dataset.origin)") == [
        "chain",
        "api",
    ]
    await expect(page.locator(".totals")).not_to_contain_text(f"{10**30:,}")
    await page.get_by_role("link", name="Hidden streams: 1").click()
    await expect(page.locator(".stream")).to_have_attribute("data-id", spam)
    assert someone.noise == []


async def test_without_api_streams_the_page_offers_none(whole: Installation, someone: User) -> None:
    async def answer(route: Route) -> None:
        if "text/html" in (route.request.headers.get("accept") or ""):
            await route.continue_()
        else:
            response = await route.fetch()
            document = await response.json() | {"apiStreams": False}
            await route.fulfill(response=response, json=document)

    page = await someone.context.new_page()
    await page.route(f"{someone.address}/", answer)
    await page.goto(f"{someone.address}/#/streams")
    await page.wait_for_selector(".stream")
    await expect(page.get_by_role("button", name="New stream")).to_have_count(0)


async def test_an_unknown_stream_is_reported(someone: User) -> None:
    page = await someone.open("#/streams/99999999")
    await page.get_by_text("There is no such stream.").wait_for()
    page = await someone.open("#/nowhere")
    await page.get_by_text("This view does not exist.").wait_for()


async def test_the_list_can_be_searched_and_filtered(whole: Installation, someone: User) -> None:
    stream = await create(whole, label="found")
    await step(whole, stream["id"], "pause")
    page = await someone.open("#/streams")
    await page.get_by_label("Search").fill(stream["id"])
    await expect(page.locator(".stream")).to_have_count(1)
    await page.get_by_label("Status").select_option("active")
    await expect(page.locator(".stream")).to_have_count(0)
    await page.get_by_text("No streams match.").wait_for()
    await page.get_by_label("Search").fill("")
    await page.get_by_label("Status").select_option("paused")
    await page.locator(f'.stream[data-id="{stream["id"]}"]').wait_for()
    statuses = "all => [...new Set(all.map((each) => each.dataset.status))]"
    await until(lambda: _are(page, statuses, ["paused"]), what="paused ones alone")
    await step(whole, stream["id"], "resume")
    await expect(page.locator(f'.stream[data-id="{stream["id"]}"]')).to_have_count(0)
    await step(whole, stream["id"], "pause")
    await expect(page.locator(f'.stream[data-id="{stream["id"]}"]')).to_have_count(1)
    await page.get_by_label("Search").fill("r")
    await page.get_by_text("Enter at least two characters.").wait_for()


async def _are(page: Page, script: str, wanted: list[str]) -> bool:
    return bool(await page.eval_on_selector_all(".stream", script) == wanted)


COUNTED = """() => {
  const { asOf, amount } = document.getElementById("claimable").dataset;
  return [Number(asOf), amount, document.getElementById("claimable").textContent];
}"""


async def agrees(whole: Installation, page: Page, stream_id: str) -> bool:
    """Whether page and API show the same second. If so, the amounts must be equal."""
    _, stream = await whole.get(whole.ports.gateway, f"/v1/streams/{stream_id}")
    as_of, amount, text = await page.evaluate(COUNTED)
    if as_of != stream["claimable"]["asOf"]:
        return False
    assert amount == stream["claimable"]["amount"]
    inside = int(text.replace(",", "")) - int(amount)
    assert 0 <= inside < int(stream["ratePerSecond"]), "it runs within the second"
    return True


SECONDS = at_length(8, 61)


async def test_the_counter_equals_the_amount_of_the_api(
    whole: Installation, counted: Counted
) -> None:
    page = counted.page
    await page.bring_to_front()
    await until(lambda: time.monotonic() - counted.since > SECONDS, seconds=90)
    await until(lambda: agrees(whole, page, counted.stream_id), what="a second in common")
    assert int((await page.evaluate(COUNTED))[1]) > SECONDS * 11
    paused = await step(whole, counted.stream_id, "pause")
    wanted = f"{int(paused['claimable']['amount']):,}"
    await expect(page.locator("#claimable")).to_have_text(wanted)

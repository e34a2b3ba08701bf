"""The chart of a stream and the dialog for a new one, in a real Chromium."""

from __future__ import annotations

import re
import time

import pytest
from playwright.async_api import Page, Route, expect
from stellar_sdk import Keypair

from tests.console.browser import User
from tests.console.samples import (
    DEPOSIT,
    RECIPIENT,
    SENDER,
    USDC,
    create,
    detail,
    step,
)
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("known_tokens"),
]

OUTSIDE = """() => [...document.querySelectorAll(".picture svg path")]
  .flatMap((path) => path.getAttribute("d").match(/-?[\\d.]+/g) ?? [])
  .map(Number).filter((each) => !(each >= 0 && each <= 720))"""


async def test_a_stream_that_began_in_1970_is_drawn_inside_of_its_frame(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, ago=int(time.time()) - 1, deposit="11", rate="11")
    page = await someone.open(f"#/streams/{made['id']}")
    await page.wait_for_selector('.event[data-type="stream.depleted"]', timeout=60_000)
    await step(whole, made["id"], "withdraw")
    await page.wait_for_selector('.event[data-type="stream.withdrawn"]')
    assert await page.evaluate(OUTSIDE) == []
    await expect(page.locator(".axis")).to_contain_text(re.compile(r"\d{4}"))
    await expect(page.locator(".axis")).not_to_contain_text("1970")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 1120
    assert someone.noise == []


async def test_the_chart_has_scales_and_shows_the_values_at_a_time(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, token=USDC, deposit=DEPOSIT, rate="3000000", ago=600)
    page = await someone.open(f"#/streams/{made['id']}")
    ticks = page.locator(".ticks.amounts span")
    await expect(ticks).to_have_text(["200.00", "400.00", "600.00", "800.00"])
    assert await page.locator(".ticks.times span").count() >= 2
    slider = page.get_by_role("slider", name="Time in the chart")
    await slider.focus()
    await page.keyboard.press("End")
    values = page.locator(".picture .values")
    await expect(values).to_contain_text("deposit 995.00, claimable 995.00, withdrawn 0.00")
    assert await slider.get_attribute("aria-valuetext") == await values.inner_text()
    await page.keyboard.press("Home")
    await expect(values).to_contain_text(re.compile(r"claimable 18\d\.\d"))
    box = await page.locator(".picture svg").bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    await expect(values).to_contain_text(re.compile(r"claimable 5\d\d\.\d"))
    await page.mouse.move(5, 5)
    await expect(values).to_contain_text(re.compile(r"claimable 18\d\.\d"))
    assert someone.noise == []


async def test_small_charts_have_scales(whole: Installation, someone: User) -> None:
    page = await someone.open("#/live")
    scales = page.locator(".gauges .scale")
    await expect(scales.last).to_have_text(re.compile(r"^Scale: 0 to \d+, the last minute$"))
    await create(whole)
    await expect(scales.first).to_have_text(re.compile("^Scale: 0 to .*s, the latest 60 events$"))


async def test_a_fee_is_in_the_row_of_its_event(whole: Installation, someone: User) -> None:
    async def paid() -> tuple[str, str, str] | None:
        path = "/v1/events?all=true&types=stream.fee_collected,stream.created&limit=100"
        _, history = await whole.get(whole.ports.gateway, path)
        # A transaction can have several fees: each stream has its own.
        by_type: dict[str, dict[tuple[str, str], str]] = {}
        for event in history["items"]:
            if event.get("txHash"):
                ids = by_type.setdefault(event["type"], {})
                ids[event["txHash"], event["streamId"]] = event["id"]
        fees, created = by_type.get("stream.fee_collected", {}), by_type.get("stream.created", {})
        return next(
            ((fees[key], created[key], key[0]) for key in fees.keys() & created.keys()), None
        )

    fee, created, transaction = await until(paid, seconds=60, what="a fee")
    page = await someone.open(f"#/live?tx={transaction}")
    row = page.locator(f'.event[data-id="{created}"]')
    await expect(row).to_contain_text(", fee ")
    await expect(row).to_have_attribute("data-fee", fee)
    await expect(page.locator(f'.event[data-id="{fee}"]')).to_have_count(0)


async def _dialog(page: Page, sender: str = SENDER) -> None:
    await page.get_by_role("button", name="New stream").click()
    fields = {"From": sender, "To": RECIPIENT, "Token": USDC}
    for name, value in fields.items():
        await page.get_by_label(name, exact=True).fill(value)
    await page.get_by_label("Rate a second").fill("0.5")
    await page.get_by_label("Deposit", exact=True).fill("100")


async def test_a_new_stream_has_all_fields_and_a_preview(
    whole: Installation, someone: User
) -> None:
    page = await someone.open("#/streams")
    await _dialog(page)
    dialog = page.get_by_role("dialog")
    preview = dialog.locator(".preview")
    await expect(preview).to_contain_text("1,800.00 USDC an hour, from now until about ")
    await expect(preview).to_contain_text("(3 min 20 s). 100.00 USDC in total.")
    start = int(time.time()) - 60
    local = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(start))
    await dialog.get_by_label("Start").fill(local)
    await expect(preview).not_to_contain_text("from now")
    await dialog.get_by_label("Label").fill("All of it")
    await dialog.get_by_label("Tags").fill("home, rent")
    await dialog.get_by_label("Note").fill("Paid weekly.")
    await page.get_by_role("button", name="Create stream").click()
    await page.wait_for_selector(".one")
    stream_id = await page.locator(".one").get_attribute("data-id")
    _, stream = await whole.get(whole.ports.gateway, f"/v1/streams/{stream_id}")
    assert (stream["startTime"], stream["endTime"]) == (start, start + 200)
    assert stream["metadata"] == {
        "label": "All of it",
        "tags": ["home", "rent"],
        "note": "Paid weekly.",
    }
    await expect(detail(page, "Tags")).to_have_text("home, rent")
    assert someone.noise == []


async def test_a_stream_is_not_made_twice_if_the_button_is_pressed_again(
    whole: Installation, someone: User
) -> None:
    page = await someone.open("#/streams")
    keys: list[str | None] = []

    async def fail_once(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/v1/streams", fail_once)
    sender = Keypair.random().public_key
    await _dialog(page, sender)
    async with page.expect_event("requestfailed", timeout=90_000):
        await page.get_by_role("button", name="Create stream").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("does not answer")
    await page.get_by_role("button", name="Create stream").click()
    await page.wait_for_selector(".one")
    assert len(keys) == 2
    assert keys[0] == keys[1]
    path = f"/v1/streams?sender={sender}"
    _, listed = await whole.get(whole.ports.gateway, path)
    assert len(listed["items"]) == 1

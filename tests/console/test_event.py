"""The view of one event, and the replay from it, in a real Chromium."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.console.browser import User
from tests.console.samples import DEPOSIT, SENDER, USDC, create, detail, shown, step
from tests.support.installation import Installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

EXPLORER = "https://explorer.example/net"


async def with_explorer(someone: User, view: str) -> Page:
    """Open a view with an API that names an explorer."""

    async def answer(route: Route) -> None:
        if "text/html" in (route.request.headers.get("accept") or ""):
            await route.continue_()
        else:
            response = await route.fetch()
            document = await response.json() | {"explorer": EXPLORER}
            await route.fulfill(response=response, json=document)

    page = await someone.context.new_page()
    await page.route(f"{someone.address}/", answer)
    await page.goto(f"{someone.address}/{view}")
    return page


async def chain_event(whole: Installation, kind: str) -> dict[str, Any]:
    """The latest event of this type from the chain."""

    async def found() -> dict[str, Any] | None:
        path = f"/v1/events?all=true&types={kind}&limit=1"
        _, page = await whole.get(whole.ports.gateway, path)
        return page["items"][0] if page["items"] else None

    event: dict[str, Any] = await until(found, seconds=60, what=kind)
    return event


async def test_an_event_of_the_chain_has_a_page_with_proof_links_and_json(
    whole: Installation, someone: User
) -> None:
    event = await chain_event(whole, "stream.withdrawn")
    page = await with_explorer(someone, f"#/events/{event['id']}")
    await expect(detail(page, "Position")).to_contain_text(event["id"])
    await expect(detail(page, "Proof")).to_contain_text("Proved.")
    await expect(detail(page, "Transaction")).to_contain_text(event["txHash"])
    links = page.get_by_role("link", name="Explorer")
    addresses = await links.evaluate_all("all => all.map((each) => each.href)")
    assert {
        f"{EXPLORER}/ledger/{event['ledger']}",
        f"{EXPLORER}/tx/{event['txHash']}",
        f"{EXPLORER}/account/{event['recipient']}",
        f"{EXPLORER}/contract/{event['contractId']}",
    } <= set(addresses)
    json_text = await page.locator("pre").inner_text()
    assert json.loads(json_text) == event
    row = page.locator('[data-field="withdrawnAmount"]')
    await expect(row).to_have_attribute("data-changed", "")
    after = int(event["stream"]["withdrawnAmount"])
    values = await row.locator("data").evaluate_all("all => all.map((each) => Number(each.value))")
    assert values == [after - int(event["amount"]), after], "the stream before and after"
    assert someone.noise == []


async def test_a_row_leads_to_its_event_and_a_simulated_network_has_no_explorer(
    whole: Installation, someone: User
) -> None:
    made = await create(whole, token=USDC, deposit=DEPOSIT, label="traced")
    page = await someone.open(f"#/live?streams={made['id']}")
    await page.locator(".event .when").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Event: Created")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect(page.locator("nav [aria-current]")).to_have_text("Live")
    await expect(detail(page, "Sender")).to_contain_text(SENDER)
    await expect(detail(page, "Deposited amount")).to_have_text("995.00 USDC")
    await expect(detail(page, "Proof")).to_contain_text("nothing on the chain proves it")
    await expect(page.get_by_text("The stream did not exist before this event.")).to_be_visible()
    await expect(page.get_by_role("link", name="Explorer")).to_have_count(0)
    assert someone.noise == []


async def test_what_is_copied_is_what_is_shown(whole: Installation, someone: User) -> None:
    made = await create(whole)
    await someone.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await someone.open(f"#/events/{made['position']}")
    button = page.get_by_role("button", name="Copy the position")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Copied the position.")).to_be_attached()
    assert await page.evaluate("navigator.clipboard.readText()") == made["position"]
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    await page.get_by_role("button", name="Copy the id of the stream").click()
    await expect(page.get_by_text("Copied the id of the stream.")).to_be_attached()
    await page.reload()
    await page.wait_for_selector("[data-ready]")
    assert await page.evaluate("navigator.clipboard.readText()") == made["id"]


async def test_an_event_that_does_not_exist_is_reported(someone: User) -> None:
    page = await someone.open("#/events/1-1")
    await expect(page.locator("main")).to_contain_text("There is no event at this position")
    page = await someone.open("#/events/x")
    await expect(page.locator("main")).to_contain_text("no position of an event, such as")


async def test_a_replay_resumes_at_the_event_and_goes_on_live(
    whole: Installation, someone: User
) -> None:
    first = (await create(whole))["position"]
    page = await someone.open(f"#/events/{first}")
    await page.get_by_role("link", name="Replay from here").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Replay")
    await expect(page.get_by_text("New events appear as they happen.")).to_be_visible()
    made = await create(whole)
    await step(whole, made["id"], "pause")
    await page.wait_for_selector(f'.event[data-type="stream.paused"]:has(a[href*="{made["id"]}"])')
    here = await shown(page)
    path = f"/v1/events?all=true&order=asc&limit=500&after={first}"
    _, history = await whole.get(whole.ports.gateway, path)
    wanted = [first, *(event["id"] for event in history["items"])]
    assert here == wanted[: len(here)][::-1]
    assert someone.noise == []

"""The console changes streams on the chain, with the stand-in wallet of a real `make run`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.console.accessibility import axe, faults, too_wide
from tests.console.browser import User, user
from tests.console.signing import ALICE, close, dialog, fill, signed
from tests.support.tier import one_in_test
from tests.system.conftest import VALID_SECONDS, Run

pytestmark = [
    pytest.mark.io,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]
__all__ = ["axe"]
expect.set_options(timeout=30_000)  # milliseconds; 5 s are too few on a busy machine

WALLET = "the simulated wallet"
WARNING = "Simulated wallet: signs without asking."


@dataclass(frozen=True)
class Chain:
    """A stream on the chain from alice to bob, and a tab with its view."""

    run: Run
    page: Page
    stream_id: str

    async def answer(self, path: str) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.run.url + path) as answer:
            assert answer.status == 200, path
            document: dict[str, Any] = await answer.json()
            return document

    async def open(self) -> None:
        await self.page.goto(f"{self.run.url}/#/streams/{self.stream_id}")
        await self.page.locator(".one").wait_for()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chain(run: Run, browser: Browser) -> AsyncIterator[Chain]:
    """Creates the stream in the console. The view Live is open in a second tab."""
    async with user(browser, run.url) as visitor:
        live = await visitor.open("#/live")
        page = await visitor.open("#/streams")
        await fill(page)
        words = dialog(page).locator(".preview")
        await expect(words).to_contain_text(re.compile(r"pays 7.?200\.00 USDC"))
        await expect(words).to_contain_text("after 1 h all of it")
        tx = await signed(page, WALLET)
        await expect(
            live.locator(f'.event[data-type="stream.created"] .where[title*="{tx}"]')
        ).to_be_visible()
        await dialog(page).get_by_role("link", name="See the stream").click()
        await page.locator(".one").wait_for()
        stream_id = str(await page.locator(".one").get_attribute("data-id"))
        yield Chain(run, page, stream_id)
        assert visitor.noise == []
        assert visitor.hosts == {f"localhost:{run.ports.gateway}"}


ACTIONS = {
    "Top up": ("stream.topped_up", "pays 12.50 USDC", "active"),
    "Withdraw": ("stream.withdrawn", "USDC", "active"),
    "Pause": ("stream.paused", "no more money accrues", "paused"),
    "Resume": ("stream.resumed", "money accrues again", "active"),
    "Cancel stream": ("stream.cancelled", "cannot be undone", "cancelled"),
}


async def test_each_action_ends_as_an_event_in_the_list(chain: Chain) -> None:
    page = chain.page
    await chain.open()
    await page.get_by_label("Amount to add").fill("12.5")
    for button, (event, words, status) in ACTIONS.items():
        await page.get_by_role("button", name=button, exact=True).click()
        await expect(dialog(page).locator(".preview")).to_contain_text(words)
        await expect(dialog(page).locator(".warning")).to_contain_text(WARNING)
        tx = await signed(page, WALLET)
        row = page.locator(f'.timeline .event[data-type="{event}"] .where[title*="{tx}"]')
        await expect(row).to_be_visible()
        await expect(page.locator(".one")).to_have_attribute("data-status", status)
        found = await chain.answer(f"/v1/transactions/{tx}")
        assert (found["status"], found["error"]) == ("succeeded", None)
        assert f"ledger {found['ledger']} " in await row.inner_text()
        await close(page)


@pytest_asyncio.fixture(loop_scope="session")
async def tab(chain: Chain, visitor: User) -> AsyncIterator[Page]:
    """The view Streams in the tab of another user."""
    yield await visitor.open("#/streams")
    assert [each for each in visitor.noise if "Failed to load resource" not in each] == []


async def test_a_refusal_is_shown_in_the_words_of_the_server(tab: Page) -> None:
    await fill(tab, amount="0.0000001")
    refused = dialog(tab).get_by_role("alert")
    await expect(refused).to_have_text(
        "The amount is too small for the duration: less than 1 base unit per second."
    )
    await expect(dialog(tab).get_by_role("button", name="Sign")).to_have_count(0)
    await dialog(tab).get_by_role("button", name="Try again").click()
    await expect(refused).to_contain_text("The amount is too small")


async def arm(run: Run, kind: str) -> None:
    """Arm a fault of the simulated network."""
    fault = {"kind": kind, "surface": "sendTransaction"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{run.network}/sim/faults", json=fault) as answer,
    ):
        assert answer.status < 300, await answer.text()


async def test_an_expired_transaction_is_prepared_again_by_a_click_only(
    run: Run, tab: Page, visitor: User
) -> None:
    unsigned = await visitor.open("#/streams")
    await fill(unsigned)
    await dialog(unsigned).get_by_role("button", name="Sign").wait_for()
    await arm(run, "discarded")  # accepted by RPC, and in no ledger
    await fill(tab)
    sign = dialog(tab).get_by_role("button", name=f"Sign with {WALLET}")
    await sign.wait_for()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    await sign.click()
    expired = dialog(tab).get_by_role("alert")
    await expect(expired).to_contain_text(
        "It is in no ledger and never will be", timeout=1000 * (2 * VALID_SECONDS + 30)
    )
    over = dialog(unsigned).get_by_role("alert")
    await expect(over).to_contain_text("It was not signed, and nothing was sent.")
    await expect(dialog(unsigned).get_by_role("button", name="Sign")).to_have_count(0)
    posts = [each for each in asked if each.startswith("POST")]
    paths = ["/sandbox/wallet", "/v1/transactions/submit"]
    assert posts == [f"POST {run.url}{path}" for path in paths]
    await dialog(tab).get_by_role("button", name="Prepare again").click()
    await signed(tab, WALLET)


async def test_what_the_server_did_not_prepare_is_not_signed(run: Run, tab: Page) -> None:
    """A server that prepares another payment than it describes gets no signature."""

    async def other(route: Route) -> None:
        asked = {**(route.request.post_data_json or {}), "amount": "1", "duration": 1}
        await route.fulfill(response=await route.fetch(post_data=asked))

    await tab.route("**/v1/transactions", other)
    await fill(tab)
    await expect(dialog(tab).get_by_role("alert")).to_contain_text("Do not sign this.")
    await expect(dialog(tab).get_by_role("alert")).to_contain_text("It has other arguments: ")
    assert await dialog(tab).get_by_role("button").all_inner_texts() == ["Close"]


async def test_an_answer_that_is_lost_can_be_sent_again(tab: Page) -> None:
    """The same envelope is sent again. The server sends a transaction once."""
    bodies: list[str] = []

    async def lose(route: Route) -> None:
        bodies.append(str(route.request.post_data))
        await route.fetch()
        await (route.abort() if len(bodies) == 1 else route.continue_())

    await tab.route("**/v1/transactions/submit", lose)
    await fill(tab)
    await dialog(tab).get_by_role("button", name=f"Sign with {WALLET}").click()
    await expect(dialog(tab).get_by_role("alert")).to_contain_text("The API does not answer")
    await dialog(tab).get_by_role("button", name="Send the same again").click()
    await expect(dialog(tab).get_by_role("status")).to_contain_text("Done: Created")
    assert len(bodies) == 2
    assert len(set(bodies)) == 1


@pytest.mark.parametrize("width", one_in_test([360, 1440]))
async def test_the_dialog_is_accessible_fits_and_works_by_keyboard(
    run: Run, browser: Browser, axe: str, width: int
) -> None:
    async with user(browser, run.url, viewport={"width": width, "height": 800}) as visitor:
        page = await visitor.open("#/streams")
        await page.get_by_role("button", name="New on-chain stream").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog").get_by_label("From")).to_have_value(ALICE)
        assert await faults(page, axe) == []
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await fill(page)
        sign = dialog(page).get_by_role("button", name=f"Sign with {WALLET}")
        await sign.wait_for()
        assert await faults(page, axe) == []
        if width == 360:
            assert await too_wide(page) == []
        await page.keyboard.press("Tab")
        await expect(dialog(page).get_by_role("button", name="Close")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(sign).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(dialog(page).get_by_role("status")).to_contain_text("Done: Created")
        assert await faults(page, axe) == []
        await page.keyboard.press("Escape")
        await expect(dialog(page)).to_have_count(0)
        assert visitor.noise == []

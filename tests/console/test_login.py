"""Login in AUTH_MODE=required, with a fake Freighter in the page and the keys in the test."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from stellar_sdk import Keypair

from tests.api.auth.samples import ALICE, BOB, CAROL, SECRET, SERVER, signed, token_of
from tests.console.accessibility import problems
from tests.console.browser import User, user
from tests.console.keyboard import enter, press
from tests.console.samples import TOKEN, detail, near
from tests.support.installation import Installation, installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

FREIGHTER = """window.freighterApi = {
  requestAccess: async () => ({ address: await window.walletAddress() }),
  signTransaction: async (transaction, { networkPassphrase }) => (
    { signedTxXdr: await window.walletSign(transaction, networkPassphrase) }),
};"""
EXTENSION = """window.freighter = true;
addEventListener("message", async ({ data }) => {
  if (data.source !== "FREIGHTER_EXTERNAL_MSG_REQUEST") return;
  const answer = data.type === "REQUEST_ACCESS" ? { publicKey: await window.walletAddress() } :
    { signedTransaction: await window.walletSign(data.transactionXdr, data.networkPassphrase) };
  postMessage({ source: "FREIGHTER_EXTERNAL_MSG_RESPONSE", messagedId: data.messageId, ...answer });
});"""

CHANGE = ("Change", "Change it")
"""The buttons that open the dialog of a webhook, and send it."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    folder = tmp_path_factory.mktemp("closed")
    async with installation(
        folder,
        CLOSE_SECONDS="1",
        AUTH_MODE="required",
        JWT_SECRET=SECRET,
        SIGNING_SEED=SERVER.secret,
    ) as closed:
        began = _in(0)
        # `iat` has whole seconds, and a token must not be older than the data in Redis.
        await until(lambda: _in(0) > began, what="a token that is younger than the data")
        yield closed


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(closed: Installation, browser: Browser) -> AsyncIterator[User]:
    async with user(browser, closed.url(closed.ports.gateway)) as visitor:
        yield visitor


async def with_wallet(visitor: User, keypair: Keypair, script: str = FREIGHTER) -> None:
    """Add a wallet with these keys to all pages of a user."""
    sign = lambda xdr, passphrase: signed(xdr, keypair, passphrase=passphrase)  # noqa: E731
    await visitor.context.expose_function("walletAddress", lambda: keypair.public_key)
    await visitor.context.expose_function("walletSign", sign)
    await visitor.context.add_init_script(script)


async def log_in(visitor: User) -> Page:
    page = await visitor.open("#/streams")
    await page.get_by_role("button", name="Log in with Freighter").click()
    await page.get_by_role("heading", name="Streams", level=1).wait_for()
    await expect(page.locator("#status")).to_have_attribute("data-kind", "live")
    return page


async def make(closed: Installation, sender: Keypair, recipient: Keypair) -> str:
    body = {
        "sender": sender.public_key,
        "recipient": recipient.public_key,
        "tokenAddress": TOKEN,
        "ratePerSecond": "1",
        "depositedAmount": "100000",
    }
    token = token_of(sender.public_key, "streams:write")
    url = closed.url(closed.ports.gateway) + "/v1/streams"
    headers = {"Authorization": f"Bearer {token}"}
    async with closed.session.post(url, json=body, headers=headers) as response:
        return str((await response.json())["id"])


@pytest.mark.parametrize("script", [FREIGHTER, EXTENSION], ids=["library", "extension"])
async def test_a_wallet_user_sees_and_changes_own_streams(
    closed: Installation, visitor: User, script: str
) -> None:
    await with_wallet(visitor, ALICE, script)
    page = await log_in(visitor)
    live = await visitor.open("#/live")
    await expect(live.locator("#status")).to_have_attribute("data-kind", "live")
    foreign, own = await make(closed, BOB, CAROL), await make(closed, ALICE, BOB)
    await live.wait_for_selector(f'a[href="#/streams/{own}"]')
    await page.wait_for_selector(f'.stream[data-id="{own}"]')
    for each in (page, live):
        assert await each.locator(f'[href="#/streams/{foreign}"]').count() == 0
    kinds = "all => [...new Set(all.map((each) => each.dataset.type.split('.')[0]))]"
    assert set(await live.eval_on_selector_all(".event:has(code)", kinds)) <= {"contract"}
    await page.locator(f'.stream[data-id="{own}"] a').click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(".one")).to_have_attribute("data-status", "paused")
    assert len(visitor.subscriptions) <= 2, "the one of before the login is none"
    assert all("ticket=" in url and "access_token" not in url for url in visitor.subscriptions)
    await page.get_by_role("link", name="System").click()
    await page.get_by_text("Only admins can see").wait_for()
    assert visitor.noise == []


async def test_a_user_sees_own_events_only(closed: Installation, visitor: User) -> None:
    await with_wallet(visitor, ALICE)
    page = await log_in(visitor)
    foreign, own = await make(closed, BOB, CAROL), await make(closed, ALICE, BOB)
    positions = [await _position(closed, stream_id) for stream_id in (own, foreign)]
    await page.goto(f"{visitor.address}/#/events/{positions[0]}")
    await page.get_by_role("heading", name="Event: Created").wait_for()
    await page.get_by_role("link", name="Replay from here").click()
    await page.wait_for_selector(f'.event[data-id="{positions[0]}"]')
    await page.goto(f"{visitor.address}/#/events/{positions[1]}")
    await page.get_by_text("There is no event at this position that you may see.").wait_for()
    assert visitor.noise == []


async def _position(closed: Installation, stream_id: str) -> str:
    """The position of a stream's latest event, read by an admin."""
    url = closed.url(closed.ports.gateway) + f"/v1/streams/{stream_id}"
    headers = {"Authorization": f"Bearer {token_of(CAROL.public_key, 'admin')}"}
    async with closed.session.get(url, headers=headers) as response:
        return str((await response.json())["position"])


async def test_the_pages_of_a_user_are_sound_on_a_phone(
    closed: Installation, browser: Browser, axe: str
) -> None:
    """The header has the account and a button more. conditions/test_views.py has no login."""
    look = {"viewport": {"width": 390, "height": 844}}
    found = {}
    async with user(browser, closed.url(closed.ports.gateway), **look) as visitor:
        await with_wallet(visitor, ALICE)
        page = await visitor.open("#/login")
        await page.get_by_role("button", name="Log in with Freighter").wait_for()
        found["login"] = await problems(page, axe)
        page = await log_in(visitor)
        for view in ("streams", "live", "account", "system", "system/connections"):
            await page.goto(f"{visitor.address}/#/{view}")
            await page.locator("h1").wait_for()
            found[view] = await problems(page, axe)
    assert {name: told for name, told in found.items() if told} == {}


async def test_a_logout_applies_to_all_tabs(visitor: User) -> None:
    await with_wallet(visitor, ALICE)
    page = await log_in(visitor)
    other = await visitor.open("#/live")
    await expect(other.locator("#status")).to_have_attribute("data-kind", "live")
    await page.get_by_role("button", name="Log out").click()
    for each in (page, other):
        await each.get_by_role("heading", name="Log in").wait_for()


async def test_an_admin_uses_a_token_and_sees_all(closed: Installation, visitor: User) -> None:
    page = await visitor.open("#/webhooks")
    await page.get_by_role("heading", name="Log in").wait_for()
    assert await page.get_by_role("button", name="Log in with Freighter").is_disabled()
    await enter(page, page.get_by_label("Token"), "no token")
    await press(page, page.get_by_role("button", name="Use this token"))
    await page.get_by_role("alert").get_by_text("This is not a valid token").wait_for()
    await enter(page, page.get_by_label("Token"), token_of(CAROL.public_key, "admin"), "Shift+Tab")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Webhooks", level=1).wait_for()
    assert page.url.endswith("#/webhooks"), "the login returns to the view of the address"
    system = await visitor.open("#/system")
    await expect(system.locator(".part[data-url*=':']")).to_have_count(3)
    assert visitor.noise == []


async def test_a_token_that_expires_soon_is_replaced_without_interruption(
    closed: Installation, visitor: User
) -> None:
    soon = token_of(ALICE.public_key, "streams:write", exp=_in(40), auth_time=_in(0))
    page = await visitor.open("#/login")
    await page.get_by_label("Token").fill(soon)
    await page.get_by_role("button", name="Use this token").click()
    await expect(page.locator("#status")).to_have_attribute("data-kind", "live")
    kept = "JSON.parse(localStorage.getItem('headrace login')).token"
    await until(lambda: _differs(page, kept, soon), what="a fresh token")
    own = await make(closed, ALICE, BOB)
    await page.wait_for_selector(f'.stream[data-id="{own}"]')


def _in(seconds: int) -> int:
    return int(time.time()) + seconds


async def _differs(page: Page, script: str, before: str) -> bool:
    return bool(await page.evaluate(script) != before)


async def test_the_system_is_for_admins(closed: Installation) -> None:
    url = closed.url(closed.ports.gateway) + "/v1/system"
    for scopes, status in [(("events:all", "streams:write"), 403), (("admin",), 200)]:
        headers = {"Authorization": f"Bearer {token_of(ALICE.public_key, *scopes)}"}
        async with closed.session.get(url, headers=headers) as response:
            assert response.status == status
    async with closed.session.get(url) as response:
        assert response.status == 401


async def test_a_webhook_of_an_account_is_made_and_changed_within_its_rights(
    closed: Installation, visitor: User
) -> None:
    foreign, own = await make(closed, BOB, CAROL), await make(closed, ALICE, BOB)
    await with_wallet(visitor, ALICE)
    page = await log_in(visitor)
    await page.get_by_role("link", name="Webhooks").click()
    await page.get_by_role("button", name="New webhook").click()
    await page.get_by_label("URL").fill("https://shop.example/headrace")
    await page.get_by_role("button", name="Make the webhook").click()
    await page.get_by_role("button", name="I have it").click()
    gets = detail(page, "Gets")
    await expect(gets).to_have_text(f"account {near(ALICE.public_key)[1:-1]}")

    change, send = (page.get_by_role("button", name=name, exact=True) for name in CHANGE)
    await change.click()
    await expect(page.get_by_label("Events of")).to_have_value("own")
    await page.get_by_label("Events of").select_option("chosen")
    names = page.get_by_label("Accounts and streams")
    await names.fill(foreign)
    await send.click()
    alert = page.get_by_role("dialog").get_by_role("alert")
    await expect(alert).to_contain_text(f"streams has {foreign}, which you may not read")
    await names.fill(own)
    await send.click()
    await expect(gets).to_have_text(f"stream {own}")
    await change.click()
    await expect(names).to_have_value(own)
    await page.get_by_label("Events of").select_option("own")
    await send.click()
    await expect(gets).to_have_text(f"account {near(ALICE.public_key)[1:-1]}")

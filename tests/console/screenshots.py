"""Screenshots of each view for the documentation: `make screenshots`.

A whole installation runs for them, with a simulated network and streams of the API's own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings
from shared.journal.keys import Keys, namespace_of
from shared.redis.client import connect
from shared.webhooks.attempts import Attempt, AttemptKind, AttemptStore
from tests.console.browser import chromium, user
from tests.console.samples import RECIPIENT, SENDER, create, redeliver, step, subscribed
from tests.console.views import VIEWS, with_sandbox
from tests.support.installation import Installation, installation
from tests.support.waiting import until

FOLDER = Path(__file__).parents[2] / "docs/screenshots"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 780},
        "is_mobile": True,
        "has_touch": True,
    },
}


async def streams_of(whole: Installation) -> str:
    """Create some realistic streams. Returns their recipient."""
    one = 10**7  # base units of a USDC
    usdc = partial(create, whole, token=accounts.TOKEN)
    rent = await usdc(label="Rent, Hauptstraße 5", rate="4630", deposit=f"{1200 * one}", ago=10**6)
    await step(whole, rent["id"], "withdraw")
    await usdc(label="Salary of Ada", rate="115741", deposit=f"{30_000 * one}", ago=1_500_000)
    held = await usdc(label="Lighthouse grant", rate="250000", deposit=f"{9000 * one}", ago=240_000)
    await step(whole, held["id"], "pause")
    await usdc(label="Translation", rate="300000", deposit=f"{300 * one}", ago=8400)
    return str(rent["recipient"])


async def delivered(whole: Installation) -> str:
    """A webhook that gets nothing, with attempts and a redelivery of the latest events.

    Returns its id.
    """
    _, page = await whole.get(whole.ports.gateway, "/v1/events?all=true&limit=8")
    url, body = whole.url(whole.ports.gateway) + "/v1/webhooks", {"streams": ["999999"]}
    about = {"url": "https://shop.example/headrace", "description": "Orders of the shop"}
    async with whole.session.post(url, json=body | about) as response:
        made = await response.json()
    redis = connect(f"redis://127.0.0.1:{whole.ports.redis}/0")
    keys = Keys(namespace_of(SimulatorSettings().network_passphrase, accounts.STREAMS))
    store, now = AttemptStore(redis, keys), time.time()
    for n, position in enumerate(event["id"] for event in reversed(page["items"])):
        status, answer = (503, "the shop is closed for an update") if n == 6 else (204, "")
        at, took = now - 60 + 9 * n, 0.012 + 0.003 * n
        attempt = Attempt(at, AttemptKind.EVENT, position, 1, took, status=status, answer=answer)
        await store.add(made["id"], attempt)
    await redis.aclose()
    await redeliver(whole, made["id"], page["items"][-1]["id"])
    return str(made["id"])


async def eventful(whole: Installation) -> str | None:
    """The chain stream with the most events, as soon as much of its money has accrued."""
    path = "/v1/streams?origin=chain&status=active&limit=200"
    _, page = await whole.get(whole.ports.gateway, path)
    shares = {
        stream["id"]: int(stream["withdrawnAmount"]) / int(stream["depositedAmount"])
        for stream in page["items"]
        if stream["endTime"] > time.time() + 15
    }
    best = max(shares, key=lambda each: shares[each], default=None)
    return best if best and shares[best] > 0.2 else None


async def settled(page: Page, name: str) -> None:
    """Wait until the view shows its content."""
    signs = {
        "live": ".event >> nth=12",
        "streams": ".stream >> nth=5",
        "stream": ".picture path.accrued[d]",
        "account": ".stream",
        "system": ".part >> nth=3",
    }
    await page.wait_for_selector(signs[name])
    await page.wait_for_selector('#status[data-kind="live"]')
    charts = page.locator(".spark-line")
    if await charts.count():
        await until(lambda: drawn(charts.last), seconds=60, what="a line in the charts")


async def drawn(chart: Locator) -> bool:
    """Whether the line of a chart is visible."""
    return len((await chart.get_attribute("points") or "").split()) > 12


async def shoot(browser: Browser, whole: Installation, look: str, account: str) -> None:
    """Each view in one theme. The view of a stream comes last, with an active stream."""
    views = {
        "live": "#/live",
        "streams": "#/streams",
        "account": f"#/account/{account}",
        "system": "#/system",
        "stream": "",
    }
    async with user(browser, whole.url(whole.ports.gateway), **LOOKS[look]) as someone:
        for name, view in views.items():
            stream = await until(lambda: eventful(whole), seconds=180, what="a stream that flows")
            page = await someone.open(view or f"#/streams/{stream}")
            await settled(page, name)
            await page.screenshot(path=FOLDER / f"{name}-{look}.png")


async def new_stream(page: Page) -> None:
    """Fill in the dialog, so that it shows its preview. The window is high enough for all of it."""
    await page.set_viewport_size({"width": 1120, "height": 1060})
    await page.get_by_role("button", name="New stream").click()
    fields = {"From": SENDER, "To": RECIPIENT, "Token": accounts.TOKEN}
    fields |= {"Rate a second": "0.00046", "Deposit": "1200", "Label": "Rent", "Tags": "home"}
    for name, value in fields.items():
        await page.get_by_label(name, exact=True).fill(value)
    await expect(page.locator(".preview")).to_contain_text("in total")


async def download(page: Page) -> None:
    await page.get_by_role("button", name="Download events").click()


async def nothing(page: Page) -> None:
    """The view shows enough."""


ONCE: dict[str, tuple[str, str, Callable[[Page], Awaitable[None]]]] = {
    "event": (VIEWS["event"].address, "pre", nothing),
    "search": ("#/streams?search=landlady", ".party.named", nothing),
    "create": ("#/streams", ".stream", new_stream),
    "download": (VIEWS["stream"].address, ".picture", download),
    "webhook": (VIEWS["webhook"].address, ".attempts tbody tr >> nth=5", nothing),
    "connections": ("#/system/connections", "tbody tr >> nth=2", nothing),
    "sandbox": ("#/sandbox", ".event >> nth=5", nothing),
}
"""Views and dialogs with one picture: address, sign of the content, and what to do then."""


async def shoot_once(browser: Browser, whole: Installation) -> None:
    """The rest in one theme each, in turn."""
    names = json.dumps(json.dumps({RECIPIENT: "Landlady", SENDER: "Me"}))
    named = f"localStorage.setItem('headrace names', {names})"
    path = "/v1/events?all=true&types=stream.withdrawn&limit=1"
    _, found = await whole.get(whole.ports.gateway, path)
    data = {"id": found["items"][0]["streamId"], "position": found["items"][0]["id"]}
    data["webhook"] = await delivered(whole)
    for n, (name, (address, sign, act)) in enumerate(ONCE.items()):
        look = {"color_scheme": ("light", "dark")[n % 2]}
        async with (
            subscribed(whole, f"users={SENDER}", "streams=1,2,3&types=stream.withdrawn"),
            user(browser, whole.url(whole.ports.gateway), **look) as someone,
        ):
            if name == "sandbox":
                await with_sandbox(someone.context, someone.address)
            await someone.context.add_init_script(named)
            page = await someone.open(address.format(**data))
            await page.wait_for_selector(sign)
            await page.wait_for_selector('#status[data-kind="live"]')
            await act(page)
            dialog = page.get_by_role("dialog")
            shown = dialog if await dialog.count() else page
            await shown.screenshot(path=FOLDER / f"{name}.png")


async def main() -> int:
    """All views in all themes and sizes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with installation(Path(folder), CLOSE_SECONDS="1") as whole, chromium() as browser:
            account = await streams_of(whole)
            for look in sys.argv[1:] or [*LOOKS, "once"]:
                if look == "once":
                    await shoot_once(browser, whole)
                else:
                    await shoot(browser, whole, look, account)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""Screenshots of each view for the documentation: `make screenshots`.

A whole installation runs for them, with a simulated network and streams of the API's own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page

from deploy.simulator.chain import accounts
from tests.console.browser import chromium, user
from tests.console.samples import create, step
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


async def main() -> int:
    """All views in all themes and sizes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with installation(Path(folder), CLOSE_SECONDS="1") as whole, chromium() as browser:
            account = await streams_of(whole)
            for look in sys.argv[1:] or LOOKS:
                await shoot(browser, whole, look, account)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""Every view and every dialog of the console: its address, and a sign that it shows its content."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, Route

from tests.console.browser import User

SCRIPTS = Path(__file__).parents[2] / "services/api/console/js"


@dataclass(frozen=True, slots=True)
class View:
    """One look of a view.

    `address` has placeholders: {id}, {active}, {position}, {account}, {webhook}.
    """

    route: str
    """The key of the view in app.js."""
    address: str
    sign: str
    """A selector of something that the view shows only with its content."""
    asks: bool = True
    """Whether the view asks the API for its content."""


VIEWS = {
    "live": View("live", "#/live?users={account}", ".event"),
    "streams": View("streams", "#/streams?search={account}", ".stream"),
    "sorted": View("streams", "#/streams?sort=amount", ".stream"),
    "stream": View("streams/id", "#/streams/{id}", ".picture"),
    "chain": View("streams/id", "#/streams/1", ".timeline .where code"),
    "active": View("streams/id", "#/streams/{active}", ".timeline .event"),
    "account": View("account", "#/account/{account}", ".totals .token"),
    "nobody": View("account", "#/account", ".suggested li"),
    "webhooks": View("webhooks", "#/webhooks", ".webhook"),
    "webhook": View("webhooks/id", "#/webhooks/{webhook}", ".attempts tbody tr"),
    "system": View("system", "#/system", ".part[data-url*=':']"),
    "connections": View("system/connections", "#/system/connections", ".connections tbody tr"),
    "sandbox": View("sandbox", "#/sandbox", ".parts button", asks=False),
    "login": View("login", "#/login", "form", asks=False),
    "event": View("events/id", "#/events/{position}", "pre"),
    "replay": View("replay/id", "#/replay/{position}", ".event"),
}


@dataclass(frozen=True, slots=True)
class Dialog:
    """A dialog: the module that makes it, the view with its button, and the button."""

    module: str
    view: str
    button: str


DIALOGS = (
    Dialog("create.js", "streams", "New stream"),
    Dialog("create_on_chain.js", "streams", "New on-chain stream"),
    Dialog("actions.js", "stream", "Cancel stream"),
    Dialog("transact.js", "active", "Cancel stream"),
    Dialog("download.js", "stream", "Download events"),
    Dialog("webhook_dialogs.js", "webhooks", "New webhook"),
    Dialog("webhook_dialogs.js", "webhook", "Change"),
    Dialog("webhook_dialogs.js", "webhook", "Deliver again"),
    Dialog("webhook_dialogs.js", "webhook", "New secret"),
    Dialog("webhook_dialogs.js", "webhook", "Delete"),
    Dialog("connections.js", "connections", "End the connection"),
)


def routes() -> set[str]:
    """The keys of the views in app.js."""
    found = re.findall(r'\["([a-z/]+)", async', (SCRIPTS / "app.js").read_text(encoding="utf-8"))
    return set(found)


def modules_with_dialogs() -> set[str]:
    """The modules that show a dialog."""
    files = SCRIPTS.glob("*.js")
    return {file.name for file in files if ".showModal()" in file.read_text(encoding="utf-8")}


async def show(someone: User, page: Page, view: View, data: dict[str, Any]) -> None:
    """Show a view with its content in a page."""
    await page.goto(f"{someone.address}/{view.address.format(**data)}")
    await page.wait_for_selector(view.sign)


async def tour(
    someone: User, data: dict[str, Any], names: Iterable[str] = VIEWS
) -> AsyncIterator[tuple[str, Page]]:
    """Open views in one tab, one after the other."""
    await with_sandbox(someone.context, someone.address)
    page = await someone.open("#/login")
    for name in names:
        await show(someone, page, VIEWS[name], data)
        yield name, page


async def with_sandbox(context: BrowserContext, address: str) -> None:
    """Offer the view Sandbox, as the gateway of `make run` does.

    tests/system/test_sandbox.py tests the real one.
    """

    async def front(route: Route) -> None:
        if "text/html" in (route.request.headers.get("accept") or ""):
            await route.continue_()
        else:
            response = await route.fetch()
            headers = {**response.headers, "Headrace-Sandbox": "1"}
            await route.fulfill(response=response, headers=headers)

    async def offer(route: Route) -> None:
        await route.fulfill(json={"faults": ["cut", "lose", "pause"]})

    await context.route(f"{address}/", front)
    await context.route(f"{address}/sandbox", offer)

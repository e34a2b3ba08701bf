"""Creates streams of the API, like a client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Locator, Page

from deploy.simulator.chain import accounts
from shared.domain.position import parse_position
from shared.webhooks.attempts import Attempt, AttemptKind, AttemptStore
from shared.webhooks.redeliveries import Redelivery, RedeliveryStore
from tests.support.installation import Installation
from tests.support.sse_client import SseClient
from tests.support.waiting import until

SENDER = "GCS2BKDSKSWQT6SMSLBAFLFURPY3ZL74CGURQ5QNE2S2KQOX6XKNNRJG"
RECIPIENT = "GB6QM3Z43JKXJD4MPY7P3VWTHPCPA7ESCAJB5W3KUY6SGHRLXQCE32XD"
TOKEN = "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2"


async def create(
    whole: Installation,
    *,
    label: str = "",
    rate: str = "11",
    deposit: str = "995000",
    ago: int = 0,
    recipient: str = RECIPIENT,
    token: str = TOKEN,
) -> dict[str, Any]:
    """Create a stream that began `ago` seconds ago."""
    body = {
        "sender": SENDER,
        "recipient": recipient,
        "tokenAddress": token,
        "ratePerSecond": rate,
        "depositedAmount": deposit,
        "startTime": int(time.time()) - ago,
        **({"metadata": {"label": label}} if label else {}),
    }
    return await _post(whole, "/v1/streams", 201, json=body)


async def step(whole: Installation, stream_id: str, name: str) -> dict[str, Any]:
    """Do an action, such as `pause`."""
    return await _post(whole, f"/v1/streams/{stream_id}/{name}", 200)


async def webhook(whole: Installation, attempts: AttemptStore, **more: Any) -> str:
    """Create a webhook that gets nothing, with three attempts. Returns its id."""
    body = {"url": "https://shop.example/headrace", "streams": ["999999"], **more}
    made = await _post(whole, "/v1/webhooks", 201, json=body)
    now = time.time()
    await attempts.add(made["id"], Attempt(now, AttemptKind.EVENT, "5-1", 1, 0.02, status=204))
    failed = Attempt(now, AttemptKind.TEST, "test_1", 0, 15, error="no answer within 15 s " * 9)
    await attempts.add(made["id"], failed)
    wrong = Attempt(
        now, AttemptKind.EVENT, "5-2", 20, 0.1, status=500, answer="<b>\u202e" + "x" * 300
    )
    await attempts.add(made["id"], wrong)
    return str(made["id"])


async def redeliver(whole: Installation, name: str, first: str = "0-0") -> dict[str, Any]:
    """Ask that a webhook gets the events from a position on once more."""
    return await _post(whole, f"/v1/webhooks/{name}/redeliver", 202, json={"from": first})


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Moves and ends the redeliveries of webhooks."""

    store: RedeliveryStore

    async def move(self, name: str, redelivery: dict[str, Any], position: str) -> None:
        """Everything up to this position was delivered."""
        after, to = parse_position(position), parse_position(redelivery["to"])
        moved = Redelivery(redelivery["id"], after, to)
        assert await self.store.move(name, moved, partition=1, token="dispatcher")

    async def end(self, name: str, redelivery: dict[str, Any]) -> None:
        """Everything was delivered."""
        await self.store.delete(name, redelivery["id"])


async def read_webhooks(whole: Installation, path: str) -> dict[str, Any]:
    """GET of /v1/webhooks, with what follows in the path."""
    status, document = await whole.get(whole.ports.gateway, f"/v1/webhooks{path}")
    assert status == 200, document
    found: dict[str, Any] = document
    return found


async def _post(whole: Installation, path: str, status: int, **more: Any) -> dict[str, Any]:
    url = whole.url(whole.ports.gateway) + path
    async with whole.session.post(url, **more) as response:
        document: dict[str, Any] = await response.json(content_type=None)
        assert response.status == status, document
        return document


def near(address: str) -> str:
    """The short address that the page shows beside the name of a token."""
    return f"({address[:4]}…{address[-4:]})"


USDC = accounts.TOKEN
ISSUER = accounts.address(accounts.ADMIN)
NAMED = f"USDC {near(ISSUER)}"
"""How the page names USDC."""
DEPOSIT = "9950000000"
"""995 USDC in base units."""


def button(page: Page, name: str) -> Locator:
    """The button with exactly these words."""
    return page.get_by_role("button", name=name, exact=True)


def detail(page: Page, name: str) -> Locator:
    """The value of a line of a stream's details."""
    return page.locator(f'.details dt:text-is("{name}") + dd')


@dataclass(frozen=True, slots=True)
class Counted:
    """Open the view of a stream. Returns the page and the time of opening (monotonic seconds)."""

    page: Page
    stream_id: str
    since: float


async def journal(whole: Installation, limit: int = 500) -> list[str]:
    """The positions of the latest events, newest first."""
    _, page = await whole.get(whole.ports.gateway, f"/v1/events?all=true&limit={limit}")
    return [event["id"] for event in page["items"]]


async def shown(page: Page) -> list[str]:
    """The positions of the events in a page, in their order. A row can hold a fee too."""
    script = "all => all.flatMap(({dataset}) => [dataset.id, dataset.fee].filter(Boolean))"
    return list(await page.eval_on_selector_all(".event", script))


async def connections(whole: Installation) -> dict[str, int]:
    """The number of SSE connections of each fanout that answers."""
    _, system = await whole.get(whole.ports.gateway, "/v1/system")
    return {
        part["url"]: int(part["measures"]["connections"])
        for part in system["parts"]
        if part["kind"] == "fanout"
    }


@asynccontextmanager
async def subscribed(whole: Installation, *queries: str) -> AsyncIterator[list[SseClient]]:
    """Clients with these subscriptions, at both fanouts in turn."""
    clients: list[SseClient] = []
    try:
        for n, query in enumerate(queries):
            port = whole.ports.fanouts[n % len(whole.ports.fanouts)]
            clients.append(await SseClient.connect(port, f"/v1/events/subscribe?{query}"))
            await clients[-1].wait(1)
        yield clients
    finally:
        for client in clients:
            client.close()


async def follows_the_journal(whole: Installation, page: Page, more: int = 5) -> None:
    """Wait for `more` events. Then the page must show each event of the journal once."""
    before = (await shown(page))[0]
    for _ in range(more):
        await create(whole)
    await until(lambda: arrived(page, before, more), seconds=30, what="new events in the page")
    here = (await shown(page))[:150]
    wanted = [each for each in await journal(whole) if older(each, here[0])]
    assert here == wanted[: len(here)]


def older(position: str, than: str) -> bool:
    """Whether a position is equal to or before another."""
    return tuple(map(int, position.split("-"))) <= tuple(map(int, than.split("-")))


async def arrived(page: Page, since: str, count: int) -> bool:
    ids = await shown(page)
    return since in ids and ids.index(since) >= count

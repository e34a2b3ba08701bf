"""What the API stores is what a dispatcher does: an API, a dispatcher and a receiver together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from shared.journal.keys import Keys
from tests.api.samples import TOKEN, made
from tests.api.webhooks.samples import answer_of, created
from tests.support.waiting import until
from tests.support.web_client import StartApi, WebClient
from tests.webhooks.world import dispatching

pytestmark = pytest.mark.io


class Taker:
    """A receiver that keeps each request: its headers and its body."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 204
        self.taken: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status)

    @property
    def ids(self) -> list[str]:
        """The ids of the messages, in their order."""
        return [headers["webhook-id"] for headers, _ in self.taken]

    async def has(self, *ids: str) -> None:
        """Wait until exactly these messages have come."""
        await until(lambda: len(self.ids) >= len(ids), what="the deliveries")
        assert self.ids == [*ids]


@asynccontextmanager
async def taking() -> AsyncIterator[Taker]:
    taker, app = Taker(), web.Application()
    app.router.add_post("/hook", taker.take)
    async with TestServer(app) as server:
        taker.url = str(server.make_url("/hook"))
        yield taker


@pytest.fixture
async def delivering(start: StartApi, redis_url: str, keys: Keys) -> AsyncIterator[Any]:
    """A client of the API and a receiver, while a dispatcher runs. Secrets are encrypted."""
    key = Fernet.generate_key().decode()
    client = await start(webhook_allowed_networks="127.0.0.0/8", webhook_secret_keys=key)
    more = {"contracts": TOKEN, "webhook_secret_keys": key}
    async with taking() as taker, dispatching(redis_url, keys, **more):
        yield client, taker


async def step(client: WebClient, method: str, path: str, **body: Any) -> Any:
    sent = {"json": body} if body else {}
    status, document = await answer_of(client, method, path, **sent)
    assert status < 300, document
    return document


async def test_events_are_delivered_and_signed_with_the_secret_that_was_shown(
    delivering: tuple[WebClient, Taker],
) -> None:
    client, taker = delivering
    webhook = await created(client, {}, all=True, url=taker.url)
    first = (await made(client))["position"]
    await taker.has(first)
    headers, body = taker.taken[0]
    assert Webhook(webhook["secret"]).verify(body, headers)["id"] == first
    path = f"/{webhook['id']}"

    rotated = await step(client, "POST", f"{path}/rotate-secret")
    second = (await made(client))["position"]
    await taker.has(first, second)
    headers, body = taker.taken[1]
    for secret in (webhook["secret"], rotated["secret"]):
        Webhook(secret).verify(body, headers)

    async def acknowledged() -> bool:
        return bool((await step(client, "GET", path))["position"] == second)

    await until(acknowledged, what="the position of the second event")
    attempts = (await step(client, "GET", f"{path}/deliveries"))["items"]
    assert [each["messageId"] for each in attempts] == [second, first]


async def test_a_pause_loses_nothing_and_a_redelivery_repeats_what_was_named(
    delivering: tuple[WebClient, Taker],
) -> None:
    client, taker = delivering
    before = (await made(client))["position"]
    webhook = await created(client, {}, all=True, url=taker.url, enabled=False)
    path = f"/{webhook['id']}"
    first = (await made(client))["position"]
    await step(client, "PATCH", path, enabled=True)
    await taker.has(first)
    await step(client, "PATCH", path, enabled=False)
    second = (await made(client))["position"]
    await step(client, "PATCH", path, enabled=True)
    await taker.has(first, second)
    await step(client, "POST", f"{path}/redeliver", **{"from": before, "to": first})
    await taker.has(first, second, before, first)
    test = await step(client, "POST", f"{path}/test")
    await taker.has(first, second, before, first, test["messageId"])
    body = orjson.loads(taker.taken[-1][1])
    assert (body["type"], body["webhookId"]) == ("webhook.test", webhook["id"])


async def test_a_webhook_that_is_gone_is_told_to_its_owner_and_can_begin_again(
    delivering: tuple[WebClient, Taker],
) -> None:
    client, taker = delivering
    taker.status = 410
    webhook = await created(client, {}, types=["stream.created"], all=True, url=f"{taker.url}?k=1")
    path = f"/{webhook['id']}"
    first = (await made(client))["position"]

    async def state() -> str:
        return str((await step(client, "GET", path))["state"])

    await until(lambda: _is(state, "disabled"), what="the end of the webhook")

    async def told() -> list[Any]:
        async with client.get("/v1/events?all=true&types=webhook.disabled") as response:
            return list((await response.json())["items"])

    (event,) = await until(told, what="the event")
    assert (event["webhookId"], event["reason"]) == (webhook["id"], "gone")
    assert event["url"] == taker.url
    taker.status = 204
    await step(client, "PATCH", path, enabled=True)
    await taker.has(first, first)
    assert await state() == "active"


async def _is(read: Any, wanted: str) -> bool:
    return bool(await read() == wanted)

"""Everything that the API and a dispatcher do with webhooks, for tests with their Redis users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.waiting import until

NETWORKS = {"WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
"""For the API and the dispatcher: the receivers of these tests are on this machine."""


class Receivers:
    """One that takes all deliveries, at /, and one that is gone, at /gone. They verify nothing."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        app = web.Application()
        app.router.add_post("/", self._take)
        app.router.add_post("/gone", self._refuse)
        self.server = TestServer(app, host="127.0.0.1")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    async def _take(self, request: web.Request) -> web.Response:
        self.ids.append(request.headers["webhook-id"])
        return web.Response(status=204)

    async def _refuse(self, _: web.Request) -> web.Response:
        return web.Response(status=410)


async def use_webhooks(
    session: aiohttp.ClientSession, api: int, headers: Mapping[str, str], key: str
) -> None:
    """Each call about webhooks, and each kind of delivery. `key` is an Idempotency-Key."""
    receivers = Receivers()

    async def call(method: str, path: str, expected: int, **how: Any) -> Any:
        url = f"http://127.0.0.1:{api}/v1/webhooks{path}"
        async with session.request(method, url, **{"headers": headers, **how}) as response:
            text = await response.text()
            assert response.status == expected, (method, path, text)
            return await response.json() if text else None

    async with receivers.server:
        once = {**headers, "Idempotency-Key": f"{key}-webhook"}
        wanted = {"url": receivers.url("/"), "all": True}
        made = await call("POST", "", 201, json=wanted, headers=once)
        assert (await call("POST", "", 201, json=wanted, headers=once))["id"] == made["id"]
        own = f"/{made['id']}"
        gone = await call("POST", "", 201, json={"url": receivers.url("/gone"), "all": True})
        await until(lambda: receivers.ids, seconds=30, what="a delivery")
        first = receivers.ids[0]
        await call("GET", "", 200)
        await call("PATCH", own, 200, json={"description": "mine", "batch": 5})
        rotated = [await call("POST", f"{own}/rotate-secret", 200, headers=once) for _ in "ab"]
        assert rotated[0]["secret"] == rotated[1]["secret"]
        test = (await call("POST", f"{own}/test", 202))["messageId"]
        again = {"from": first, "to": first}
        asked = [
            await call("POST", f"{own}/redeliver", 202, json=again, headers=once) for _ in "ab"
        ]
        assert asked[0] == asked[1]

        async def delivered() -> bool:
            attempts = (await call("GET", f"{own}/deliveries", 200))["items"]
            return {"event", "test", "redelivery"} <= {each["kind"] for each in attempts}

        async def disabled() -> bool:
            return (await call("GET", f"/{gone['id']}", 200))["state"] == "disabled"

        await until(delivered, seconds=30, what="a delivery of each kind")
        assert test in receivers.ids
        await until(disabled, seconds=30, what="a webhook whose receiver is gone")
        await call("DELETE", f"/{gone['id']}", 204)
        await call("PATCH", own, 200, json={"enabled": False})
        waiting = await call("POST", f"{own}/redeliver", 202, json={"from": first})
        assert (await call("GET", f"{own}/redeliveries", 200))["items"] == [waiting]
        await call("DELETE", f"{own}/redeliveries/{waiting['id']}", 204)

"""A token without a filter, in Node and in Chromium, with AUTH_MODE=required.

The token is never in a URL of Headrace: each connection has a new ticket.
"""

from __future__ import annotations

import signal
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.clients.packages.js.node_process import node
from tests.clients.packages.js.page_server import PageServer
from tests.deploy.gateways import local_gateway
from tests.fanout.replicas import ALICE, CAROL, CONTRACT, Chain, Replica, replica_process
from tests.fanout.tokens import REQUIRED, SECRET, token
from tests.support.data import begun_long_ago
from tests.support.processes import running
from tests.support.redis_server import PATIENT
from tests.support.tier import one_in_test
from tests.support.waiting import free_port, until

pytestmark = [pytest.mark.io, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


class Closed:
    """An API and a fanout behind a gateway, which need a login, and a chain."""

    def __init__(self, redis_url: str, stack: AsyncExitStack, origin: str) -> None:
        self._redis_url = redis_url
        self._keys = Keys(f"test-{uuid.uuid4().hex[:12]}")
        self._redis = connect(redis_url, timeout=PATIENT)
        stack.push_async_callback(self._redis.aclose)
        self._stack = stack
        self._port = free_port()
        self._origin = origin
        self.chain = Chain(self._redis, self._keys)

    async def start_fanout(self) -> Replica:
        """Start the fanout, always at the same port."""
        await begun_long_ago(self._redis, self._keys)
        more: dict[str, Any] = {"port": self._port, "cors_origins": self._origin, "retry_ms": 300}
        replica = replica_process(self._redis_url, self._keys, **REQUIRED, **more)
        return await self._stack.enter_async_context(replica)

    async def start_api(self) -> int:
        """Start the API. Returns its port."""
        settings: dict[str, Any] = {
            "REDIS_URL": self._redis_url,
            "NAMESPACE": self._keys.namespace,
            "CONTRACTS": CONTRACT,
            "AUTH_MODE": "required",
            "JWT_SECRET": SECRET,
            "CORS_ORIGINS": self._origin,
        }
        api = await self._stack.enter_async_context(running("services.api", **settings))
        await api.ready()
        return api.port

    async def start(self, folder: Path) -> tuple[Replica, str]:
        """Start all. Returns the fanout, and the URL of the gateway."""
        fanout = await self.start_fanout()
        api = f"127.0.0.1:{await self.start_api()}"
        front = local_gateway("caddy", folder, [f"127.0.0.1:{self._port}"], api)
        return fanout, f"http://127.0.0.1:{(await self._stack.enter_async_context(front)).port}"


@pytest.mark.parametrize("kind", one_in_test(["node", "chromium"]))
async def test_a_token_gets_its_own_events_although_the_fanout_is_killed(
    redis_url: str, project: Path, pages: PageServer, browser: Browser, *, kind: str, tmp_path: Path
) -> None:
    name = f"{kind}-login"
    reports = pages.by_client[name]
    asked: list[str] = []
    async with AsyncExitStack() as stack:
        closed = Closed(redis_url, stack, pages.url)
        fanout, url = await closed.start(tmp_path)
        secret = token(ALICE)
        if kind == "node":
            await stack.enter_async_context(node(project, pages, url, name, secret))
        else:
            page = await browser.new_page()
            stack.push_async_callback(page.close)
            page.on("request", lambda request: asked.append(request.url))
            query = urlencode({"client": name, "url": url, "token": secret})
            await page.goto(f"{pages.url}/client.html?{query}")
        await until(lambda: reports.states[-1:] == ["live"], what=lambda: str(vars(reports)))
        committed = await closed.chain.commit()
        await closed.chain.commit(closed.chain.event(8, sender=CAROL, recipient=CAROL))
        await until(lambda: committed[0] in reports.events, what="the first event")
        assert fanout.process
        fanout.process.signal(signal.SIGKILL)
        await fanout.process.ended()
        committed += await closed.chain.commit()
        await until(lambda: reports.states[-1:] == ["reconnecting"], what="a lost connection")
        await closed.start_fanout()
        committed += await closed.chain.commit()
        await until(lambda: committed[-1] in reports.events, seconds=60, what="all events")
    of_chain = [
        each for each in reports.events if each.endswith("-0")
    ]  # not the notices of the API
    assert of_chain == committed
    assert len(set(reports.events)) == len(reports.events)
    assert (reports.reloads, reports.errors) == ([], [])
    subscriptions = [each for each in asked if "/events/subscribe" in each]
    assert not any(secret in each for each in subscriptions)
    assert all("ticket=" in each for each in subscriptions)


async def test_an_invalid_token_is_refused(
    redis_url: str, project: Path, pages: PageServer
) -> None:
    reports = pages.by_client["refused"]
    async with AsyncExitStack() as stack:
        url = f"http://127.0.0.1:{await Closed(redis_url, stack, pages.url).start_api()}"
        await stack.enter_async_context(node(project, pages, url, "refused", "no.valid.token"))
        await until(lambda: reports.states[-1:] == ["refused"], what=lambda: str(reports.states))

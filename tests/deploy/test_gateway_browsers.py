"""Chromium with the gateways: calls beside open subscriptions, and errors that a page reads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared.journal.keys import Keys
from tests.clients.event_sources import event_sources
from tests.clients.libraries import require_library
from tests.deploy.fanouts import PORT, Fanouts
from tests.deploy.gateways import certificate, gateway, local_gateway
from tests.fanout.replicas import SUBSCRIBE
from tests.support.name_server import name_server
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(autouse=True)
def chromium_is_there() -> None:
    require_library("chromium")


async def test_calls_do_not_wait_behind_the_most_subscriptions_of_one_address(
    tmp_path: Path, redis_url: str, keys: Keys
) -> None:
    """Chromium uses one HTTP/2 connection for all of them."""
    certificate(tmp_path)
    async with (
        name_server({}) as names,
        Fanouts(redis_url, keys, names) as fanouts,
        event_sources() as opener,
    ):
        await fanouts.start()
        most = {"CONNECTIONS_PER_IP": 140, "HANDSHAKES_PER_IP": "1000r/s"}
        async with gateway(tmp_path, names, API=f"fanout:{PORT}", **most) as front:
            page = await opener.page()
            url = f"https://localhost:{front.tls_port}"
            held = await opener.subscribe(page, [f"{url}{SUBSCRIBE}?all=true"] * 140)
            await until(
                lambda: all(native.named("message") for native in held),
                seconds=30,
                what="140 subscriptions",
            )
            async with asyncio.timeout(30):
                ask = "async (url) => (await fetch(url)).status"
                assert await page.evaluate(ask, f"{url}/livez") == 200
            assert not any(native.given_up for native in held)


@pytest.mark.io
async def test_a_page_can_read_retry_after(tmp_path: Path) -> None:
    """In Chromium, after a preflight, because the request has a custom header."""
    async with (
        event_sources() as opener,
        local_gateway("caddy", tmp_path, ["127.0.0.1:1"], "127.0.0.1:1") as caddy,
        name_server({}) as names,
        gateway(tmp_path, names) as nginx,
    ):
        page = await opener.page()
        ask = """async (url) => {
            const answer = await fetch(url, { headers: { "If-Match": "1" } })
            return answer.headers.get("Retry-After")
        }"""
        for front in (caddy, nginx):
            seconds = await page.evaluate(ask, f"http://localhost:{front.port}/v1/streams")
            assert 4 <= int(seconds) <= 7

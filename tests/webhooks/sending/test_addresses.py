"""Where a delivery may go: names are checked when they are resolved, with and without a proxy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from services.webhooks.metrics import Outcome
from services.webhooks.sending import connecting
from tests.support.proxy import proxying
from tests.support.web import serving
from tests.webhooks.receivers.hostile import HOSTILE, hostile
from tests.webhooks.sending.names import Names
from tests.webhooks.sending.samples import endpoint, message, sending

pytestmark = pytest.mark.io

ONLY = "127.0.0.1/32"
"""The only address that these tests allow."""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names("127.0.0.1")
    monkeypatch.setattr("services.webhooks.sending.resolving.socket.getaddrinfo", names.getaddrinfo)
    return names


async def take(_: web.Request) -> web.Response:
    return web.Response()


async def test_a_name_that_changes_to_a_private_address_is_not_followed(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding. The receiver closes the connection, so that the name is looked up again."""
    monkeypatch.setattr(connecting, "DNS_SECONDS", 0)
    to = endpoint("https://shop.example:9/hook?key=hidden")
    async with sending(webhook_allowed_networks=ONLY) as sender:
        before = await sender.send(to, message())
        names.addresses = ("127.0.0.1", "10.0.0.1")
        after = await sender.send(to, message())
    assert before.outcome is Outcome.UNREACHABLE  # nothing listens there
    assert after.outcome is Outcome.FORBIDDEN
    assert after.attempt.error == (
        "shop.example has an address that is not public (operator: WEBHOOK_ALLOWED_NETWORKS)"
    )


async def test_the_connection_uses_the_addresses_that_were_checked(names: Names) -> None:
    async with sending(webhook_allowed_networks=ONLY) as sender:
        for number in range(3):
            await sender.send(endpoint("https://shop.example:9/"), message(number))
    assert names.asked == ["shop.example"]


async def test_a_redirect_is_not_followed(names: Names) -> None:
    async with hostile(HOSTILE["redirect"]) as port, sending() as sender:
        result = await sender.send(endpoint(f"http://127.0.0.1:{port}/"), message())
    assert (result.outcome, result.attempt.status) == (Outcome.REFUSED, 307)
    assert names.asked == []


async def test_a_name_that_does_not_exist(names: Names) -> None:
    names.addresses = ()
    async with sending() as sender:
        result = await sender.send(endpoint("https://shop.example/"), message())
    assert result.outcome is Outcome.UNREACHABLE
    assert result.attempt.error == "the name shop.example was not found in DNS"


@pytest.mark.parametrize(
    ("address", "asked", "outcome"),
    [
        ("8.8.8.8", ["CONNECT shop.example:443"], Outcome.UNREACHABLE),
        ("10.0.0.1", [], Outcome.FORBIDDEN),
    ],
)
async def test_a_proxy_is_used_and_the_name_is_checked_before(
    names: Names,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    asked: list[str],
    outcome: Outcome,
) -> None:
    """The proxy's own address may be private."""
    for name in ("https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    names.addresses = (address,)
    async with proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with sending(webhook_allowed_networks="") as sender:
            result = await sender.send(endpoint("https://shop.example/"), message())
    assert (proxy.asked, result.outcome) == (asked, outcome)


@pytest.mark.parametrize(
    ("unknown", "error"),
    [
        ("proxy.example", "the proxy of the dispatcher cannot be reached"),
        ("shop.example", "the name shop.example was not found in DNS"),
    ],
)
async def test_the_owner_learns_which_name_was_not_found(
    names: Names, monkeypatch: pytest.MonkeyPatch, unknown: str, error: str
) -> None:
    names.unknown = unknown
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with sending() as sender:
        result = await sender.send(endpoint("https://SHOP.example/"), message())
    assert (result.outcome, result.attempt.error) == (Outcome.UNREACHABLE, error)


async def test_a_proxy_that_is_not_used_evades_no_check(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy whose URL is https is ignored, and the name changes after the check."""

    class Rebound(Names):
        def getaddrinfo(self, host: str, port: int, *_: Any) -> list[Any]:
            found = super().getaddrinfo(host, port)
            self.addresses = ("127.0.0.2",)  # another receiver: the test allows ONLY
            return found

    connected = []

    async def connect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        writer.close()

    rebound = Rebound("127.0.0.1")
    async with await asyncio.start_server(connect, "127.0.0.2", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", "https://127.0.0.1:9")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setattr("socket.getaddrinfo", rebound.getaddrinfo)
        async with sending(webhook_allowed_networks=ONLY) as sender:
            result = await sender.send(endpoint(f"https://shop.example:{port}/"), message())
    assert result.outcome is Outcome.UNREACHABLE
    assert connected == []


async def test_without_a_name_in_the_environment_of_the_proxy_it_is_not_used(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(web.post("/", take)) as port, proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with sending() as sender:
            result = await sender.send(endpoint(f"http://127.0.0.1:{port}/"), message())
    assert (proxy.asked, result.outcome) == ([], Outcome.TAKEN)

"""Clients that are slow, silent or too many: what they may hold at the deployment's gateway."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.api.settings import ApiSettings
from shared.runtime.tasks import cancel
from tests.clients.raw_client import RawClient, get
from tests.deploy.gateways import Gateway, gateway
from tests.deploy.standin import LARGE, StandIn
from tests.support.name_server import name_server
from tests.support.pace import last
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]

CLOSE = b"Connection: close"
BODY = b"Content-Length: 60000"
"""Less than MAX_BODY_BYTES, and more than nginx keeps in memory by default."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(
    api: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Gateway, Path]]:
    folder = tmp_path_factory.mktemp("slow")
    settings = {"API": f"api:{api.port}", "CLIENT_SECONDS": 3, "REQUESTS_PER_IP": "10000r/s"}
    async with (
        name_server({"api": ["127.0.0.1"]}) as names,
        gateway(folder, names, **settings) as front,
    ):
        yield front, folder


async def ended(*clients: RawClient) -> None:
    async with asyncio.timeout(30):
        for client in clients:
            await client.wait_closed()


async def test_half_a_request_ends_in_time(front: tuple[Gateway, Path], api: StandIn) -> None:
    """CLIENT_SECONDS is 10 by default. nginx itself would wait for 60."""
    port = front[0].port
    nothing = await RawClient.connect(port, b"")
    head = await RawClient.connect(port, b"GET /half-head HTTP/1.1\r\nHost: t\r\nX-Mor")
    second = await RawClient.connect(port, get("/first"))
    await until(lambda: second.status == 200)
    second.send(b"GET /half-second HTTP/1.1\r\nHos")
    body = await RawClient.connect(port, get("/half-body", BODY, method="POST") + bytes(30_000))
    await ended(nothing, head, second, body)
    assert "/first" in api.paths
    assert not [path for path in api.paths if "half" in path], "the API waited for nobody"


async def test_a_body_that_trickles_ends_by_the_deadline_of_the_api(
    front: tuple[Gateway, Path],
) -> None:
    """It is never silent for CLIENT_SECONDS. nginx has no limit for the time of a whole body."""

    async def drip(client: RawClient) -> None:
        while not client.closed:
            client.send(b"x")
            await last(0.2)

    async def answered() -> bool:
        """Whether the API answers. On a busy machine, nginx may end a silent client first."""
        client = await RawClient.connect(front[0].port, get("/trickle", BODY, method="POST"))
        dripping = asyncio.create_task(drip(client))
        await until(lambda: client.status or client.closed, what="408")
        await cancel(dripping)
        client.close()
        return client.status == 408

    await until(answered, what="408")


async def test_bodies_and_answers_are_never_written_to_files(
    front: tuple[Gateway, Path], api: StandIn
) -> None:
    gate, folder = front
    sent = await RawClient.connect(gate.port, get("/sent", BODY, method="POST") + bytes(60_000))
    await until(lambda: sent.status == 200)

    loop = asyncio.get_running_loop()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        await loop.sock_connect(slow, ("127.0.0.1", gate.port))
        await loop.sock_sendall(slow, get("/large", CLOSE))
        before = [-1] * 10

        def no_more_is_written() -> bool:
            before.append(api.written)
            return 0 < api.written == before[-10]

        await until(no_more_is_written)
        assert api.written < LARGE, "the rest waits in the API, which has a write deadline"
        received = 0
        while data := await loop.sock_recv(slow, 1 << 20):
            received += len(data)
    assert received > LARGE, "the whole answer and its head"
    assert "temporary file" not in (folder / "nginx.log").read_text()


async def test_a_body_above_the_limit_of_the_api_is_refused(front: tuple[Gateway, Path]) -> None:
    most = ApiSettings.model_fields["max_body_bytes"].default
    length = f"Content-Length: {most + 1}".encode()
    client = await RawClient.connect(front[0].port, get("/long", length, CLOSE, method="POST"))
    await client.wait_closed()
    assert client.status == 413
    assert f"its body {most}".encode() in client.received


async def test_silent_connections_are_counted_from_the_start(tmp_path: Path) -> None:
    async with name_server({}) as names, gateway(tmp_path, names, SOCKETS_PER_IP=4) as front:
        clients = [await RawClient.connect(front.port, b"") for _ in range(7)]
        await until(lambda: sum(client.closed for client in clients) == 3)
        assert not any(client.received for client in clients)
        held = [client for client in clients if not client.closed]
        for client in held:
            client.send(get("/gateway/livez"))
            await until(lambda c=client: c.status == 200)
        held[0].close()

        async def there_is_room() -> bool:
            client = await RawClient.connect(front.port, get("/gateway/livez", CLOSE))
            await client.wait_closed()
            return client.status == 200

        await until(there_is_room)
        assert "limiting" not in (tmp_path / "nginx.log").read_text(), "no line for each refusal"


async def test_connections_of_a_trusted_proxy_are_not_counted(tmp_path: Path) -> None:
    settings = {"SOCKETS_PER_IP": 1, "TRUSTED_PROXIES": "127.0.0.0/8"}
    async with name_server({}) as names, gateway(tmp_path, names, **settings) as front:
        silent = [await RawClient.connect(front.port, b"") for _ in range(5)]
        last = await RawClient.connect(front.port, get("/gateway/livez"))
        await until(lambda: last.status == 200)
        assert not any(client.closed for client in silent)


async def test_ipv4_clients_of_an_ipv6_socket_are_counted_apart(tmp_path: Path) -> None:
    settings = {"SOCKETS_PER_IP": 1, "HOST": "::"}
    async with name_server({}) as names, gateway(tmp_path, names, **settings) as front:
        loop = asyncio.get_running_loop()
        for own in ("127.0.0.2", "127.0.0.3"):
            for refused in (False, True):
                _, client = await loop.create_connection(
                    RawClient, "127.0.0.1", front.port, local_addr=(own, 0)
                )
                client.send(get("/gateway/livez"))
                await until(lambda c=client: c.status or c.closed)
                assert client.closed == refused, own


async def test_an_address_has_only_so_many_requests_at_once(
    front: tuple[Gateway, Path], api: StandIn
) -> None:
    hanging = [await RawClient.connect(front[0].port, get("/hang")) for _ in range(130)]
    await until(lambda: [client.status for client in hanging].count(429) >= 2)
    await until(lambda: api.paths.count("/hang") == 128)
    for client in hanging:
        client.close()


@pytest.mark.parametrize("path", ["/v1/events/subscribe%0A", "/events/subscribe%0a"])
async def test_a_path_with_a_line_feed_is_no_subscription(
    front: tuple[Gateway, Path], api: StandIn, path: str
) -> None:
    """In an nginx regular expression, `$` also matches before a line feed at the end."""
    client = await RawClient.connect(front[0].port, get(path, CLOSE))
    await client.wait_closed()
    assert client.status == 200
    assert api.paths[-1] == path


async def test_no_pattern_of_nginx_ends_before_a_line_feed() -> None:
    """See the test above."""
    folder = Path(__file__).parents[2] / "deploy/nginx"
    for file in folder.iterdir():
        for line in file.read_text().splitlines() if file.name != "start.sh" else ():
            words = [word for word in line.split() if word.lstrip('"').startswith(("~", "^"))]
            assert not [word for word in words if word.rstrip('";').endswith(("$", "$)"))], line


@pytest.mark.parametrize("path", ["/gateway/livez", "/metrics", "/ok", "/safe", "/v1/a b"])
async def test_each_answer_has_nosniff_once(front: tuple[Gateway, Path], path: str) -> None:
    client = await RawClient.connect(front[0].port, get(path, CLOSE))
    await client.wait_closed()
    assert client.status in (200, 400, 404)
    assert bytes(client.received).count(b"X-Content-Type-Options: nosniff\r\n") == 1

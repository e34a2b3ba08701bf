"""A lease that ends between the decision to deliver and the request: nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from services.webhooks.metrics import Outcome
from services.webhooks.sending.delivery_body import NotBegunError
from tests.support.waiting import until
from tests.webhooks.sending.samples import endpoint, message, sending

pytestmark = pytest.mark.io

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Server:
    """Reads requests. Without `answers`, it closes the connection after a request."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections = self.closed = 0
        self.answers = True
        self.on_request: Callable[[], None] = lambda: None
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(await reader.readexactly(length))
                self.on_request()
                if not self.answers:
                    return
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed += 1
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Server]:
    """A server on loopback."""
    server = Server()
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


async def test_a_lease_that_ended_while_the_connection_was_made() -> None:
    async with receiving() as server, sending() as sender:
        to = endpoint(f"http://127.0.0.1:{server.port}/")
        valid = iter([True, False])
        late = message()._replace(may_begin=lambda: next(valid))
        with pytest.raises(NotBegunError):
            await sender.send(to, late)
        await until(lambda: server.closed == 1, what="the end of the connection")
        assert server.requests == []
        assert (await sender.send(to, message(2, b"{}"))).outcome is Outcome.TAKEN
    assert server.requests == [b"{}"]


async def test_a_lease_that_ended_before_a_closed_connection_was_replaced() -> None:
    """The receiver died when it had done the work. Another dispatcher repeats the delivery."""
    async with receiving() as server, sending() as sender:
        to = endpoint(f"http://127.0.0.1:{server.port}/")
        assert (await sender.send(to, message(1, b"[1]"))).outcome is Outcome.TAKEN
        valid = True

        def end() -> None:
            nonlocal valid
            valid = False

        server.answers, server.on_request = False, end
        with pytest.raises(NotBegunError):
            await sender.send(to, message(2, b"[2]")._replace(may_begin=lambda: valid))
        await until(lambda: server.closed == server.connections, what="the end of connections")
    assert server.requests == [b"[1]", b"[2]"]


async def test_a_delivery_that_did_not_begin_is_no_failure_of_the_receiver() -> None:
    """The place in the lane is free again, and the next delivery uses the same connection."""
    async with receiving() as server, sending(webhook_connections=1) as sender:
        to = endpoint(f"http://127.0.0.1:{server.port}/")
        assert (await sender.send(to, message())).outcome is Outcome.TAKEN
        with pytest.raises(NotBegunError):
            await sender.send(to, message()._replace(may_begin=lambda: False))
        assert (await sender.send(to, message())).outcome is Outcome.TAKEN
    assert server.connections == 1

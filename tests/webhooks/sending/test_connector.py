"""Connections: closed ones are replaced at once, and only a few are kept."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from services.webhooks.metrics import Lane, Outcome
from services.webhooks.sending.connector import BoundedConnector
from tests.support.waiting import until
from tests.support.web import serving
from tests.webhooks.sending.samples import endpoint, message, sending

pytestmark = pytest.mark.io


class Closing:
    """Takes the first request of each connection. At the second one it closes the connection."""

    def __init__(self) -> None:
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_a_kept_connection_that_was_closed_is_replaced_at_once() -> None:
    """A server may close an idle connection while a request is on its way."""
    serve = Closing()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with sending() as sender:
        to = endpoint(f"http://127.0.0.1:{port}/")
        outcomes = [(await sender.send(to, message(number))).outcome for number in range(3)]
    server.close()
    assert outcomes == [Outcome.TAKEN] * 3
    assert serve.connections == 3


async def test_a_new_connection_that_is_closed_is_a_failure() -> None:
    connections = 0

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with sending() as sender:
        result = await sender.send(endpoint(f"http://127.0.0.1:{port}/"), message())
    server.close()
    assert result.outcome is Outcome.UNREACHABLE
    assert result.attempt.error == "127.0.0.1 closed the connection without an answer"
    assert connections == 1


async def test_only_so_many_connections_are_kept() -> None:
    """Each endpoint has a server of its own, so no connection can be used twice."""

    async def take(_: web.Request) -> web.Response:
        return web.Response()

    async with AsyncExitStack() as servers, sending(webhook_connections=2) as sender:
        sessions = sender._lanes[Lane.HEALTHY].sessions
        connector = sessions.direct.connector
        assert isinstance(connector, BoundedConnector)
        for number in range(4):
            port = await servers.enter_async_context(serving(web.post("/", take)))
            result = await sender.send(endpoint(f"http://127.0.0.1:{port}/"), message(number))
            assert result.outcome is Outcome.TAKEN
        await until(lambda: connector.open == 2, what="two open connections")

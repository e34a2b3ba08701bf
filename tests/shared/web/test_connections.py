"""Requests that do not arrive, and answers that are not read, end in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from shared.web.connection import Connection, Deadlines
from tests.shared.web.serving import CHUNKED, GET, LARGE, LONG, POST, Client, Server, serving
from tests.support.pace import last
from tests.support.waiting import until

pytestmark = pytest.mark.io


@pytest.mark.parametrize("half", [b"G", GET[:-2], POST[:20]])
@pytest.mark.parametrize("together", [False, True], ids=["later", "together"])
async def test_a_second_head_must_arrive_in_time(half: bytes, together: bool) -> None:
    async with serving(replace(LONG, head=0.1), watching=False) as server:
        idle = await server.connect(GET)
        await idle.answered(b"0 bytes")
        client = await server.connect(GET + half if together else GET)
        await client.answered(b"0 bytes")
        server.watch()
        if not together:
            client.send(half)
        assert await client.rest() == b""
        idle.send(GET)
        await idle.answered(b"0 bytes")  # an idle connection stays open


@pytest.mark.parametrize("head", [POST, CHUNKED], ids=["length", "chunks"])
@pytest.mark.parametrize("together", [False, True], ids=["later", "together"])
async def test_a_half_head_right_after_a_body_ends_too(head: bytes, together: bool) -> None:
    """The body contains what looks like the end of a head."""
    body = b"\r\n\r\n12345" if head == POST else b"4\r\n\r\n\r\n\r\n0\r\n\r\n"
    async with serving(replace(LONG, head=0.1), watching=False) as server:
        clients = [await server.connect(b"") for _ in range(2)]
        for client, half in zip(clients, (b"", GET[:14]), strict=True):
            client.send(head + body + half if together else head)
            if not together:
                await until(lambda: any(not c._body.is_eof() for c in _open(server)))
                client.send(body + half)
            await client.answered(b" bytes")
        server.watch()
        idle, attacker = clients
        assert await attacker.rest() == b""
        idle.send(GET)
        await idle.answered(b"0 bytes")


def _open(server: Server) -> list[Connection]:
    return server.connections._connections()


async def test_a_second_request_right_after_a_body_may_take_long() -> None:
    """Whole heads are not late, although the bytes do not end with the body of the first."""
    async with serving(replace(LONG, head=0.05), watching=False) as server:
        client = await server.connect(POST[:-2])
        client.send(b"\r\n123456789" + GET.replace(b"/ ", b"/slow "))
        await client.answered(b"9 bytes")
        server.watch()
        await client.answered(b"0 bytes")


async def test_a_head_that_trickles_ends_too() -> None:
    async with serving(replace(LONG, head=0.1), watching=False) as server:
        client = await server.connect(GET)
        await client.answered(b"0 bytes")
        server.watch()
        client.send(b"GET / HTTP/1.1\r\nX: ")
        await asyncio.wait_for(client.keeps_sending(b"x"), 30)


async def test_line_breaks_between_requests_are_no_head() -> None:
    async with serving(replace(LONG, head=0.1), watching=False) as server:
        other = await server.connect(b"G")
        client = await server.connect(POST + b"123456789")
        await client.answered(b"9 bytes")
        client.send(b"\r\n")
        server.watch()
        assert await other.rest() == b""
        client.send(POST + b"12345")
        client.send(b"6789")
        await client.answered(b"9 bytes")


@pytest.mark.parametrize("request_", [POST + b"1", CHUNKED + b"5\r\n123"], ids=["length", "chunks"])
async def test_a_body_must_arrive_in_time(request_: bytes) -> None:
    async with serving(replace(LONG, body=0.1)) as server:
        client = await server.connect(request_)
        text = await client.rest()
        assert text.startswith(b"HTTP/1.1 408 ")
        assert b"\r\nConnection: close\r\n" in text
        assert b"did not arrive within 0.1 s" in text


async def test_a_body_that_trickles_ends_too() -> None:
    async with serving(replace(LONG, body=0.1)) as server:
        client = await server.connect(CHUNKED)
        sending = asyncio.create_task(client.keeps_sending(b"1\r\nx\r\n"))
        await client.answered(b"408 ")
        await client.rest()
        sending.cancel()


@pytest.mark.parametrize("deadline", ["progress", "answer"])
async def test_an_answer_must_be_read_in_time(deadline: str) -> None:
    """With `answer`, the client reads all the time, but too slowly."""
    async with serving(replace(LONG, **{deadline: 0.2}), watching=False) as server:
        client = await server.connect(GET.replace(b"/ ", b"/large "))
        await client.answered(b"\r\n\r\n")
        server.watch()
        got = 0
        while deadline == "answer" and await _piece(client):
            got += 1
        await until(lambda: server.unsent == [])
        assert got * 1024 + len(await client.rest()) < LARGE


async def _piece(client: Client) -> bytes:
    """1 KB of the answer; b"" after a reset."""
    await last(0.002)
    try:
        return await client.reader.read(1024)
    except ConnectionResetError:
        return b""


async def test_a_client_that_reads_gets_a_large_answer() -> None:
    async with serving(Deadlines(head=5, body=5, progress=5, answer=5)) as server:
        client = await server.connect(GET.replace(b"/ ", b"/large "))
        await client.answered(b"\r\n\r\n")
        assert len(await asyncio.wait_for(client.reader.readexactly(LARGE), 30)) == LARGE


async def test_the_unsent_answers_of_all_clients_are_bounded() -> None:
    """Two unread answers fit. A client that has read a part keeps its connection."""
    read = 2 << 20
    async with serving(unsent_bytes=2 * LARGE) as server:
        clients = []
        with capture_logs() as lines:
            for number in range(4):
                clients.append(await server.connect(GET.replace(b"/ ", b"/large ")))
                await clients[-1].answered(b"\r\n\r\n")
                await clients[-1].reader.readexactly(0 if number else read)
                await until(_served(server, number + 1))
        assert sum(server.unsent) <= 2 * LARGE
        assert await _gets(clients[0], LARGE - read)
        assert sorted([await _gets(each, LARGE) for each in clients[1:]]) == [False, False, True]
        assert {line["event"] for line in lines} == {"slow_readers_ended"}


async def _gets(client: Client, count: int) -> bool:
    """True if so many more bytes arrive, False if the connection ends before."""
    try:
        await asyncio.wait_for(client.reader.readexactly(count), 30)
    except (ConnectionResetError, asyncio.IncompleteReadError):
        return False
    return True


def _served(server: Server, count: int) -> Callable[[], bool]:
    return lambda: len(server.unsent) == min(count, 2) and all(server.unsent)

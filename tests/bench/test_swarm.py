"""The clients of the benchmarks: they count every event once, whatever the reads split."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing

import pytest

from tests.bench.swarm import Swarm, check
from tests.support.programs import c_compiler

pytestmark = pytest.mark.io
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
GZIP_HEAD = HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n" + b"\x1f\x8b\x08" + b"\0" * 7
CONNECTED = b'data: {"type":"connected"}\nid: 0-0\n\n'
SYNC = b'event: sync\ndata: {"type":"sync"}\n\n'


@pytest.fixture(autouse=True)
def _compiler() -> None:
    c_compiler()


def event(n: int) -> bytes:
    return b'event: stream.created\ndata: {"publishedAt":1700000000000000}\nid: 7-%d\n\n' % n


@asynccontextmanager
async def serving(*pieces: bytes, ends: bool = False) -> AsyncIterator[int]:
    """A server that answers each request with these pieces, each in a write of its own."""
    answers = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await reader_is_idle(reader)
        if not ends:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*filter(None, answers))  # the clients have closed their connections


async def reader_is_idle(reader: asyncio.StreamReader) -> None:
    """Let the client read what was written before more is written."""
    try:
        await asyncio.wait_for(reader.read(1), 0.02)
    except TimeoutError:
        return


async def result(
    port: int, *, expected: int, clients: int = 3, seconds: float = 60
) -> dict[str, list[float]]:
    with closing(Swarm(port, ["/"] * clients, expected=expected)) as swarm:
        await swarm.connected()
        return await swarm.finished(seconds)


def split(data: bytes, size: int) -> Sequence[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


async def test_events_are_counted_and_other_frames_are_not() -> None:
    async with serving(HEAD, CONNECTED, event(1) + SYNC + event(2), event(3)) as port:
        got = await result(port, expected=3)
    check(got, 3)
    assert len(got["latencies"]) == 9


async def test_frames_that_arrive_in_parts_are_whole() -> None:
    async with serving(HEAD, CONNECTED, *split(event(1) + event(2), 25)) as port:
        check(await result(port, expected=2), 2)


async def test_compressed_frames_are_counted() -> None:
    deflate = zlib.compressobj(wbits=-15)
    blocks = [
        deflate.compress(frame) + deflate.flush(zlib.Z_FULL_FLUSH)
        for frame in (CONNECTED, event(1), event(2) + event(3))
    ]
    async with serving(GZIP_HEAD, blocks[0], *split(blocks[1] + blocks[2], 30)) as port:
        check(await result(port, expected=3), 3)


@pytest.mark.parametrize(
    ("frames", "expected", "message"),
    [
        ([event(1)], 2, "3 of 3 connections did not get 2 events"),
        ([event(1), event(1)], 1, "3 of 3 connections did not get 1 events"),
        ([event(2), event(1)], 2, "3 out of order"),
        ([event(1), event(1)], 2, "3 out of order"),
    ],
)
async def test_a_missing_a_double_and_a_misplaced_event_are_noticed(
    frames: list[bytes], expected: int, message: str
) -> None:
    async with serving(HEAD + CONNECTED, b"".join(frames)) as port:
        missing = len(frames) < expected
        got = await result(port, expected=expected, seconds=2 if missing else 60)
    with pytest.raises(RuntimeError, match=message):
        check(got, expected)


async def test_a_connection_that_ends_is_noticed() -> None:
    async with serving(HEAD + CONNECTED, event(1), ends=True) as port:
        got = await result(port, expected=2, clients=1)
    with pytest.raises(RuntimeError, match="1 ended"):
        check(got, 1)

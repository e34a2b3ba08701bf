"""Receivers that harm whoever sends to them. Each is a function that serves one connection.

`python -m tests.webhooks.receivers.hostile` serves each on a free port of loopback, and a good one
as `good`. It prints a JSON object of their names and ports.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache

from tests.support.pace import last

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

YEAR = 31_536_000
METADATA = "http://169.254.169.254/latest/meta-data/"


@cache
def _bomb() -> bytes:
    return gzip.compress(b"x" * (64 << 20))


async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head with one byte a second (slow loris)."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 3_600:
        writer.write(bytes([byte]))
        await last(1)


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """No answer at all."""
    await last(3_600)


async def endless_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The answer is 200, and its body never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await _forever(writer, b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


async def trickling_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The answer is 200, and its body comes a byte a second."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3600\r\n\r\n")
    while True:
        writer.write(b"x")
        await last(1)


async def huge_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head that never ends, in lines of usual length."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await _forever(writer, b"X-Padding: " + b"x" * 500 + b"\r\n")


async def interim_answers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Interim answers without end (RFC 9110, 15.2.1)."""
    await _forever(writer, b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)


async def answers_nobody_asked_for(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One answer, and then more answers without end on the connection that is kept."""
    await _forever(writer, b"HTTP/1.1 204 No Content\r\n\r\n" * 1_000)


async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To the address where clouds have their secrets."""
    writer.write(f"HTTP/1.1 307 T\r\nLocation: {METADATA}\r\nContent-Length: 0\r\n\r\n".encode())


async def broken(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """500 for ever."""
    writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nsorry")


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The connection is reset (RST) when the request has come."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def back_in_a_year(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """503 with a Retry-After of a year."""
    _try_again(writer, str(YEAR).encode())


async def date_of_no_calendar(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """503 with a Retry-After whose year is too large for any calendar."""
    _try_again(writer, b"Mon, 01 Jan 99999999999 00:00:00 GMT")


async def zone_of_no_clock(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """503 with a Retry-After whose time zone is too far away for any clock."""
    _try_again(writer, b"Mon, 01 Jan 2029 00:00:00 +99999999999999999")


async def bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A small body that unpacks to 64 MB."""
    body = _bomb()
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def no_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Another protocol."""
    writer.write(b"220 mail.example ESMTP\r\n")


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes each delivery at once, on a connection that is kept."""
    while True:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")


HOSTILE: Mapping[str, Serve] = {
    each.__name__: each
    for each in (
        *(trickle, silent, endless_body, trickling_body, huge_head, interim_answers),
        *(answers_nobody_asked_for, redirect, broken, reset, back_in_a_year),
        *(date_of_no_calendar, zone_of_no_clock, bomb, no_http),
    )
}


def _try_again(writer: asyncio.StreamWriter, after: bytes) -> None:
    writer.write(b"HTTP/1.1 503 S\r\nRetry-After: " + after + b"\r\nContent-Length: 0\r\n\r\n")


async def _forever(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()


@asynccontextmanager
async def hostile(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port of loopback, by TLS if there is a context. Yields the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, EOFError):
                await reader.readuntil(b"\r\n\r\n")
                await serve(reader, writer)
                await writer.drain()
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()

    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(answer(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    if serve is bomb:
        _bomb()  # it takes a while, and the time of a delivery must not contain it
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def hostile_process() -> AsyncIterator[Mapping[str, int]]:
    """All hostile receivers in another process, and the good one. Yields their ports by name."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.webhooks.receivers.hostile", stdin=pipe, stdout=pipe
    )
    assert process.stdout
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def main() -> None:
    """Serve all until stdin ends."""
    async with AsyncExitStack() as stack:
        ports = {
            name: await stack.enter_async_context(hostile(serve))
            for name, serve in {**HOSTILE, "good": good}.items()
        }
        print(json.dumps(ports), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())

"""A cheap receiver of webhooks: `python -m tests.bench.webhook_receiver PORT`.

It takes every POST with 204. `GET /<name>` answers with the numbers of the endpoint whose URL ends
with this name, as JSON: the events that it got, those that were not in order, and the delay of each
delivery from the commit of its last event, in seconds. The numbers then begin anew.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import aiohttp
import uvloop

from tests.bench import processes
from tests.support.waiting import free_port, until

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_PUBLISHED = b'"publishedAt":'
_PATIENT = 180.0
"""Seconds until a receiver must have everything."""


@dataclass
class Received:
    """What one endpoint got since it was asked for. `last`: the id of the last delivery."""

    events: int = 0
    disorder: int = 0
    last: tuple[int, int] = (0, 0)
    delays: list[float] = field(default_factory=list)

    def add(self, message_id: bytes, body: bytes) -> None:
        """Count one delivery."""
        toid, _, n = message_id.partition(b"-")
        position = int(toid), int(n)
        self.disorder += position <= self.last
        self.last = position
        self.events += body.count(_PUBLISHED)
        start = body.rindex(_PUBLISHED) + len(_PUBLISHED)
        self.delays.append(time.time() - int(body[start : start + 16]) / 1e6)


class Connection(asyncio.Protocol):
    """One connection of a dispatcher, or of somebody who asks for numbers."""

    received: dict[bytes, Received] = {}  # noqa: RUF012 - of all connections

    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class has another base

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end]
            size = int(_header(head, b"content-length") or 0)
            if len(self._unread) < end + 4 + size:
                return
            body, self._unread = self._unread[end + 4 :][:size], self._unread[end + 4 + size :]
            method, path, _ = head.split(b" ", 2)
            if method == b"GET":
                self._tell(path)
                continue
            own = self.received.setdefault(path, Received())
            own.add(_header(head, b"webhook-id"), body)
            self._transport.write(_ANSWER)

    def _tell(self, path: bytes) -> None:
        body = json.dumps(asdict(self.received.pop(path, Received()))).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def _header(head: bytes, name: bytes) -> bytes:
    """The value of a header; b"" if there is none."""
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    return head[start + len(name) + 3 :].split(b"\r\n", 1)[0].strip()


class Receiver:
    """The receiver process. `url` is that of an endpoint with a name."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._session = session

    def url(self, name: str) -> str:
        """The URL of an endpoint."""
        return f"{self._base}/{name}"

    async def numbers(self, name: str) -> dict[str, Any]:
        """What an endpoint got since the last call."""
        async with self._session.get(self.url(name)) as response:
            found: dict[str, Any] = await response.json(content_type=None)
        if found["disorder"]:
            raise RuntimeError(f"{name} got {found['disorder']} deliveries out of order")
        return found

    async def got(self, name: str, events: int, *, more: bool = False) -> list[float]:
        """Wait until an endpoint got so many events. Returns the delays in seconds.

        Raises RuntimeError if it got more, unless `more` is True.
        """
        count, delays = 0, []

        async def complete() -> bool:
            nonlocal count
            found = await self.numbers(name)
            count += found["events"]
            delays.extend(found["delays"])
            return count >= events

        await until(complete, seconds=_PATIENT, what=lambda: f"{events} events, {count} came")
        if count > events and not more:
            raise RuntimeError(f"{name} got {count} events, expected {events}")
        return delays


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver process."""
    port = free_port()
    words = ("-m", "tests.bench.webhook_receiver", str(port))
    with processes.command(sys.executable, *words, port=port):
        async with aiohttp.ClientSession() as session:
            yield Receiver(port, session)


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))

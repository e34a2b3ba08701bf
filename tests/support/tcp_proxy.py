"""A TCP proxy that causes faults: discards or holds data, delays, throttles, cuts, refuses.

`async with TcpProxy(target_port) as proxy:` listens on `proxy.port`, by default any free port.
Each accepted connection is a `Link`. `link.first_bytes` are the first bytes of its client, by which
a test recognizes subscriptions. `link.held` is True while `hold` delays a reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from tests.support.waiting import until

Which = Callable[["Link"], bool]


_ITERATIONS_TO_CLOSE = 3
"""Iterations of the event loop after which each accepted connection has a task."""


def no_link(_: Link) -> bool:
    """No connection."""
    return False


def every_link(_: Link) -> bool:
    """Every connection."""
    return True


def subscribers(link: Link) -> bool:
    """The connections to Redis that are in subscriber mode."""
    return b"SUBSCRIBE" in link.first_bytes


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.first_bytes = b""
        self.held = False
        self._writers = (client, server)

    def cut(self) -> None:
        """Abort both sides."""
        for writer in self._writers:
            writer.transport.abort()


class TcpProxy:
    """Faults between a server and its clients. Each fault is a function that selects connections.

    From server to client: `swallow` discards the bytes (and keeps them in `swallowed`); `hold`
    delays them while it returns True. `refusing` closes new connections at once.

    In both directions: `frozen` passes nothing and closes nothing, as when a cable is unplugged;
    `delay` is in seconds; `rate` is in bytes a second, 0 is unlimited. What a frozen client sent
    before it closed is discarded. A network may deliver it, but then no test could say whether the
    client or the network repeated something.
    """

    def __init__(self, target: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self.target = target
        self.target_host = "127.0.0.1"
        self.port = port
        self.host = host
        self.links: list[Link] = []
        self.swallow: Which = no_link
        self.hold: Which = no_link
        self.frozen: Which = no_link
        self.delay = 0.0
        self.rate = 0
        self.swallowed = bytearray()
        self.refusing = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> TcpProxy:
        self.refusing = False
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server:
            self._server.close()
        self.refusing = True  # also for connections that were accepted but have no link yet
        self.hold = self.frozen = no_link
        for _ in range(_ITERATIONS_TO_CLOSE):
            await asyncio.sleep(0)
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, which: Which = every_link) -> None:
        """Abort these connections now."""
        for link in [link for link in self.links if which(link)]:
            link.cut()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Not a coroutine, so that no connection is without a task that closes it."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self.refusing:
                await self._link(reader, writer)
        finally:
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(
                self.target_host, self.target
            )
        except OSError:
            return
        if self.refusing:
            server_writer.transport.abort()
            return
        link = Link(writer, server_writer)
        self.links.append(link)
        ways = [
            asyncio.create_task(self._up(link, reader, server_writer)),
            asyncio.create_task(self._down(link, server_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            link.cut()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.links.remove(link)  # not before its sockets are closed: tests wait for this

    async def _up(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(1 << 16):
            link.first_bytes = (link.first_bytes + data)[:4096]
            was_frozen = self.frozen(link)
            await self._thawed(link)
            if not (was_frozen and reader.at_eof()):
                await self._pass_on(link, data, writer)

    async def _down(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(1 << 16):
            link.held = self.hold(link)
            await until(lambda: not self.hold(link), seconds=60, what="the end of the hold")
            link.held = False
            if self.swallow(link):
                self.swallowed += data
            else:
                await self._pass_on(link, data, writer)

    async def _thawed(self, link: Link) -> None:
        await until(lambda: not self.frozen(link), seconds=600, what="the end of `frozen`")

    async def _pass_on(self, link: Link, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Write the data at the current rate."""
        if self.delay:
            await asyncio.sleep(self.delay)
        while data:
            await self._thawed(link)
            step = max(1, self.rate // 20) if self.rate else len(data)
            writer.write(data[:step])
            await writer.drain()
            data = data[step:]
            if data:
                await asyncio.sleep(0.05)

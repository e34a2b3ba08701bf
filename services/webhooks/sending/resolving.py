"""Looks host names up in threads of its own.

A name server that does not answer blocks a thread for many seconds. asyncio's own threads are few,
and other code needs them. Each lane has a resolver of its own, so names that were not answered
before block the lookups of the slow lane only.

A new webhook is in the healthy lane, and anybody can create and delete webhooks all the time. So a
lookup has its place for a second at most. After that the thread still waits, but does not count.

See docs/decisions/0129-a-receiver-holds-up-no-other.md.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUPS = 48
"""Lookups at the same time, without those that have taken longer than PLACE_SECONDS."""
PLACE_SECONDS = 1.0
MOST_LATE_LOOKUPS = 200
"""Lookups that have taken longer.

glibc gives up after 10 to 30 s. An address has 10 requests a second (RATE_LIMIT_IP), and needs two
of them for each new webhook. So one address keeps at most 150 lookups waiting, of all dispatchers.
"""


class PooledResolver(AbstractResolver):
    """Resolves names as the system does (getaddrinfo)."""

    def __init__(self) -> None:
        # A thread exists only after it was needed.
        self._threads = ThreadPoolExecutor(LOOKUPS + MOST_LATE_LOOKUPS, thread_name_prefix="dns")
        self._places = asyncio.Semaphore(LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError."""
        loop = asyncio.get_running_loop()
        async with self._places:
            lookup = loop.run_in_executor(self._threads, _lookup, host, port, family)
            try:
                await asyncio.wait((lookup,), timeout=PLACE_SECONDS)
            except asyncio.CancelledError:
                lookup.cancel()  # if no thread has begun it
                raise
        rows = await lookup
        return [_result(host, row[0], row[2], row[4]) for row in rows if row[0] in _FAMILIES]

    async def close(self) -> None:
        """End the threads. One that still waits for a name server ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_Row = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str | int, ...]]


def _lookup(host: str, port: int, family: socket.AddressFamily) -> list[_Row]:
    rows = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
    return [(*row[:4], tuple(map(_text_or_number, row[4]))) for row in rows]


def _text_or_number(part: object) -> str | int:
    return part if isinstance(part, int) else str(part)


def _result(host: str, family: int, proto: int, address: tuple[str | int, ...]) -> ResolveResult:
    return {
        "hostname": host,
        "host": str(address[0]),
        "port": int(address[1]),
        "family": family,
        "proto": proto,
        "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    }

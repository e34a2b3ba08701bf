"""A minimal HTTP client for load tests: it sends prepared requests and times the answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import cast

Request = Callable[[], bytes]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def post(path: str, body: dict[str, object], headers: str = "") -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    return f"{head}{headers}Content-Length: {len(data)}\r\n\r\n".encode() + data


class Client(asyncio.Protocol):
    """One connection with one request at a time. It keeps the seconds that each answer took."""

    def __init__(self, request: Request, until: float) -> None:
        self.latencies: list[float] = []
        self.done = asyncio.get_running_loop().create_future()
        self._request, self._until = request, until
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, rest = head.partition(b"Content-Length: ")
        if len(body) < int(rest.partition(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 20"):
            self.done.set_exception(RuntimeError((head + body).decode()))
            return
        self._buffer = b""
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)

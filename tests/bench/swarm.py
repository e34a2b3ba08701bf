"""Many SSE clients in one process that need little CPU, so that the server is what is measured.

It uses raw sockets and one epoll. Every connection counts its events and checks that their ids
increase. `tests.bench.processes` runs it: it reads paths and `stop` from stdin, and prints one
line of JSON when all connections are open and one at the end.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
import zlib
from dataclasses import dataclass, field

_NO_PORT = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)  # Python has the name since 3.12
_GZIPPED = b"\r\nContent-Encoding: gzip\r\n"
_GZIP_HEADER = 10  # bytes
_BLOCK_END, _LAST = b"\0\0\xff\xff", b"\3\0"  # the end of a full flush; an empty last block
_SAMPLE_EVERY = 64
"""Latencies are kept for one of this many connections."""


@dataclass(slots=True)
class Client:
    """One connection: the unparsed rest of its last read, and its counters."""

    sock: socket.socket
    request: bytes
    rest: bytes = b""
    blocks: bytes | None = None  # unread compressed blocks; None if the response is plain
    last: tuple[int, int] = (0, 0)
    events: int = 0
    connected: bool = False
    disorder: int = 0
    latencies: list[float] | None = None


@dataclass(slots=True)
class Swarm:
    """All connections of this process."""

    address: tuple[str, int]
    paths: list[str]
    headers: str
    source: int
    expected: int
    greeting: bytes
    clients: dict[int, Client] = field(default_factory=dict)
    epoll: select.epoll = field(default_factory=select.epoll)
    texts: dict[bytes, bytes] = field(default_factory=dict)
    bytes_read: int = 0
    waiting: int = 0
    ended: int = 0
    last_event_at: float = 0.0

    def connect(self, at_once: int) -> float:
        """Open all connections, at most `at_once` at the same time. Return the seconds."""
        began = time.monotonic()
        started = 0
        while started < len(self.paths) or self.waiting:
            while started < len(self.paths) and self.waiting < at_once:
                self._open(started)
                started += 1
            self.poll(1.0)
        return time.monotonic() - began

    def _open(self, number: int) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        # Bind without a port: with one, bind would search all used ports.
        sock.setsockopt(socket.IPPROTO_IP, _NO_PORT, 1)
        host = self.source + number // 5000
        sock.bind((f"127.0.{host // 250}.{host % 250 + 2}", 0))
        sock.connect_ex(self.address)
        request = (
            f"GET {self.paths[number]} HTTP/1.1\r\nHost: bench\r\n"
            f"Accept: text/event-stream\r\n{self.headers}\r\n"
        )
        client = Client(sock, request.encode())
        client.latencies = [] if number % _SAMPLE_EVERY == 0 else None
        self.clients[sock.fileno()] = client
        self.epoll.register(sock, select.EPOLLOUT)
        self.waiting += 1

    def poll(self, seconds: float) -> None:
        """Handle all sockets that are ready."""
        for fd, mask in self.epoll.poll(seconds):
            client = self.clients[fd]
            if mask & select.EPOLLOUT:
                client.sock.send(client.request)
                self.epoll.modify(fd, select.EPOLLIN)
            else:
                self._read(fd, client)

    def _read(self, fd: int, client: Client) -> None:
        try:
            data = client.sock.recv(1 << 18)
        except (BlockingIOError, ConnectionError):
            data = b""
        if not data:
            self.ended += 1
            self.waiting -= not client.connected
            self.epoll.unregister(fd)
            client.sock.close()
            return
        self.bytes_read += len(data)
        if client.blocks is None and _GZIPPED in data:
            head, _, client.blocks = data.partition(b"\r\n\r\n")
            self._parse(client, head + b"\r\n\r\n")
            client.blocks, data = client.blocks[_GZIP_HEADER:], b""
        if client.blocks is not None:
            data = self._decompress(client, client.blocks + data)
        self._parse(client, client.rest + data)

    def _decompress(self, client: Client, data: bytes) -> bytes:
        """The text of the whole blocks. The same block comes to all clients, so cache its text."""
        *blocks, client.blocks = data.split(_BLOCK_END)
        texts = []
        for block in blocks:
            if (text := self.texts.get(block)) is None:
                text = self.texts[block] = zlib.decompress(block + _BLOCK_END + _LAST, -15)
            texts.append(text)
        return b"".join(texts)

    def _parse(self, client: Client, data: bytes) -> None:
        if not client.connected and self.greeting in data:
            client.connected = True
            self.waiting -= 1
        start = 0
        while (end := data.find(b"\n\n", start)) >= 0:
            # within 64 bytes, because the size of a chunk may come first
            if data.find(b"event: stream.", start, start + 64) >= 0:
                self._count(client, data, start, end)
            start = end + 2
        client.rest = data[start:]

    def _count(self, client: Client, data: bytes, start: int, end: int) -> None:
        client.events += 1
        at = data.rfind(b"\nid: ", start, end)
        toid, _, n = data[at + 5 : end].partition(b"-")
        # the ids of Nchan have another format
        position = (int(toid), int(n)) if n.isdigit() else (0, client.events)
        client.disorder += position <= client.last
        client.last = position
        if client.latencies is not None:
            at = data.index(b'"publishedAt":', start) + 14
            client.latencies.append(time.time() - int(data[at : at + 16]) / 1e6)
        self.last_event_at = time.monotonic()

    def result(self) -> dict[str, object]:
        """The counters of all connections, as JSON."""
        clients = self.clients.values()
        latencies = sorted(x for c in clients for x in c.latencies or ())
        return {
            "events": sorted(c.events for c in clients),
            "disorder": sum(c.disorder for c in clients),
            "ended": self.ended,
            "bytes": self.bytes_read,
            "latencies": latencies,
        }

    def is_done(self) -> bool:
        """True if every connection has the expected number of events, or if one was closed."""
        if not self.expected:
            return False
        return self.ended > 0 or all(c.events >= self.expected for c in self.clients.values())


def main() -> None:
    """Connect, print a line, read until stopped or done, and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--headers", default="")
    parser.add_argument("--source", type=int, default=0)
    parser.add_argument("--expected", type=int, default=0)
    parser.add_argument("--greeting", default='"type":"connected"')
    parser.add_argument("--at-once", type=int, default=200)
    arguments = parser.parse_args()
    paths = json.loads(sys.stdin.readline())
    swarm = Swarm(
        ("127.0.0.1", arguments.port),
        paths,
        arguments.headers,
        arguments.source,
        arguments.expected,
        arguments.greeting.encode(),
    )
    began = time.monotonic()
    seconds = swarm.connect(arguments.at_once)
    print(json.dumps({"connected": len(paths) - swarm.ended, "seconds": seconds}), flush=True)
    stdin_poll = select.poll()
    stdin_poll.register(sys.stdin, select.POLLIN)
    while not stdin_poll.poll(0) and not swarm.is_done():
        swarm.poll(0.1)
    while time.monotonic() < swarm.last_event_at + 1.0:  # wait for events that are still on the way
        swarm.poll(0.1)
    times = {"until_last": swarm.last_event_at - began, "last_event_at": swarm.last_event_at}
    print(json.dumps({**swarm.result(), **times}), flush=True)


if __name__ == "__main__":
    main()

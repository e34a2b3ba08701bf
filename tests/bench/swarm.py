"""A swarm of SSE clients in one process, cheap enough not to be what is measured.

Raw sockets and one epoll. Every connection checks that the ids of its events rise and counts them;
the caller knows what each should have got. Run by `tests.bench.rig`: reads its paths and `stop` on
stdin, writes one JSON line when all are connected and one at the end.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from dataclasses import dataclass, field

_NO_PORT = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)  # named since Python 3.12
_SAMPLED = 64
"""Of so many connections the first one's latencies are kept."""


@dataclass(slots=True)
class Client:
    """One connection: what is left of its last read, and what it got."""

    sock: socket.socket
    request: bytes
    rest: bytes = b""
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
    wanted: int
    hello: bytes
    clients: dict[int, Client] = field(default_factory=dict)
    epoll: select.epoll = field(default_factory=select.epoll)
    waiting: int = 0
    ended: int = 0
    last_event_at: float = 0.0

    def connect(self, at_once: int) -> float:
        """Open all connections, so many under way at a time; returns the seconds it took."""
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
        # Without a port: bind would look through all that are taken, connect need not.
        sock.setsockopt(socket.IPPROTO_IP, _NO_PORT, 1)
        host = self.source + number // 5000
        sock.bind((f"127.0.{host // 250}.{host % 250 + 2}", 0))
        sock.connect_ex(self.address)
        request = (
            f"GET {self.paths[number]} HTTP/1.1\r\nHost: bench\r\n"
            f"Accept: text/event-stream\r\n{self.headers}\r\n"
        )
        client = Client(sock, request.encode())
        client.latencies = [] if number % _SAMPLED == 0 else None
        self.clients[sock.fileno()] = client
        self.epoll.register(sock, select.EPOLLOUT)
        self.waiting += 1

    def poll(self, seconds: float) -> None:
        """Read and write whatever can be."""
        for fd, what in self.epoll.poll(seconds):
            client = self.clients[fd]
            if what & select.EPOLLOUT:
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
        self._take(client, client.rest + data)

    def _take(self, client: Client, data: bytes) -> None:
        if not client.connected and self.hello in data:
            client.connected = True
            self.waiting -= 1
        start = 0
        while (end := data.find(b"\n\n", start)) >= 0:
            if data.find(b"event: stream.", start, start + 64) >= 0:  # behind a chunk's size
                self._count(client, data, start, end)
            start = end + 2
        client.rest = data[start:]

    def _count(self, client: Client, data: bytes, start: int, end: int) -> None:
        client.events += 1
        at = data.rfind(b"\nid: ", start, end)
        toid, _, n = data[at + 5 : end].partition(b"-")
        place = (int(toid), int(n)) if n.isdigit() else (0, client.events)  # Nchan has others
        client.disorder += place <= client.last
        client.last = place
        if client.latencies is not None:
            at = data.index(b'"publishedAt":', start) + 14
            client.latencies.append(time.time() - int(data[at : at + 16]) / 1e6)
        self.last_event_at = time.monotonic()

    def result(self) -> dict[str, object]:
        """What the connections got, as JSON."""
        clients = self.clients.values()
        latencies = sorted(x for c in clients for x in c.latencies or ())
        return {
            "events": sorted(c.events for c in clients),
            "disorder": sum(c.disorder for c in clients),
            "ended": self.ended,
            "latencies": latencies,
        }

    def satisfied(self) -> bool:
        """Whether each connection has what it waits for, if for a number, or one was ended."""
        if not self.wanted:
            return False
        return self.ended > 0 or all(c.events >= self.wanted for c in self.clients.values())


def main() -> None:
    """Connect, tell, read until told to stop or satisfied, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--headers", default="")
    parser.add_argument("--source", type=int, default=0)
    parser.add_argument("--wanted", type=int, default=0)
    parser.add_argument("--hello", default='"type":"connected"')
    parser.add_argument("--at-once", type=int, default=200)
    given = parser.parse_args()
    paths = json.loads(sys.stdin.readline())
    swarm = Swarm(
        ("127.0.0.1", given.port),
        paths,
        given.headers,
        given.source,
        given.wanted,
        given.hello.encode(),
    )
    began = time.monotonic()
    seconds = swarm.connect(given.at_once)
    print(json.dumps({"connected": len(paths) - swarm.ended, "seconds": seconds}), flush=True)
    orders = select.poll()
    orders.register(sys.stdin, select.POLLIN)
    while not orders.poll(0) and not swarm.satisfied():
        swarm.poll(0.1)
    while time.monotonic() < swarm.last_event_at + 1.0:  # what is still under way
        swarm.poll(0.1)
    times = {"until_last": swarm.last_event_at - began, "last_event_at": swarm.last_event_at}
    print(json.dumps({**swarm.result(), **times}), flush=True)


if __name__ == "__main__":
    main()

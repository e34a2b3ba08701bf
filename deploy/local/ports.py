"""The ports of a local run: a base port and fixed numbers above it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass


class UnusableSetupError(Exception):
    """The run cannot start with these settings. The message says what to change."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of a run. Each is PORT_BASE plus a fixed number."""

    base: int = 3000

    @property
    def gateway(self) -> int:
        """The port for browsers and curl."""
        return self.base + 1

    @property
    def sandbox(self) -> int:
        """The port of the sandbox, in the runner itself."""
        return self.base + 2

    @property
    def api(self) -> int:
        """The port of the API itself."""
        return self.base + 10

    @property
    def fanouts(self) -> tuple[int, int]:
        """The ports of the two fanout replicas."""
        return self.base + 20, self.base + 21

    @property
    def indexer(self) -> int:
        """The port of the indexer's probes."""
        return self.base + 30

    @property
    def archiver(self) -> int:
        """The port of the archiver's probes."""
        return self.base + 31

    @property
    def webhooks(self) -> int:
        """The port of the probes of the dispatcher of webhooks."""
        return self.base + 32

    @property
    def receiver(self) -> int:
        """The port of the sample receiver of webhooks."""
        return self.base + 33

    @property
    def network(self) -> int:
        """The port of the simulated Stellar network."""
        return self.base + 40

    @property
    def redis(self) -> int:
        """The port of Redis."""
        return self.base + 50

    @property
    def all(self) -> tuple[int, ...]:
        """All of these ports."""
        return (
            self.gateway,
            self.sandbox,
            self.api,
            *self.fanouts,
            self.indexer,
            self.archiver,
            self.webhooks,
            self.receiver,
            self.network,
            self.redis,
        )


def read_ports(environment: Mapping[str, str]) -> Ports:
    """The ports from PORT_BASE. Raises UnusableSetupError if a port is in use."""
    text = environment.get("PORT_BASE") or "3000"
    if not text.isdecimal() or not 1024 <= int(text) <= 65_000:
        raise UnusableSetupError(f"PORT_BASE={text!r}: expected a number from 1024 to 65000")
    ports = Ports(int(text))
    taken = [port for port in ports.all if not _is_free(port)]
    if taken:
        raise UnusableSetupError(
            f"occupied port(s): {', '.join(map(str, taken))}. End what listens there, or move "
            f"all of Headrace's ports: PORT_BASE={ports.base + 1000} make run"
        )
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

"""Subscribers of a system in an engine, compared with the ledger of its simulated network."""

from __future__ import annotations

import asyncio
import json

from deploy.simulator.chain import accounts
from shared.domain.position import parse_position
from tests.deploy.engine.system import GATEWAY_PORT, System
from tests.support.installation import Client
from tests.support.waiting import until

_READ = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/sim/events').read().decode())"


class Subscribers:
    """Clients of the gateway that subscribe to everything, and resume when they are cut off."""

    def __init__(self, system: System, count: int) -> None:
        self._system = system
        self._count = count
        self.clients: list[Client] = []

    async def __aenter__(self) -> Subscribers:
        for _ in range(self._count):
            self.add()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(client.close() for client in self.clients))

    def add(self) -> None:
        """One more client."""
        self.clients.append(Client(self._system, "all=true", GATEWAY_PORT))

    async def until_events(self, count: int) -> None:
        """Wait until each client has so many events."""
        await until(
            lambda: all(len(client.events) >= count for client in self.clients),
            seconds=60, what=f"{count} events at each client",
        )  # fmt: skip

    async def until_the_last_event(self) -> None:
        """Wait until each client has the newest event of the ledger."""
        last = self.ledger()[-1]
        await until(
            lambda: all(last in client.ids for client in self.clients),
            seconds=120, what=f"event {last} at each client",
        )  # fmt: skip

    def check(self, *, without_fanouts: bool = False) -> None:
        """Each client received each event of the ledger since its begin once, in order.

        A client may get `overload` only while there was no fanout.
        """
        ledger = self.ledger()
        for client in self.clients:
            assert client.began
            began = parse_position(client.began)
            mine = [e["id"] for e in client.events if e.get("contractId") == accounts.STREAMS]
            expected = [each for each in ledger if parse_position(each) > began]
            assert mine == expected[: len(mine)]
            assert not {"gap", "reset"} & set(client.names)
            assert without_fanouts or "overload" not in client.names

    def ledger(self) -> list[str]:
        """The positions of the stream contract's events in the simulated network."""
        (network,) = self._system.containers("network")
        events = json.loads(self._system.execute(network, "python", "-c", _READ))["events"]
        return [event["id"] for event in events if event["contractId"] == accounts.STREAMS]

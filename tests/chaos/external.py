"""Faults outside the services: of the sources, and of subscribers."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import suppress

from tests.chaos.api_callers import ApiCallers
from tests.chaos.clients import Client
from tests.chaos.ended_tokens import EndedToken
from tests.chaos.world import FANOUTS, World
from tests.support.pace import last
from tests.support.sse_client import SseClient

_SURFACES = (*["stream"] * 4, "root", "ledger", "getEvents", "getEvents", "getTransaction")
_KINDS = ("429", "503", "504", "hang", "drop", "cut", "malformed", "slow")
_OF_STREAM = ("stall", "error", "byebye", "no_meta", *_KINDS)

_NOTICED_SECONDS = 2.0
"""Seconds within which a revocation must end the connections of its token."""


class ExternalFaults:
    """Faults of sources and subscribers. `alone` is False while another fault is active too."""

    def __init__(
        self, world: World, rng: random.Random, clients: Sequence[Client], api_callers: ApiCallers
    ) -> None:
        self.alone = True
        self._world = world
        self._rng = rng
        self._clients = clients
        self._orders = api_callers

    async def misbehave(self) -> str:
        """Several faults of the network in a row."""
        for _ in range(self._rng.randint(2, 5)):
            surface = self._rng.choice(_SURFACES)
            kind = self._rng.choice(_OF_STREAM if surface == "stream" else _KINDS)
            pause = 0.002 if kind == "slow" else 0.5
            fault = {"kind": kind, "surface": surface, "after": self._rng.randrange(3)}
            await self._world.network("POST", "faults", seconds=pause, **fault)
        await last(1.0)
        await self._world.network("DELETE", "faults")
        return "network"

    async def lag(self) -> str:
        """Horizon or RPC is five ledgers behind."""
        server = self._rng.choice(("horizon", "rpc"))
        await self._world.network("POST", "faults", kind="lag", surface=server, after=5)
        await last(self._rng.uniform(0.5, 2))
        await self._world.network("DELETE", "faults")
        return server

    async def revoke(self) -> str:
        """Revoke the current token of a client."""
        holders = [client for client in self._clients if client.asked.holder]
        client = self._rng.choice(holders)
        name = client.token_name
        await self._orders.insist("auth/revoke", {"jti": name})
        since = time.time() + _NOTICED_SECONDS
        await last(_NOTICED_SECONDS + 2)
        if self.alone:  # otherwise Redis may be unavailable, and the revocation not readable
            client.ends.append(EndedToken(name, since, time.time()))
        return client.name

    async def flood(self) -> str:
        """Connect subscribers that read nothing."""
        headers = {"Authorization": f"Bearer {self._clients[0].token}"}
        target = "/v1/events/subscribe?all=true&since=1-0"
        if not (running := [name for name in FANOUTS if name in self._world.running]):
            return ""
        name = self._rng.choice(running)
        port = self._world.running[name].port
        slow = []
        with suppress(OSError):
            for _ in range(40):
                slow.append(
                    await SseClient.connect(
                        port, target, headers=headers, receive_buffer=2048, stalled=True
                    )
                )
        await last(1.5)
        for each in slow:
            each.close()
        return name

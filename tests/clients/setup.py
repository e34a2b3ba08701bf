"""The setup of the scenario: a chain, fanouts, and each library behind its own proxy.

The result of a step has the events that a library gave to its application during the step.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.clients.cutting_proxy import CuttingProxy
from tests.clients.libraries import Driver, ReceivedEvent
from tests.fanout.replicas import SUBSCRIBE, Chain, Replica, replica_process
from tests.support.redis_server import PATIENT
from tests.support.waiting import until

QUERY = "all=true&types=stream.created,stream.fee_collected,contract.initialized"
"""All topics, but not the type of API events: they only move the position here."""

SETTINGS: dict[str, Any] = {"retry_ms": 100, "sync_seconds": 0.4, "drain_seconds": 0.3}


@dataclass
class StepResult:
    """What one client received and requested during one step."""

    committed: list[str]
    received: list[ReceivedEvent] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def journal(self) -> list[ReceivedEvent]:
        """The received journal events, also incomplete ones."""
        return [event for event in self.received if event.is_journal_event]

    @property
    def ids(self) -> list[str | None]:
        """The ids of the received journal events."""
        return [event.id for event in self.journal]

    @property
    def resumed_at(self) -> list[str]:
        """The Last-Event-ID of each request in this step."""
        heads = (head for head in self.requests if head.startswith("GET "))
        found = (re.search(r"^last-event-id: *(.*)\r$", head, re.I | re.M) for head in heads)
        return [match[1] if match else "" for match in found]

    def named(self, name: str) -> list[ReceivedEvent]:
        """The received events with this name."""
        return [event for event in self.received if event.name == name]


class Client:
    """A running library and its proxy."""

    def __init__(self, library: str, proxy: CuttingProxy, driver: Driver) -> None:
        self.library = library
        self.proxy = proxy
        self.driver = driver
        self.results: dict[str, StepResult] = {}
        self._events = self._requests = 0

    def has(self, position: str) -> bool:
        """True if the library has received what ends at this position.

        `connected` does not count: after an invalid id it has the position of the `reset` that
        follows it.
        """
        return any(e.id == position and e.name != "message" for e in self.driver.events)

    async def wait_for_end(
        self, name: str, committed: list[str], done: Callable[[], object]
    ) -> None:
        """Wait until this client has finished the step, and store its result."""
        result = self.results[name] = StepResult(committed)
        try:
            await until(done, seconds=60, what=f"{self.library}'s end of {name!r}")
        except AssertionError as error:
            result.error = f"{error} {self.driver.error_lines[-3:]}"
        result.received = self.driver.events[self._events :]
        result.requests = self.proxy.requests[self._requests :]

    def connected(self) -> bool:
        """True if the library has connected in this step."""
        return any(event.name == "message" for event in self.driver.events[self._events :])

    def start_step(self) -> None:
        """Start a step: remember the number of events and requests so far."""
        self._events = len(self.driver.events)
        self._requests = len(self.proxy.requests)


class Setup:
    """The chain, the replicas and the clients."""

    def __init__(self, redis_url: str, stack: AsyncExitStack) -> None:
        self.redis_url = redis_url
        self.keys = Keys(f"test-{uuid.uuid4().hex[:12]}")
        self.redis = connect(redis_url, timeout=PATIENT)
        self.chain = Chain(self.redis, self.keys)
        self.clients: list[Client] = []
        self._stack = stack

    async def replica(self, **more: object) -> Replica:
        """Start a fanout in a separate process."""
        settings = SETTINGS | more
        return await self._stack.enter_async_context(
            replica_process(self.redis_url, self.keys, **settings)
        )

    async def start_library(self, library: str, target: int) -> None:
        """Start a library that connects to the fanout at this port."""
        proxy = await CuttingProxy(target).open()
        self._stack.callback(proxy.close)
        driver = await Driver.start(library, f"http://127.0.0.1:{proxy.port}{SUBSCRIBE}?{QUERY}")
        self._stack.push_async_callback(driver.stop)
        self.clients.append(Client(library, proxy, driver))

    async def commit(self) -> list[str]:
        """Commit four events of several types in two calls."""
        chain = self.chain
        several = await chain.commit(chain.event(1), chain.fee(2), chain.broadcast())
        return several + await chain.commit(chain.event(3))

    async def run_step(
        self,
        name: str,
        action: Callable[[], Awaitable[list[str]]],
        done: Callable[[Client, list[str]], object] | None = None,
    ) -> None:
        """Run `action`, then wait until all clients are done: by default, have the last event."""
        for client in self.clients:
            client.start_step()
        committed = await action()
        finished = done or (lambda client, positions: client.has(positions[-1]))
        await asyncio.gather(
            *(
                c.wait_for_end(name, committed, partial(finished, c, committed))
                for c in self.clients
            )
        )

    def cut(self) -> None:
        for client in self.clients:
            client.proxy.cut()

    def refuse(self) -> None:
        for client in self.clients:
            client.proxy.refuse()

    async def open(self, target: int) -> None:
        """Forward new connections to this port."""
        for client in self.clients:
            client.proxy.target = target
            await client.proxy.open()


@asynccontextmanager
async def scenario_setup(redis_url: str) -> AsyncIterator[Setup]:
    """A setup without clients. At the end, everything that was started in it is stopped."""
    async with AsyncExitStack() as stack:
        setup = Setup(redis_url, stack)
        stack.push_async_callback(setup.redis.aclose)
        yield setup

"""The stage of the libraries' story: the chain, the fanouts, and each library behind a front.

A client's part in an act is what its library gave to the application from the act's beginning to
its end.
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
from tests.clients.front import Front
from tests.clients.libraries import Driver, Received
from tests.fanout.rig import SUBSCRIBE, Chain, Replica, outside
from tests.support.waiting import until

QUERY = "all=true&types=stream.created,stream.fee_collected,contract.initialized"
"""Everything but metadata: an API event moves the position and concerns nobody here."""

SETTINGS: dict[str, Any] = {"retry_ms": 100, "sync_seconds": 0.4, "drain_seconds": 0.3}


@dataclass
class Part:
    """What one client lived through in one act."""

    committed: list[str]
    received: list[Received] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    trouble: str = ""

    @property
    def journal(self) -> list[Received]:
        """The events of the journal, or what bore the name of one."""
        return [event for event in self.received if event.of_journal]

    @property
    def ids(self) -> list[str | None]:
        """Their ids."""
        return [event.id for event in self.journal]

    @property
    def resumed_at(self) -> list[str]:
        """The Last-Event-ID of each request for events."""
        heads = (head for head in self.requests if head.startswith("GET "))
        found = (re.search(r"^last-event-id: *(.*)\r$", head, re.I | re.M) for head in heads)
        return [match[1] if match else "" for match in found]

    def named(self, name: str) -> list[Received]:
        """The events of this name."""
        return [event for event in self.received if event.name == name]


class Client:
    """A library at work behind a front of its own."""

    def __init__(self, library: str, front: Front, driver: Driver) -> None:
        self.library = library
        self.front = front
        self.driver = driver
        self.parts: dict[str, Part] = {}

    def has(self, position: str) -> bool:
        """Whether the event at this position has come."""
        return any(event.id == position for event in self.driver.events)

    async def play(self, name: str, committed: list[str], done: Callable[[], object]) -> None:
        """Wait for the end of this client's part in the act that was begun by `begin`."""
        part = self.parts[name]
        part.committed = committed
        try:
            await until(done, seconds=60, what=f"{self.library}'s end of {name!r}")
        except AssertionError as error:
            part.trouble = f"{error} {self.driver.noise[-3:]}"
        part.received = self.driver.events[self._events :]
        part.requests = self.front.requests[self._requests :]

    def reconnected(self) -> bool:
        """Whether it is connected anew since the act began."""
        return any(event.name == "message" for event in self.driver.events[self._events :])

    def begin(self, name: str) -> None:
        """Remember where the act begins."""
        self.parts[name] = Part([])
        self._events = len(self.driver.events)
        self._requests = len(self.front.requests)


class Stage:
    """The chain, the replicas and the clients."""

    def __init__(self, redis_url: str, stack: AsyncExitStack) -> None:
        self.redis_url = redis_url
        self.keys = Keys(f"test-{uuid.uuid4().hex[:12]}")
        self.redis = connect(redis_url)
        self.chain = Chain(self.redis, self.keys)
        self.clients: list[Client] = []
        self._stack = stack

    async def replica(self, **more: object) -> Replica:
        """Start a fanout as a process."""
        settings = SETTINGS | more
        return await self._stack.enter_async_context(outside(self.redis_url, self.keys, **settings))

    async def admit(self, library: str, target: int) -> None:
        """Start a library on the fanout at this port."""
        front = await Front(target).open()
        self._stack.callback(front.shut)
        driver = await Driver.start(library, f"http://127.0.0.1:{front.port}{SUBSCRIBE}?{QUERY}")
        self._stack.push_async_callback(driver.stop)
        self.clients.append(Client(library, front, driver))

    async def commit(self) -> list[str]:
        """A few events of several types, in one transaction and more."""
        chain = self.chain
        several = await chain.commit(chain.event(1), chain.fee(2), chain.broadcast())
        return several + await chain.commit(chain.event(3))

    async def act(
        self,
        name: str,
        deed: Callable[[], Awaitable[list[str]]],
        done: Callable[[Client, list[str]], object] | None = None,
    ) -> None:
        """Do it to all, and wait until each has what was committed."""
        for client in self.clients:
            client.begin(name)
        committed = await deed()
        finished = done or (lambda client, positions: client.has(positions[-1]))
        await asyncio.gather(
            *(c.play(name, committed, partial(finished, c, committed)) for c in self.clients)
        )

    def cut(self) -> None:
        for client in self.clients:
            client.front.cut()

    def shut(self) -> None:
        for client in self.clients:
            client.front.shut()

    async def open(self, target: int) -> None:
        """Let the fronts lead to this port."""
        for client in self.clients:
            client.front.target = target
            await client.front.open()


@asynccontextmanager
async def stage(redis_url: str) -> AsyncIterator[Stage]:
    """An empty stage; all that was started on it ends with it."""
    async with AsyncExitStack() as stack:
        stage = Stage(redis_url, stack)
        stack.push_async_callback(stage.redis.aclose)
        yield stage

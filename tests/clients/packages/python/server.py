"""An API and two fanouts as processes. The API redirects each subscription to one of them."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from headrace_client import Client

from shared.journal.keys import Keys
from tests.fanout.replicas import ALICE, BOB, CONTRACT, Replica, replica_process
from tests.support.processes import running
from tests.support.waiting import free_port

FANOUT: dict[str, Any] = {"retry_ms": 100, "sync_seconds": 0.5, "drain_seconds": 0.3}


class Server:
    """The URL of the API, and the fanouts, which can be killed and started again."""

    def __init__(self, redis_url: str, keys: Keys, settings: dict[str, Any]) -> None:
        self.port = 0
        self.fanout_ports = [free_port(), free_port()]
        self._redis_url = redis_url
        self._keys = keys
        self._settings = settings
        self._fanouts: dict[int, tuple[Replica, AsyncExitStack]] = {}

    @property
    def url(self) -> str:
        """The URL that clients use."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, number: int) -> None:
        """Start a fanout, and wait until it is ready."""
        stack, settings = AsyncExitStack(), FANOUT | self._settings
        port = self.fanout_ports[number]
        fanout = replica_process(self._redis_url, self._keys, port=port, **settings)
        self._fanouts[number] = await stack.enter_async_context(fanout), stack

    async def end(self, number: int, by: int = signal.SIGKILL) -> None:
        """End a fanout with a signal, and wait until it has ended."""
        fanout, stack = self._fanouts.pop(number)
        fanout.process.signal(by)
        await fanout.process.ended()
        await stack.aclose()

    async def close(self) -> None:
        """Kill the fanouts that still run."""
        for number in list(self._fanouts):
            await self.end(number)


@asynccontextmanager
async def server(redis_url: str, keys: Keys, **settings: Any) -> AsyncIterator[Server]:
    """Start all three. `settings` are for all of them."""
    site = Server(redis_url, keys, settings)
    environment = {
        "REDIS_URL": redis_url,
        "NAMESPACE": keys.namespace,
        "CONTRACTS": CONTRACT,
        "LOG_LEVEL": "info",
        "FANOUT_URLS": ",".join(f"http://127.0.0.1:{port}" for port in site.fanout_ports),
        **{name.upper(): value for name, value in settings.items()},
    }
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(running("services.api", **environment))
        stack.push_async_callback(site.close)
        await site.start(0)
        await site.start(1)
        await api.ready()
        site.port = api.port
        yield site


async def make_stream(client: Client, sender: str = ALICE, recipient: str = BOB) -> str:
    """Make a stream of the API, which flows for a day. Returns its id."""
    stream = await client.create_stream(
        sender=sender,
        recipient=recipient,
        token_address=CONTRACT,
        rate_per_second=11,
        deposited_amount=995_000,
    )
    return stream.id

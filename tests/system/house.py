"""An installation whose Redis stores nothing, so that it can lose everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import aiohttp

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings as NetworkSettings
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from tests.support.processes import ServiceProcess, running
from tests.support.redis_node import Node
from tests.support.sse_client import SseClient
from tests.support.waiting import until

KEYS = Keys("loss")


@dataclass
class House:
    """All parts of one installation, started one by one."""

    node: Node
    session: aiohttp.ClientSession
    stack: AsyncExitStack
    network: ServiceProcess
    parts: dict[str, ServiceProcess] = field(default_factory=dict)

    async def start(self, name: str, **more: object) -> None:
        """Start a part and wait until it is ready."""
        url = f"http://127.0.0.1:{self.network.port}"
        process = await self.stack.enter_async_context(
            running(
                f"services.{name.partition('-')[0]}",
                REDIS_URL=f"redis://127.0.0.1:{self.node.port}/0",
                NAMESPACE=KEYS.namespace,
                CONTRACTS=accounts.STREAMS,
                NETWORK_PASSPHRASE=NetworkSettings().network_passphrase,
                HORIZON_URL=url,
                RPC_URL=f"{url}/rpc",
                START="latest",
                SOURCE_WAIT_SECONDS="0.2",
                LEASE_SECONDS="2",
                **more,
            )
        )
        self.parts[name] = process
        await until(lambda: self.ready(name), seconds=60, what=f"{name} ready")

    async def stop(self, name: str) -> None:
        process = self.parts.pop(name)
        process.signal(SIGTERM)
        assert await process.ended() == 0

    async def kill(self, *names: str) -> None:
        for name in names:
            process = self.parts.pop(name)
            process.signal(SIGKILL)
            await process.ended()

    async def ready(self, name: str) -> bool:
        return (await self.get(self.parts[name].port, "/readyz"))[0] == 200

    async def get(self, port: int, path: str) -> tuple[int, str]:
        async with self.session.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.text()

    async def create(self) -> dict[str, Any]:
        """Create a stream through the API."""
        status, answer = await self._create()
        assert status == 201, answer
        return answer

    async def try_to_create(self) -> dict[str, Any] | None:
        """The same. None while the API accepts no changes."""
        status, answer = await self._create()
        assert status in (201, 503), answer
        return answer if status == 201 else None

    async def _create(self) -> tuple[int, dict[str, Any]]:
        order = {
            "sender": accounts.address("alice"),
            "recipient": accounts.address("bob"),
            "tokenAddress": accounts.TOKEN,
            "ratePerSecond": "5",
            "depositedAmount": "100000",
        }
        url = f"http://127.0.0.1:{self.parts['api'].port}/v1/streams"
        async with self.session.post(url, json=order) as answer:
            return answer.status, dict(await answer.json(content_type=None))

    async def chain(self, after: str, up_to: str) -> list[str]:
        """Positions of the chain's events between two positions, without the first."""
        url = f"http://127.0.0.1:{self.network.port}/sim/events"
        async with self.session.get(url) as answer:
            ids = [each["id"] for each in (await answer.json())["events"]]
        low, high = parse_position(after), parse_position(up_to)
        return [each for each in ids if low < parse_position(each) <= high]

    async def subscribe(self, name: str, since: str = "") -> SseClient:
        headers = {"Last-Event-ID": since} if since else {}
        target = "/v1/events/subscribe?all=true"
        client = await SseClient.connect(self.parts[name].port, target, headers=headers)
        await client.wait(1)
        return client

    async def has_noticed(self, name: str) -> bool:
        """Whether the part has noticed the loss and reports it in /readyz.

        A fanout that learns of it from the indexer has nothing to report.
        """
        port = self.parts[name].port
        _, text = await self.get(port, "/readyz")
        _, measured = await self.get(port, "/metrics")
        counted = 'headrace_losses_total{what="everything"} 0.0' not in measured
        return counted and (name.startswith("fanout") or "Redis was emptied" in text)


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """Start the network, Redis and the services, and stop them at the end."""
    node = Node(folder / "redis", {"save": '""', "appendonly": "no"})
    await node.start()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        network = await stack.enter_async_context(running("deploy.simulator", CLOSE_SECONDS="0.25"))
        house = House(node, session, stack, network)
        for name in ("indexer", "api", "fanout-1", "fanout-2"):
            await house.start(name)
        yield house
    await node.stop()


async def flush(house: House) -> None:
    client = house.node.client()
    await client.flushall()
    await client.aclose()


async def empty_volume(house: House) -> None:
    await house.node.stop()
    await house.node.start()


def of_chain(client: SseClient) -> list[str]:
    events = (e for e in client.events if e.name.startswith(("stream.", "contract.")))
    return [e.json["id"] for e in events if e.json["origin"] == "chain"]

"""Redis loses everything, with START=latest: the chain is read again, and clients are informed.

Real processes, and a Redis without any storage: after a kill and a start it is empty.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import aiohttp
import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings as NetworkSettings
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from tests.support.processes import ServiceProcess, running
from tests.support.redis_node import Node
from tests.support.sse_client import SseClient
from tests.support.tier import one_in_test
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]
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
        """Whether the part has noticed the loss and reports it in /readyz."""
        port = self.parts[name].port
        _, text = await self.get(port, "/readyz")
        _, measured = await self.get(port, "/metrics")
        counted = 'headrace_losses_total{what="everything"} 0.0' not in measured
        return counted and "Redis was emptied" in text


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    node = Node(tmp_path / "redis", {"save": '""', "appendonly": "no"})
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


async def with_the_indexer(house: House) -> None:
    """The new indexer knows nothing, and starts before Redis does."""
    await house.kill("indexer")
    await empty_volume(house)
    await house.start("indexer")


def of_chain(client: SseClient) -> list[str]:
    events = (e for e in client.events if e.name.startswith(("stream.", "contract.")))
    return [e.json["id"] for e in events if e.json["origin"] == "chain"]


@pytest.mark.parametrize("lose", one_in_test([with_the_indexer, empty_volume, flush]))
async def test_after_a_total_loss_chain_events_come_once_and_all_clients_are_informed(
    house: House, lose: Callable[[House], Awaitable[None]]
) -> None:
    clients = [await house.subscribe(f"fanout-{n}") for n in (1, 2)]
    gone = await house.subscribe("fanout-1")
    for client in (*clients, gone):
        await until(lambda c=client: len(of_chain(c)) >= 3)
    lost = await house.create()
    for client in (*clients, gone):
        await client.wait_id(lost["position"])
    gone.close()
    await lose(house)
    for client in clients:
        await client.wait(1, "reset", seconds=60)
    (reset,) = clients[0].named("reset")
    lived_on = [name for name in house.parts if lose is not with_the_indexer or name != "indexer"]
    for name in lived_on:
        await until(lambda name=name: house.has_noticed(name), what=f"{name} to notice")
    made = await house.create()
    for client in clients:
        await client.wait_id(made["position"])
        start = client.events[0].json["position"]
        last = parse_position(made["position"])  # later events may have come meanwhile
        seen = [each for each in of_chain(client) if parse_position(each) <= last]
        assert seen == await house.chain(start, made["position"])
        assert [e.own_id for e in client.named("reset")] == [reset.own_id]
        assert not client.named("gap")
    status, _ = await house.get(house.parts["api"].port, f"/v1/streams/{lost['id']}")
    assert status == 404
    for name in ("fanout-1", "fanout-2"):
        late = await house.subscribe(name, since=gone.last_id)
        await late.wait_id(made["position"])
        assert [e.name for e in late.events if e.name != "sync"][1] in ("gap", "reset")
        assert late.named("reset")
        late.close()
    for client in clients:
        client.close()


async def test_without_any_report_a_resuming_client_gets_a_gap(house: House) -> None:
    client = await house.subscribe("fanout-1")
    await until(lambda: len(of_chain(client)) >= 2)
    client.close()
    await house.kill(*house.parts)
    await empty_volume(house)
    for name in ("indexer", "api", "fanout-1"):
        await house.start(name)
    late = await house.subscribe("fanout-1", since=client.last_id)
    (gap,) = await late.wait(1, "gap")
    assert gap.json["from"] == client.last_id
    await until(lambda: len(of_chain(late)) >= 2)
    seen = of_chain(late)
    assert seen == await house.chain(gap.json["to"], seen[-1])
    late.close()


async def restored(house: House, folder: Path) -> str:
    """Run the command `restore`, and return what it printed."""
    given = {
        "REDIS_URL": f"redis://127.0.0.1:{house.node.port}/0",
        "NAMESPACE": KEYS.namespace,
        "CONTRACTS": accounts.STREAMS,
        "NETWORK_PASSPHRASE": NetworkSettings().network_passphrase,
        "ARCHIVE_URL": folder.as_uri(),
    }
    command = (sys.executable, "-m", "services.archiver", "restore")
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | given, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


@pytest.mark.nightly  # tests/archiver and tests/fanout/feed have the parts
async def test_a_restore_brings_everything_back_while_fanouts_and_api_run(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    await house.start("archiver", ARCHIVE_URL=folder.as_uri(), ARCHIVE_SECONDS="0.2")
    client, gone = await house.subscribe("fanout-1"), await house.subscribe("fanout-1")
    made = await house.create()
    for each in (client, gone):
        await each.wait_id(made["position"])
        await until(lambda c=each: len(of_chain(c)) >= 3)
    gone.close()
    await house.stop("archiver")
    await house.stop("indexer")
    await flush(house)
    for name in house.parts:
        await until(lambda name=name: house.has_noticed(name), what=f"{name} to notice")
    assert "Start the indexer" in await restored(house, folder)
    await house.start("indexer")
    status, _ = await house.get(house.parts["api"].port, f"/v1/streams/{made['id']}")
    assert status == 200
    await until(lambda: house.ready("api"))
    new = await until(house.try_to_create)
    await client.wait_id(new["position"])
    start = client.events[0].json["position"]
    last = parse_position(new["position"])
    seen = [each for each in of_chain(client) if parse_position(each) <= last]
    assert seen == await house.chain(start, new["position"])
    late = await house.subscribe("fanout-2", since=gone.last_id)
    await late.wait_id(new["position"])
    for each in (client, late):
        assert not each.named("reset")
        assert not each.named("gap")
        each.close()

"""All of deploy/compose.yaml, running: clients get through nginx exactly the ledger's events."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.simulator.chain import accounts
from shared.domain.position import parse_position
from tests.deploy.composed import Composed, read_compose
from tests.deploy.dockerfile import files_in
from tests.support.installation import Client, create_stream
from tests.support.name_server import name_server
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(180)]


@asynccontextmanager
async def composed(folder: Path, *only: str) -> AsyncIterator[Composed]:
    """All or some of the file's services, running and healthy."""
    services = read_compose("simulated.env", CLOSE_SECONDS="0.2")["services"]
    chosen = only or set(services) - {"prometheus", "alertmanager", "grafana", "redis-replica"}
    async with name_server({}) as names:
        whole = Composed(folder, {name: services[name] for name in chosen}, names)
        try:
            await whole.up()
            yield whole
        finally:
            await whole.down()


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Composed]:
    async with composed(tmp_path) as whole:
        yield whole


async def held(whole: Composed) -> list[str]:
    """Ids of the stream contract's events in the ledger."""
    events = json.loads(await whole.text("network", "/sim/events"))["events"]
    return [event["id"] for event in events if event["contractId"] == accounts.STREAMS]


def of_the_chain(client: Client) -> list[str]:
    return [e["id"] for e in client.events if e.get("contractId") == accounts.STREAMS]


async def metric(whole: Composed, service: str, replica: int, name: str) -> float:
    lines = (await whole.text(service, "/metrics", replica)).splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


async def connections(whole: Composed) -> list[float]:
    count = len(whole.running["fanout"])
    return [await metric(whole, "fanout", n, "headrace_fanout_connections") for n in range(count)]


async def test_events_pass_through_the_gateway_while_fanouts_and_indexers_come_and_go(
    whole: Composed,
) -> None:
    laid_out = {name: files_in(r[0].workdir) for name, r in whole.running.items()}
    clients = [Client(whole, "all=true", 8080) for _ in range(12)]
    await until(lambda: all(len(c.events) > 5 for c in clients), seconds=30, what="first events")

    await whole.scale("fanout", 4)
    clients += [Client(whole, "all=true", 8080) for _ in range(12)]

    async def all_four_serve() -> bool:
        if min(await connections(whole)) > 0:
            return True
        clients.append(Client(whole, "all=true", 8080))
        return False

    await until(all_four_serve, seconds=60, what="connections at all four fanouts")

    async def settled() -> list[float]:
        active = [await metric(whole, "indexer", n, "headrace_indexer_active") for n in (0, 1)]
        return active if sorted(active) == [0, 1] else []

    active = await until(settled, what="an active indexer")
    whole.running["indexer"][active.index(1)].process.kill()
    await until(lambda: takes_over(whole, active.index(0)), seconds=60, what="the standby")

    gone = whole.running["fanout"][0]
    gone.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(gone.process.wait, 30) == 0
    made = await create_stream(whole.session, whole.url(8080))

    last = (await held(whole))[-1]
    for client in clients:
        await until(lambda c=client: last in c.ids, seconds=30, what="the ledger's last event")
        await until(lambda c=client: [e for e in c.events if e["streamId"] == made["id"]])
        await client.close()
    ledger = await held(whole)
    for client in clients:
        began = parse_position(client.began)
        mine = of_the_chain(client)
        expected = [i for i in ledger if parse_position(i) > began]
        assert mine == expected[: len(mine)]
        assert len(set(client.ids)) == len(client.ids)
    assert sum(client.connections > 1 for client in clients) > 0, "some had to move"

    for name, before in laid_out.items():
        assert files_in(whole.running[name][0].workdir) == before, f"{name} wrote to its image"


async def takes_over(whole: Composed, standby: int) -> bool:
    return await metric(whole, "indexer", standby, "headrace_indexer_active") == 1

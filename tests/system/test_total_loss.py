"""Redis loses everything, with START=latest: the chain is read again, and clients are informed.

Real processes, and a Redis without any storage: after a kill and a start it is empty.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from shared.domain.position import parse_position
from tests.support.tier import one_in_test
from tests.support.waiting import until
from tests.system.house import House, empty_volume, flush, of_chain, open_house

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


async def with_the_indexer(house: House) -> None:
    """The new indexer knows nothing, and starts before Redis does."""
    await house.kill("indexer")
    await empty_volume(house)
    await house.start("indexer")


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
    # The API can have noticed the loss before it has examined the new Redis.
    made = await until(house.try_to_create, what="a change that the API accepts")
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


@pytest.mark.nightly  # the test above has the same loss with a report
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

"""Ledgers that no source has: the gap is published in order, to connected and resuming clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from services.indexer.ingest.gap import gap_event
from services.indexer.ingest.gap_confirmation import GapConfirmation
from services.indexer.sources.base import SourceGapError
from services.indexer.sources.ledger_range import cursor_before
from shared.domain.events import EventType
from shared.domain.position import Position, parse_position, toid
from shared.journal.keys import Keys
from shared.journal.wire import HISTORY_URL
from tests.indexer.installed import Site
from tests.indexer.simulated import PASSPHRASE, journal, of_the_chain, simulated
from tests.support.processes import ServiceProcess, running
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated() as sim:
        yield Site(sim, redis, redis_url, keys)


def fanout(site: Site, keys: Keys) -> AbstractAsyncContextManager[ServiceProcess]:
    return running(
        "services.fanout",
        REDIS_URL=site.redis_url,
        CONTRACTS=accounts.STREAMS,
        NETWORK_PASSPHRASE=PASSPHRASE,
        NAMESPACE=keys.namespace,
        PROBE_SECONDS=0.2,
    )


def test_the_gap_event_is_between_the_last_read_and_the_next_ledger() -> None:
    gap = SourceGapError("Horizon", toid(1000, 3), 1010)
    event = gap_event(gap, 1_770_000_000)
    assert event.type is EventType.CHAIN_GAP
    assert event.stream_id is None
    assert event.position == Position(toid(1010) - 1, 0)
    assert event.position < Position(toid(1010, 1), 0)
    assert parse_position(str(event.facts["from"])) > Position(toid(1000, 3, 99), 7)
    assert parse_position(str(event.facts["from"])) < Position(toid(1000, 4), 0)
    assert event.facts["to"] == str(event.position)


def test_a_gap_is_confirmed_after_three_checks_in_three_seconds() -> None:
    """Of two servers behind one URL, one may have a shorter history than the other."""
    now, oldest_ledgers = 0.0, iter((1050, 1010, 1050, 1010, 1030))
    gap_confirmation = GapConfirmation(clock=lambda: now)

    def look(cursor: int) -> SourceGapError | None:
        return gap_confirmation.confirm(
            cursor, SourceGapError("Horizon", cursor, next(oldest_ledgers))
        )

    assert look(toid(1000)) is None
    now = 60.0  # a long wait is not several checks
    assert look(toid(1000)) is None
    found = look(toid(1000))
    assert found
    assert found.oldest == 1010
    assert look(toid(1005)) is None  # reading has moved on
    now = 62.9
    assert look(toid(1005)) is None


async def test_ledgers_that_come_back_within_seconds_are_not_a_gap(site: Site) -> None:
    await site.sim.arm("hole", first=3_700_002, last=3_700_003)
    async with site.indexer(RPC_URL="") as process:

        def repeated_failures() -> list[dict[str, object]]:
            return [
                each for each in process.log_lines("source_failed") if "again" in str(each["error"])
            ]

        await until(repeated_failures, what="a look that found them missing twice")
        await site.sim.ask("DELETE", "faults")
        await site.caught_up()
        assert not process.log_lines("gap")
    await site.is_exact()


@pytest.mark.parametrize("source", ["horizon", "rpc", "auto"])
async def test_connected_and_resuming_clients_receive_the_gap(site: Site, source: str) -> None:
    sim = site.sim
    async with site.indexer(SOURCE=source, LEASE_SECONDS=0.5, AUDIT_SECONDS=0) as process:
        await site.heard(process)
    positions = sim.positions()
    read = int(await site.redis.hget(site.keys.progress, "cursor") or 0)
    async with fanout(site, site.keys) as hub:
        await site.until_ready(hub)
        query = "/v1/events/subscribe?streams=1"
        listener = await SseClient.connect(hub.port, query)
        await listener.wait(1)
        sim.close(20)
        await sim.arm("trim", after=5)
        oldest = sim.network.chain.oldest.sequence
        async with site.indexer(SOURCE=source, AUDIT_SECONDS=0) as process:
            await site.heard(process)
            parts = await site.until_ready(process)
            assert parts["source"] == "ok"
            assert await site.metric(process, 'headrace_indexer_alarm{kind="gap"}') == 1
            assert "are not in the history of" in (await site.notes(process))["gap"]
            [line] = process.log_lines("gap")
            [gap_frame] = await listener.wait(1, "gap")
            back = await SseClient.connect(
                hub.port, query, headers={"Last-Event-ID": positions[-1]}
            )
            [resumed_frame] = await back.wait(1, "gap")
            for client in (listener, back):  # the marks are made beside the reading
                await client.wait(1, "stream.uncertain")
        assert resumed_frame.data == gap_frame.data
        document = orjson.loads(gap_frame.data)
        assert document["to"] == gap_frame.own_id == f"{cursor_before(oldest)}-0"
        assert document["from"] == line["from"]
        assert parse_position(document["from"]).toid >> 12 == read >> 12
        assert document["historyUrl"] == HISTORY_URL
        after = [
            p for p in sim.positions() if p not in positions and parse_position(p).ledger >= oldest
        ]
        for client in (listener, back):
            names = [e.name for e in client.events if e.name not in ("sync", "message")]
            assert names[0] == "gap"
            assert "stream.uncertain" in names, "events of the stream may be lost"
            assert {p for p in client.positions if not parse_position(p).by_clock} <= set(after)
    entries = of_the_chain(await journal(site.redis, site.keys))
    assert [e.position for e in entries] == [*positions, f"{cursor_before(oldest)}-0", *after]
    assert entries[len(positions)].type == "chain.gap"
    assert entries[len(positions)].topics == ()


async def test_a_client_from_before_a_network_reset_gets_a_reset(site: Site, keys: Keys) -> None:
    async with site.indexer(LEASE_SECONDS=0.5) as process:
        await site.heard(process)
    old = site.sim.positions()[-1]
    await site.sim.arm("reset")
    site.sim.close(3)
    anew = Site(site.sim, site.redis, site.redis_url, Keys(f"{keys.namespace}-2"))
    async with anew.indexer() as process, fanout(anew, anew.keys) as hub:
        await anew.heard(process)
        await anew.until_ready(hub)
        client = await SseClient.connect(
            hub.port, "/v1/events/subscribe?all=true", headers={"Last-Event-ID": old}
        )
        [reset_frame] = await client.wait(1, "reset")
        assert old in orjson.loads(reset_frame.data)["reason"]
        site.sim.close(2)
        await client.wait_id(site.sim.positions()[-1])
        assert client.positions == site.sim.positions(int(reset_frame.own_id.split("-")[0]))  # type: ignore[union-attr]

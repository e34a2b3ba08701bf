"""The versions of the servers, old, new and changed: metrics, log, and an RPC that is too old."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.indexer.sources.failover.fallback import FallbackSource
from services.indexer.sources.failover.source import FailoverSource
from services.indexer.sources.rpc.version import check_version, watch_version
from services.indexer.sources.upstream import UpstreamVersions
from shared.chain.errors import SourceError
from shared.chain.rpc import RpcClient
from shared.domain.position import toid
from shared.runtime.tasks import cancel
from tests.indexer.simulated import Read, Sim
from tests.indexer.sources.rpc_versions import NEW, OLD, alarm
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(30), pytest.mark.io]
START = toid(3_700_000)


def versions(server: str) -> list[tuple[str, str]]:
    """Version and core of the series that the metric has for this server."""
    return [
        (sample.labels["version"], sample.labels["core"])
        for family in REGISTRY.collect()
        if family.name == "headrace_indexer_upstream_info"
        for sample in family.samples
        if sample.labels["server"] == server
    ]


def protocol(server: str) -> float | None:
    return REGISTRY.get_sample_value("headrace_indexer_protocol", {"server": server})


def changes(logs: Sequence[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (line["server"], line["version"], line["protocol"], line["before"])
        for line in logs
        if line["event"] == "upstream_version"
    ]


@pytest.mark.parametrize("server", ["horizon", "rpc"])
async def test_a_version_is_reported_once_and_again_when_it_changes(
    sim: Sim, upstream: UpstreamVersions, server: str
) -> None:
    source = sim.horizon(upstream=upstream) if server == "horizon" else sim.rpc(upstream=upstream)
    with capture_logs() as logs:
        await source.ledgers()
        await source.ledgers()
        assert versions(server) == [("30.0.0-headrace", "stellar-core 30.0.0 (headrace)")]
        assert protocol(server) == 30
        await sim.upgrade(server, version="31.0.0", core="stellar-core 31.0.0", protocol=31)
        await source.ledgers()
    assert versions(server) == [("31.0.0", "stellar-core 31.0.0")]
    assert protocol(server) == 31
    first, second = changes(logs)
    assert first == (server, "30.0.0-headrace", 30, None)
    assert second == (server, "31.0.0", 31, "30.0.0-headrace")


async def test_a_reader_reports_the_version_again_when_it_opens_again(
    sim: Sim, upstream: UpstreamVersions
) -> None:
    source, read = sim.rpc(upstream=upstream), Read(START)
    await read.up_to(sim.tip, source)
    await sim.upgrade("rpc", **NEW)
    sim.close()
    await read.up_to(sim.tip, source)
    assert versions("rpc") == [(NEW["version"], NEW["core"])]
    assert read.positions == sim.positions()


async def test_a_strangers_text_is_cut_and_made_printable(
    sim: Sim, upstream: UpstreamVersions
) -> None:
    await sim.upgrade("rpc", version='9"}\n# é' + "x" * 500, core="\0" * 500)
    await sim.rpc(upstream=upstream).ledgers()
    [(version, core)] = versions("rpc")
    assert version == '9"}?# ?' + "x" * 73
    assert core == "?" * 80


@pytest.mark.parametrize("version", ["0.0.0", "25.0.0-rc1-abc", "heads/main-7e71281", ""])
async def test_a_version_that_says_nothing_is_reported_and_not_refused(
    sim: Sim, upstream: UpstreamVersions, version: str
) -> None:
    await sim.upgrade("rpc", version=version, protocol=0)
    await sim.rpc(upstream=upstream).ledgers()
    assert versions("rpc")[0][0] == version
    assert upstream.refusal is None


async def test_an_old_horizon_is_reported_and_read(sim: Sim, upstream: UpstreamVersions) -> None:
    await sim.upgrade("horizon", version="2.30.0-ab", core="stellar-core 20.4.0 (ab)", protocol=20)
    read = await Read(START).up_to(sim.tip, sim.horizon(upstream=upstream))
    assert read.positions == sim.positions()
    assert versions("horizon") == [("2.30.0-ab", "stellar-core 20.4.0 (ab)")]


@pytest.mark.parametrize("version", [OLD["version"], None])
async def test_an_old_rpc_is_refused_until_it_is_upgraded(
    sim: Sim, upstream: UpstreamVersions, version: str | None
) -> None:
    await sim.upgrade("rpc", **(OLD | {"version": version}))
    source = sim.rpc(upstream=upstream)
    for question in (source.start("earliest"), anext(source.batches(START))):
        with pytest.raises(SourceError, match="Upgrade RPC, set another RPC_URL") as caught:
            await question
        assert caught.value.kind == "too_old"
        assert f"RPC at {sim.url}/rpc" in str(caught.value)
    assert upstream.refusal
    assert alarm() == 1
    await sim.upgrade("rpc", **NEW)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert upstream.refusal is None
    assert alarm() == 0


@pytest.mark.parametrize("version", ["1.4.2", None])
async def test_a_gateway_before_a_new_rpc_may_hide_its_version(
    sim: Sim, upstream: UpstreamVersions, version: str | None
) -> None:
    await sim.upgrade("rpc", version=version)
    read = await Read(START).up_to(sim.tip, sim.rpc(upstream=upstream))
    assert read.positions == sim.positions()
    assert protocol("rpc") == 30


async def test_with_auto_horizon_is_read_while_rpc_is_too_old(
    sim: Sim, upstream: UpstreamVersions
) -> None:
    await sim.upgrade("rpc", **OLD)
    rpc, horizon = sim.rpc(upstream=upstream), sim.horizon(upstream=upstream)
    source = FailoverSource(rpc, horizon, look_seconds=0.02)
    assert await source.start("earliest") == START
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "horizon"
    assert set(read.kinds) == {"too_old"}
    assert upstream.refusal
    await sim.upgrade("rpc", **NEW)
    await sim.arm("503", surface="horizon", times=1_000_000)
    sim.close(3)
    await read.up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert source.name == "rpc"
    assert upstream.refusal is None


async def test_ledgers_that_horizon_lacks_wait_for_the_upgrade_of_rpc(
    sim: Sim, upstream: UpstreamVersions
) -> None:
    """No ledger is given up that an upgrade of RPC can bring."""
    await sim.upgrade("rpc", **OLD)
    await sim.arm("trim", surface="horizon", after=5)
    source = FallbackSource(sim.horizon(upstream=upstream), sim.rpc(upstream=upstream))
    with pytest.raises(SourceError, match=r"22\.1\.3") as caught:
        await anext(source.batches(START))
    assert caught.value.kind == "too_old"
    await sim.upgrade("rpc", **NEW)
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()


async def test_an_rpc_that_nobody_reads_is_watched(sim: Sim, upstream: UpstreamVersions) -> None:
    rpc = RpcClient(sim.session, f"{sim.url}/rpc")
    await sim.upgrade("rpc", **OLD)
    task = asyncio.create_task(watch_version(rpc, upstream, 0.01))
    try:
        await until(lambda: upstream.refusal)
        await sim.arm("503", surface="rpc", times=3)
        await sim.upgrade("rpc", **NEW)
        await until(lambda: upstream.refusal is None)
        await until(lambda: versions("rpc") == [(NEW["version"], NEW["core"])])
    finally:
        await cancel(task)


async def test_the_url_in_the_refusal_shows_no_key(sim: Sim, upstream: UpstreamVersions) -> None:
    await sim.upgrade("rpc", **OLD)
    with pytest.raises(SourceError) as caught:
        await check_version(RpcClient(sim.session, f"{sim.url}/rpc?key=secret123"), upstream)
    assert "secret123" not in str(caught.value)
    assert upstream.refusal
    assert "secret123" not in upstream.refusal


async def test_a_newer_protocol_is_noted(sim: Sim, upstream: UpstreamVersions) -> None:
    source = sim.horizon(upstream=upstream)
    await source.ledgers()
    assert upstream.protocol_note() is None
    await sim.upgrade("horizon", protocol=31)
    await source.ledgers()
    note = upstream.protocol_note()
    assert note
    assert note.startswith("horizon is at protocol 31")

"""An RPC that does not answer getVersionInfo: it is read, unless it was too old before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from services.indexer.sources.rpc.version import check_version
from services.indexer.sources.upstream import UpstreamVersions
from shared.chain.errors import SourceError
from shared.chain.rpc import RpcClient
from shared.domain.position import toid
from tests.indexer.simulated import Read, Sim
from tests.indexer.sources.rpc_versions import NEW, OLD, alarm

pytestmark = [pytest.mark.timeout(30), pytest.mark.io]
START = toid(3_700_000)
REFUSALS = [
    {"kind": "error"},
    {"kind": "503"},
    {"kind": "malformed"},
    *({"kind": "not_found", "status": status} for status in (403, 404, 405)),
]
"""How a gateway answers a method that it does not let through."""


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
async def test_a_gateway_that_refuses_only_the_version_does_not_stop_rpc(
    sim: Sim, upstream: UpstreamVersions, refusal: Mapping[str, Any]
) -> None:
    await sim.arm(surface="getVersionInfo", times=1_000, **refusal)
    read = await Read(START).up_to(sim.tip, sim.rpc(upstream=upstream))
    assert read.positions == sim.positions()
    assert read.errors == []
    assert upstream.refusal is None


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
async def test_a_refusal_stays_while_the_version_cannot_be_read(
    sim: Sim, upstream: UpstreamVersions, refusal: Mapping[str, Any]
) -> None:
    """RPC was too old, and may still be. So it is not read, and the alarm stays."""
    await sim.upgrade("rpc", **OLD)
    source = sim.rpc(upstream=upstream)
    with pytest.raises(SourceError):
        await source.ledgers()
    await sim.arm(surface="getVersionInfo", times=1_000, **refusal)
    with pytest.raises(SourceError, match=r"22\.1\.3") as caught:
        await source.ledgers()
    assert caught.value.kind == "too_old"
    assert alarm() == 1
    await sim.upgrade("rpc", **NEW)  # the protocol in getNetwork shows the upgrade
    read = await Read(START).up_to(sim.tip, source)
    assert read.positions == sim.positions()
    assert upstream.refusal is None
    assert alarm() == 0


async def test_a_refusal_stays_when_rpc_answers_nothing(
    sim: Sim, upstream: UpstreamVersions
) -> None:
    rpc = RpcClient(sim.session, f"{sim.url}/rpc")
    await sim.upgrade("rpc", **OLD)
    with pytest.raises(SourceError):
        await check_version(rpc, upstream)
    await sim.arm("503", surface="rpc", times=2)
    with pytest.raises(SourceError, match="Upgrade RPC"):
        await check_version(rpc, upstream)
    assert await sim.unspent() == []


async def test_an_rpc_that_answers_neither_question_is_not_called_too_old(
    sim: Sim, upstream: UpstreamVersions
) -> None:
    await sim.upgrade("rpc", **(OLD | {"version": None}))
    await sim.arm("503", surface="getNetwork", times=1)
    await check_version(RpcClient(sim.session, f"{sim.url}/rpc"), upstream)
    assert upstream.refusal is None

"""A restore from the archive after Redis lost everything, with real processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.settings import SimulatorSettings as NetworkSettings
from shared.domain.position import parse_position
from tests.support.waiting import until
from tests.system.house import KEYS, House, flush, of_chain, open_house

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


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

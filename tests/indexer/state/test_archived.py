"""The audit: a record in the archive is told, and so is its restore."""

from __future__ import annotations

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.entries import entry_key
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.chain.values import to_scval
from deploy.simulator.contracts.storage import stream_key
from tests.indexer.state.audited import Audited

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]


async def test_an_archived_record_is_told_until_a_transaction_uses_it(chain: Audited) -> None:
    archive(chain, "300")
    async with chain.ingesting():
        assert (await chain.round()).archived == {"300"}
        assert (await chain.documents())["300"]["archived"] is True
        before = await chain.kinds()
        call = Operation(op="top_up", stream_id="300", amount=1000)
        chain.sim.network.submit(Proposal(operations=(call,)))
        await chain.until_equal("300")
        assert (await chain.documents())["300"]["archived"] is False
        assert not (await chain.round()).archived
    assert "stream.snapshot" not in (await chain.kinds())[len(before) :]


async def test_a_later_archival_and_a_restore_are_told_and_are_no_difference(
    chain: Audited,
) -> None:
    async with chain.ingesting():
        await chain.round()
        key = archive(chain, "300")
        assert (await chain.round()).learned == ["300"]
        assert (await chain.documents())["300"]["archived"] is True
        chain.sim.network.storage.restore(key, chain.sim.network.chain.latest.sequence)
        found = await chain.round()
        assert (found.learned, found.different) == (["300"], {})
        assert (await chain.documents())["300"]["archived"] is False


def archive(chain: Audited, stream_id: str) -> str:
    key = entry_key(accounts.STREAMS, to_scval(stream_key(stream_id))).to_xdr()
    chain.sim.network.storage.archive(key, chain.sim.network.chain.latest.sequence)
    return key

"""Answers of RPC that are older than what the indexer has read, or that nobody can believe."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.indexer.state.contract_storage import StreamCount
from shared.chain.decode.stream_record import StreamRecord, UnreadableRecordError, read_record
from shared.chain.errors import SourceError
from shared.chain.xdr import Address
from shared.domain import commands
from shared.journal.commit import Committer
from tests.indexer.state.audited import Audited

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]


async def test_an_rpc_behind_the_start_is_not_used(small: Audited) -> None:
    """The journal lacks the withdrawal, and so does the answer of an RPC that is behind."""
    await withdraw_before_the_start(small)
    await small.sim.arm("lag", "rpc", after=5)
    async with small.ingesting():
        round_ = asyncio.create_task(small.audit.round())
        done, _ = await asyncio.wait([round_], timeout=1.5)
        assert not done, "RPC is behind"
        await small.sim.ask("DELETE", "faults")
        assert len((await round_).loaded) == 20
        assert await small.shows_what_is_true("7")


async def withdraw_before_the_start(small: Audited) -> None:
    small.read_horizon()
    small.withdraw("7")
    for _ in range(3):
        small.close()


async def test_an_answer_that_is_older_than_an_earlier_one_is_not_taken(small: Audited) -> None:
    await withdraw_before_the_start(small)
    async with small.ingesting():
        await small.round()
        before = await small.stream("7")
        older = before.state_ledger - 1
        await small.sim.arm("lag", "rpc", after=small.sim.network.chain.latest.sequence - older)
        small.audit._rounds._storage.count = one_count(20, older)  # type: ignore[method-assign]
        found = await small.audit.round()
        assert len(found.unsettled) == 20
        assert not found.different
        assert await small.stream("7") == before


def one_count(streams: int, ledger: int = 1 << 30) -> Any:
    async def count() -> StreamCount:
        return StreamCount(streams, ledger)

    return count


async def test_events_of_the_api_do_not_hide_an_event_of_the_chain(small: Audited) -> None:
    small.read_horizon()
    api = Committer(small.redis, small.keys)
    async with small.ingesting():
        await small.round()
        await small.sim.arm("lag", "rpc", after=3)
        await small.do("withdraw", stream_id="8")
        for n in range(20):
            label = {"label": str(n)}
            await api.change(["7"], lambda s, new=label: commands.update(s["7"], new, 1))  # type: ignore[misc]
        await small.do("withdraw", stream_id="7")
        small.close()
        await small.has_read_all()
        found = await small.audit.round()
        assert "7" in found.unsettled
        assert not found.different
        assert await small.shows_what_is_true("7")


async def test_a_count_that_cannot_be_true_ends_the_round(small: Audited) -> None:
    small.audit._rounds._storage.count = one_count(1 << 60)  # type: ignore[method-assign]
    async with small.ingesting():
        with pytest.raises(SourceError, match="has created 1152921504606846976 streams"):
            await small.audit.round()


async def test_a_ledger_that_is_never_read_ends_the_round(small: Audited) -> None:
    real = small.audit._rounds._storage.read

    async def read(ids: Any) -> Any:
        small.audit._rounds._patience = 0.5
        return (await real(ids))._replace(ledger=1 << 30)

    small.audit._rounds._storage.read = read  # type: ignore[method-assign, assignment]
    async with small.ingesting():
        with pytest.raises(SourceError, match="the indexer has not read RPC's last ledger"):
            await small.audit.round()


NUMBERS = [
    *((name, value) for name in ("start_time", "last_update_time") for value in (-1, 1 << 64)),
    *((name, 1 << 127) for name in ("rate_per_second", "deposited_amount", "withdrawn_amount")),
]


@pytest.mark.parametrize(("name", "value"), NUMBERS)
def test_a_number_that_the_contract_cannot_store_is_unreadable(name: str, value: int) -> None:
    fields: dict[Any, Any] = {"paused": False, "is_active": True, "status": ["Active"]}
    fields |= dict.fromkeys(("sender", "recipient", "token_address"), Address("C"))
    numbers = ("rate_per_second", "deposited_amount", "withdrawn_amount", "start_time")
    fields |= dict.fromkeys((*numbers, "last_update_time"), 7)
    assert isinstance(read_record(fields), StreamRecord)
    with pytest.raises(UnreadableRecordError, match=name):
        read_record(fields | {name: value})

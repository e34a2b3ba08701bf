"""Streams whose state is not certain: after a gap, or without a record that can be read."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.chain.entries import entry_key
from deploy.simulator.chain.values import to_scval
from deploy.simulator.contracts.storage import stream_key
from shared.domain.schedule import ScheduleKind
from shared.domain.stream import claimable, end_time
from tests.indexer.state.audited import Audited
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]


async def lose_a_withdrawal(small: Audited) -> None:
    """Withdraw from stream 7 in a ledger that no source has when the indexer reads again."""
    async with small.ingesting():
        await small.round()
    small.sim.close(3)
    small.withdraw("7")
    small.sim.close(20)
    await small.sim.arm("trim", after=5)


async def test_after_a_gap_no_amount_is_shown_until_the_audit(small: Audited) -> None:
    await lose_a_withdrawal(small)
    async with small.ingesting():

        async def marked() -> bool:
            return (await small.kinds()).count("stream.uncertain") == 20

        await until(marked, what="the marks of all streams")
        stream = await small.stream("7")
        assert claimable(stream, 1 << 40) is None
        assert end_time(stream) is None
        document = (await small.documents())["7"]
        assert (document["claimable"], document["claimableUnknown"]) == (None, "state_not_certain")
        found = await small.round()
        assert len(found.repaired) == 20
        assert not found.different, "no alarm: the gap has told it"
        assert await small.shows_what_is_true("7")
        assert not (await small.stream("7")).uncertain
    kinds = await small.kinds()
    assert kinds.index("chain.gap") < kinds.index("stream.uncertain")


async def test_the_marks_follow_after_a_crash_and_are_made_once(small: Audited) -> None:
    await lose_a_withdrawal(small)
    marks, small.gap_marks.soon = small.gap_marks, lambda: None  # type: ignore[method-assign]
    small.gap_marks._wanted.clear()

    async def nothing() -> None:
        return None

    real, marks.mark = marks.mark, nothing  # type: ignore[method-assign]
    async with small.ingesting():
        await small.has_read_all()
    assert "stream.uncertain" not in await small.kinds()
    await real()
    async with small.ingesting():
        await small.do("create", amount=10**6, duration=5000)
    await real()
    assert (await small.kinds()).count("stream.uncertain") == 20, "the new stream is known"


async def test_a_stream_without_a_readable_record_is_uncertain(small: Audited) -> None:
    key = entry_key(accounts.STREAMS, to_scval(stream_key("7"))).to_xdr()
    async with small.ingesting():
        await small.round()
        versions = small.sim.network.storage._versions.pop(key)
        found = await small.round()
        assert found.unreadable == {"7": "RPC has no record of this stream"}
        assert found.doubtful == ["7"]
        small.audit._report(found)
        notes: Any = small.readiness.document()["notes"]
        assert "records of streams 7 are missing" in notes["records_unreadable"]
        assert (await small.documents())["7"]["claimableUnknown"] == "state_not_certain"
        assert not (await small.round()).doubtful, "it is uncertain already"
        small.sim.network.storage._versions[key] = versions
        found = await small.round()
        assert found.repaired == ["7"]
        small.audit._report(found)
        assert "notes" not in small.readiness.document()
        assert await small.shows_what_is_true("7")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("milestone_condition_unlocked", ScheduleKind.CONDITIONS),
        ("allowance_stream_created", ScheduleKind.ALLOWANCE),
    ],
)
async def test_a_record_without_conditions_does_not_make_the_amount_known(
    small: Audited, name: str, kind: ScheduleKind
) -> None:
    async with small.ingesting():
        await small.round()
        await small.do("emit", name=name, stream_id="2")
        assert (await small.stream("2")).schedule.kind is kind
        await small.round()
        assert (await small.stream("2")).schedule.kind is kind
        assert (await small.round()).learned == [], "no snapshot in each round"


async def test_an_event_that_is_not_known_makes_its_stream_uncertain(small: Audited) -> None:
    async with small.ingesting():
        await small.round()
        await small.do("emit", name="stream_slashed", stream_id="7")
        await until(small.audit._wanted.is_set, what="the wish for a round")
        assert (await small.stream("7")).uncertain
        assert not (await small.stream("8")).uncertain
        assert (await small.round()).repaired == ["7"]


async def test_after_a_missed_transfer_the_new_recipient_sees_the_stream(small: Audited) -> None:
    async with small.ingesting():
        await small.round()
        await small.hide("7")
        small.sim.network.alter("7", recipient=accounts.address("carol"))  # type: ignore[arg-type]
        await small.round()
        stream = await small.stream("7")
    assert (stream.recipient, stream.acceptance) == (accounts.address("carol"), "accepted")

"""Webhooks under random faults: each event at least once, in order, repeated only if unconfirmed.

Receivers verify each delivery, two of them with `svix` and one with `standardwebhooks`, and write
down what they did. At the end their records must equal the journal.
"""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from shared.journal.wire import JournalEntry
from tests.chaos.checker import Kind
from tests.chaos.report import Report
from tests.chaos.run import run
from tests.chaos.test_chaos import noticed, shown
from tests.chaos.webhook_check import check_receiver
from tests.support.tier import at_length
from tests.webhooks.receivers.receiving import ANSWERED, REFUSED, WORKED, Record

SHORT = (
    "SIGKILL of a dispatcher",
    "SIGTERM of a dispatcher",
    "dispatcher asleep",
    "SIGKILL of a receiver",
    "receiver dies before its answer",
    "SIGKILL of Redis",
)


@pytest.mark.io
@pytest.mark.timeout(400)
async def test_each_event_reaches_each_receiver(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "7"))
    seconds = at_length(12, 300)
    report = await run(tmp_path, seed=seed, seconds=seconds, only=SHORT, webhooks=True)
    assert report.violations == [], shown(report)
    deliveries = int(report.webhooks.split(",")[0])
    assert deliveries > 2 * report.chain_events
    assert {each.name for each in report.injected} == set(SHORT)


@pytest.mark.io
@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("mutation", "fault", "seen"),
    [
        ("progress_unstored", "SIGKILL of every dispatcher", Kind.DUPLICATE),
        ("failures_taken", "receiver dies before its answer", Kind.MISSING),
        ("signatures_of_another_body", "SIGKILL of a receiver", Kind.ENDED),
    ],
)
async def test_a_removed_safeguard_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutation: str, fault: str, seen: Kind
) -> None:
    monkeypatch.setattr("tests.chaos.webhook_settling._SETTLE", 4.0)

    async def attempt(seed: int) -> Report:
        folder = tmp_path / str(seed)
        folder.mkdir()
        return await run(
            folder, seed=seed, seconds=6, only=(fault,), webhooks=True, MUTATION=mutation
        )

    assert await noticed({seen}, attempt)


def entry(number: int) -> JournalEntry:
    """An event of the journal."""
    body = orjson.dumps({"type": "stream.created", "id": f"{number}-0"})
    return JournalEntry(f"{number}-0", f"{number - 1}-0", "stream.created", (), body)


def worked(*numbers: int) -> Record:
    """A delivery with one event, or a batch."""
    bodies = [orjson.loads(entry(number).body) for number in numbers]
    document = bodies[0] if len(bodies) == 1 else {"events": bodies}
    return Record(WORKED, f"{numbers[-1]}-0", orjson.dumps(document).decode())


JOURNAL = [entry(number) for number in range(1, 5)]
ALL = [worked(number) for number in range(1, 5)]


@pytest.mark.parametrize(
    ("records", "kinds"),
    [
        (ALL, []),
        ([*ALL[:2], Record(ANSWERED, "2-0"), *ALL[2:]], []),
        ([worked(1, 2), worked(3, 4)], []),
        ([*ALL[:2], ALL[1], *ALL[2:]], []),
        ([worked(1, 2), worked(1, 2), worked(3, 4)], []),
        ([worked(1, 2), worked(1, 2, 3), worked(4)], [Kind.DUPLICATE]),
        ([worked(1, 2, 3), worked(1), worked(2, 3), worked(4)], [Kind.DUPLICATE]),
        ([worked(1, 2, 3), worked(1), worked(2), worked(1), *ALL[2:]], [Kind.DUPLICATE]),
        ([*ALL[:3], ALL[1], *ALL[2:]], [Kind.DUPLICATE]),
        ([worked(1, 2), worked(3), worked(2, 4)], [Kind.DUPLICATE]),
        ([ALL[1], ALL[0], *ALL[2:]], [Kind.DUPLICATE]),
        ([worked(2, 1), worked(3, 4)], [Kind.DUPLICATE, Kind.DISORDER]),
        (ALL[:3], [Kind.MISSING]),
        ([*ALL, Record(REFUSED, "5-0", "WebhookVerificationError")], [Kind.ENDED]),
    ],
)
def test_stories_of_receivers(records: list[Record], kinds: list[Kind]) -> None:
    assert sorted({each.kind for each in check_receiver("r", records, JOURNAL)}) == kinds


def test_a_batch_may_come_again_without_an_entry_that_was_deleted() -> None:
    journal, records = [JOURNAL[0], *JOURNAL[2:]], [worked(1, 2), worked(1), worked(3), worked(4)]
    assert not list(check_receiver("r", records, journal, deleted=True))


@pytest.mark.parametrize(
    ("records", "kinds"),
    [
        ([*ALL[:3], ALL[1], ALL[2], ALL[3]], []),
        ([*ALL[:3], worked(9), ALL[3]], []),
        ([ALL[0], ALL[2], ALL[1], ALL[3]], [Kind.DISORDER]),
        ([worked(2, 1), worked(3, 4)], [Kind.DISORDER]),
        (ALL[:3], [Kind.MISSING]),
    ],
)
def test_after_lost_writes_events_may_come_again(records: list[Record], kinds: list[Kind]) -> None:
    """And what the receiver got may be in no journal. First deliveries are in order anyway."""
    found = check_receiver("r", records, JOURNAL, lost=True)
    assert sorted({each.kind for each in found}) == kinds

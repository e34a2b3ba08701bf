"""A process recognises an emptied Redis by what it remembers of the journal."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from redis.asyncio import Redis

from shared.domain.position import START, Position, journal_start
from shared.journal.keys import Keys
from shared.journal.losses import (
    DataLossDetector,
    LossReport,
    check_journal,
    delete_reports,
    read_reports,
    write_report,
)
from shared.journal.reader import JournalTip
from shared.runtime.metrics import LOST_EVERYTHING, metrics
from tests.shared.samples import at

BEGAN = journal_start(at(4).toid, 4 << 40)
AGAIN = journal_start(at(7).toid, 5 << 40)
NEW = JournalTip(START, None, None, empty=True)
BEGUN = JournalTip(BEGAN, None, None, at(4).toid, BEGAN, empty=True)
FULL = JournalTip(at(7), 7, None, at(7).toid, BEGAN)
API = JournalTip(Position(0, 1 << 50), None, None)


def seen_of(*heads: JournalTip) -> DataLossDetector:
    detector = DataLossDetector()
    for tip in heads:
        assert not detector.check(tip)
        detector.update(tip.top, tip.cursor)
    return detector


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (FULL, NEW),
        (BEGUN, NEW),
        (API, NEW),
        (FULL, JournalTip(AGAIN, None, None, at(7).toid, AGAIN, empty=True)),
        (FULL, JournalTip(at(9), None, None, at(9).toid, AGAIN)),
        (FULL, FULL._replace(top=BEGAN, empty=True)),
        (FULL._replace(first="4-1"), FULL._replace(first="7-2", top=at(8))),
        (FULL._replace(began=None), JournalTip(AGAIN, None, None, at(7).toid, AGAIN, empty=True)),
    ],
    ids=[
        "all",
        "all-of-a-quiet-one",
        "the-api-s",
        "begun-again",
        "full-again",
        "journal",
        "rewritten",
        "old",
    ],
)
def test_an_emptied_redis_is_noticed_and_counted_once(known: JournalTip, found: JournalTip) -> None:
    detector, counted = seen_of(known), LOST_EVERYTHING._value.get()
    assert detector.check(found)
    assert detector.lost
    detector.update(found.top, found.cursor)
    assert not detector.check(found)
    assert (detector.top, detector.cursor) == (known.top, known.cursor), "the report stays the same"
    assert LOST_EVERYTHING._value.get() == counted + 1
    told = JournalTip(at(20), None, None, at(20).toid, AGAIN, last_reset=at(19), first="19-1")
    assert not detector.check(told)
    assert not detector.lost
    detector.update(told.top, told.cursor)
    assert detector.check(NEW), "the next loss is noticed too"


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (NEW, BEGUN),
        (BEGUN, FULL),
        (API, FULL._replace(top=at(9))),
        (FULL, FULL._replace(top=at(5), cursor=at(5).toid)),
        (FULL, FULL._replace(top=BEGAN, empty=True, cursor=at(4).toid)),
        (FULL, JournalTip(at(7), None, None)),
        (FULL, FULL._replace(last_reset=at(6))),
        (FULL, FULL._replace(first="4-1")),
    ],
    ids=[
        "begins",
        "goes-on",
        "api-first",
        "failover",
        "failover-of-all",
        "progress",
        "told-before",
        "first",
    ],
)
def test_other_changes_are_not_taken_for_an_emptied_redis(
    known: JournalTip, found: JournalTip
) -> None:
    detector = seen_of(known)
    assert not detector.check(found)
    assert not detector.lost


KEPT = FULL._replace(first=str(BEGAN))


@pytest.mark.parametrize("found", [KEPT, KEPT._replace(top=at(5)), KEPT._replace(top=at(9))])
def test_a_restored_journal_is_no_loss(found: JournalTip) -> None:
    detector = seen_of(KEPT)
    assert detector.check(NEW)
    assert not detector.check(found)
    assert not detector.lost
    detector.update(found.top, found.cursor)
    assert (detector.top, detector.began) == (found.top, BEGAN)
    assert detector.check(NEW), "the next loss is noticed too"


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (KEPT, NEW),
        (KEPT, KEPT._replace(began=AGAIN)),
        (KEPT, KEPT._replace(first=str(AGAIN))),
        (KEPT, KEPT._replace(first=None)),
        (FULL, FULL),
    ],
    ids=["still-empty", "other", "rewritten", "of-an-older-version", "known-without-first"],
)
def test_another_journal_is_not_taken_for_the_lost_one(
    known: JournalTip, found: JournalTip
) -> None:
    detector = seen_of(known)
    assert detector.check(NEW)
    assert not detector.check(found)
    assert detector.lost


async def test_a_loss_is_reported_until_it_is_announced(redis: Redis, keys: Keys) -> None:
    detector = seen_of(FULL)
    assert await read_reports(redis, keys) == []
    await check_journal(redis, keys, detector, name="one")
    await write_report(redis, keys, "two", DataLossDetector(top=at(3)))
    assert {*await read_reports(redis, keys)} == {
        LossReport(at(7).toid, at(7)),
        LossReport(None, at(3)),
    }
    assert 0 < await redis.pttl(keys.loss_reports) <= 60_000, "the report expires"
    assert await delete_reports(redis, keys)
    assert await read_reports(redis, keys) == []
    assert not await delete_reports(redis, keys)


async def test_the_loss_counters_exist_before_any_loss() -> None:
    response = await metrics(make_mocked_request("GET", "/metrics"))
    assert isinstance(response.body, bytes)
    text = response.body.decode()
    for what in ("everything", "progress", "entry", "document", "event", "topic"):
        assert f'headrace_losses_total{{what="{what}"}}' in text

"""What a process remembers of the journal tells an emptied Redis from all that is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.journal import Head
from shared.losses import Memory, Report, remember, report, reports
from shared.metrics import LOST_EVERYTHING, metrics
from shared.positions import START, Position, beginning
from tests.shared.samples import at

BEGAN = beginning(at(4).toid, 4 << 40)
AGAIN = beginning(at(7).toid, 5 << 40)
NEW = Head(START, None, None, empty=True)
BEGUN = Head(BEGAN, None, None, at(4).toid, BEGAN, empty=True)
FULL = Head(at(7), 7, None, at(7).toid, BEGAN)
API = Head(Position(0, 1 << 50), None, None)


def memory_of(*heads: Head) -> Memory:
    memory = Memory()
    for head in heads:
        assert not memory.look(head)
        memory.saw(head.top, head.cursor)
    return memory


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (FULL, NEW),
        (BEGUN, NEW),
        (API, NEW),
        (FULL, Head(AGAIN, None, None, at(7).toid, AGAIN, empty=True)),
        (FULL, Head(at(9), None, None, at(9).toid, AGAIN)),
        (FULL, replace(FULL, top=BEGAN, empty=True)),
        (replace(FULL, first="4-1"), replace(FULL, first="7-2", top=at(8))),
        (replace(FULL, began=None), Head(AGAIN, None, None, at(7).toid, AGAIN, empty=True)),
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
def test_an_emptied_redis_is_noticed_once_and_counted(known: Head, found: Head):
    memory, counted = memory_of(known), LOST_EVERYTHING._value.get()
    assert memory.look(found)
    assert memory.lost
    memory.saw(found.top, found.cursor)
    assert not memory.look(found)
    assert (memory.top, memory.cursor) == (known.top, known.cursor), "what is reported stays"
    assert LOST_EVERYTHING._value.get() == counted + 1
    told = Head(at(20), None, None, at(20).toid, AGAIN, told=at(19), first="19-1")
    assert not memory.look(told)
    assert not memory.lost
    memory.saw(told.top, told.cursor)
    assert memory.look(NEW), "and the next one too"


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (NEW, BEGUN),
        (BEGUN, FULL),
        (API, replace(FULL, top=at(9))),
        (FULL, replace(FULL, top=at(5), cursor=at(5).toid)),
        (FULL, replace(FULL, top=BEGAN, empty=True, cursor=at(4).toid)),
        (FULL, Head(at(7), None, None)),
        (FULL, replace(FULL, told=at(6))),
        (FULL, replace(FULL, first="4-1")),
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
def test_all_else_is_not(known: Head, found: Head):
    memory = memory_of(known)
    assert not memory.look(found)
    assert not memory.lost


async def test_what_is_known_is_written_down_until_everyone_was_told(redis, keys):
    memory = memory_of(FULL)
    assert await reports(redis, keys) == []
    await remember(redis, keys, memory, name="one")
    await report(redis, keys, "two", Memory(top=at(3)))
    assert {*await reports(redis, keys)} == {Report(at(7).toid, at(7)), Report(None, at(3))}
    assert 0 < await redis.pttl(keys.losses) <= 60_000, "it goes by itself"


async def test_the_counter_is_there_before_anything_was_lost():
    text = (await metrics(None)).body.decode()
    for what in ("everything", "progress", "entry", "document", "event"):
        assert f'headrace_losses_total{{what="{what}"}}' in text

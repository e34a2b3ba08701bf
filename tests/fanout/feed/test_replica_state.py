"""A replica of Redis compared with the primary: in step, behind, or with another history."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.fanout.feed.replica_state import Info, ReplicationLag, difference, is_cut_off
from shared.domain.position import Position
from shared.journal.reader import JournalTip

FOLLOWS: Info = {"role": "slave", "master_link_status": "up", "master_replid": "a"}
PRIMARY: Info = {"role": "master", "master_replid": "a"}
BEGAN, OTHER = Position(1, 7), Position(2, 9)


def tip(
    toid: int, cursor: int = 0, began: Position | None = BEGAN, first: str = "1-7"
) -> JournalTip:
    return JournalTip(Position(toid, 0), 1, 1.0, cursor, began=began, first=first)


@pytest.mark.parametrize("own", [tip(10), tip(9), tip(3)._replace(first=None)])
def test_a_beginning_of_the_primarys_journal_is_in_step(own: JournalTip) -> None:
    assert difference(own, FOLLOWS, tip(10), PRIMARY) is None
    assert difference(own, {}, tip(10), PRIMARY) is None, "a managed service names no id"


@dataclass(frozen=True)
class Other:
    """A replica whose journal is no beginning of the primary's."""

    own: JournalTip
    info: Info
    says: str


OTHERS = {
    "another primary": Other(tip(9), {**FOLLOWS, "master_replid": "b"}, "follow"),
    "the journal before a loss": Other(tip(9, began=OTHER), FOLLOWS, "current journal"),
    "no journal yet": Other(tip(0, began=None), FOLLOWS, "current journal"),
    "a journal that was written again": Other(tip(9, first="1-8"), FOLLOWS, "current journal"),
    "lost events": Other(tip(11), FOLLOWS, "lost"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_journal_is_not_in_step(name: str) -> None:
    other = OTHERS[name]
    assert other.says in str(difference(other.own, other.info, tip(10), PRIMARY))


def test_only_a_replica_can_be_cut_off() -> None:
    assert is_cut_off({**FOLLOWS, "master_link_status": "down"})
    assert not is_cut_off(FOLLOWS)
    assert not is_cut_off(PRIMARY)


def test_the_lag_lasts_from_the_first_missing_event_to_its_arrival() -> None:
    lag = ReplicationLag()
    lag.update(tip(10), tip(10), 100.0)
    assert lag.seconds(100.0) == 0
    for now in range(101, 104):
        lag.update(tip(10), tip(now - 90), float(now))
    assert lag.seconds(103.0) == 2.0
    lag.update(tip(12), tip(14), 104.0)
    assert lag.seconds(104.0) == 1.0, "it has two of four, and lacks the third since 103"
    lag.update(tip(14), tip(14), 105.0)
    assert lag.seconds(105.0) == 0


def test_a_cursor_shows_a_lag_on_a_quiet_chain() -> None:
    lag = ReplicationLag()
    lag.update(tip(10, 5), tip(10, 6), 100.0)
    assert lag.seconds(107.0) == 7.0


def test_what_redis_lost_is_not_waited_for() -> None:
    lag = ReplicationLag()
    lag.update(tip(10), tip(12), 100.0)
    lag.update(tip(10), tip(10), 101.0)
    assert lag.seconds(101.0) == 0


def test_after_long_it_remembers_the_oldest_end() -> None:
    lag = ReplicationLag()
    for now in range(5_000):
        lag.update(tip(10), tip(11 + now), float(now))
    assert lag.seconds(5_000.0) == 5_000.0
    assert len(lag._missing) < 1_000

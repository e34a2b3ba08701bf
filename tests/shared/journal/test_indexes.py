"""Indexes: to which a stream belongs, their order, and the effect of a change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import commands
from shared.domain.stream import Acceptance
from shared.journal.indexes import (
    by_change,
    changed_member_of,
    entries_of,
    index_changes,
    indexes_of,
    member_of,
    stream_id_of,
)
from tests.shared.samples import R2, TOKEN, R, S, a_stream, after

API_ID = "api-01890a5d-ac96-774b-bcce-b302099a8057"
ids = st.one_of(st.integers(1, (1 << 64) - 1).map(str), st.uuids().map(lambda u: f"api-{u}"))
times = st.integers(0, 10**12 - 1)


def test_a_stream_is_indexed_by_parties_status_token_and_origin() -> None:
    assert indexes_of(a_stream()) == {
        "all",
        f"sender:{S}",
        f"recipient:{R}",
        f"user:{S}",
        f"user:{R}",
        "status:active",
        f"token:{TOKEN}",
        "origin:api",
    }


@pytest.mark.parametrize("acceptance", [Acceptance.PENDING, Acceptance.HIDDEN])
def test_what_the_recipient_has_not_accepted_is_apart(acceptance: Acceptance) -> None:
    stream = replace(a_stream(), acceptance=acceptance)
    names = indexes_of(stream)
    assert (f"user:{R}" in names, f"user:{S}" in names) == (False, True)
    assert {f"{acceptance}:{R}", f"recipient:{R}"} <= names
    accepted = after(stream, *commands.accept(stream, stream.updated_at))
    moved = {(c.add, c.name) for c in index_changes(stream, accepted)}
    assert moved == {(True, f"user:{R}"), (False, f"{acceptance}:{R}")}


def test_a_stream_to_its_own_sender_is_listed_once() -> None:
    assert f"user:{S}" in indexes_of(a_stream(recipient=S))
    assert len(indexes_of(a_stream(recipient=S))) == 7


@given(ids, times)
def test_the_stream_id_can_be_read_from_a_member(stream_id: str, created_at: int) -> None:
    stream = replace(a_stream(), id=stream_id, created_at=created_at)
    assert stream_id_of(member_of(stream)) == stream_id


@given(st.lists(st.tuples(times, st.integers(1, (1 << 64) - 1)), unique=True))
def test_members_sort_by_creation_time_then_number(born: list[tuple[int, int]]) -> None:
    members = [
        member_of(replace(a_stream(), id=str(number), created_at=when))
        for when, number in sorted(born)
    ]
    assert members == sorted(members, key=str.encode)


def test_members_of_both_origins_sort_by_time() -> None:
    early = replace(a_stream(), id=API_ID, created_at=99)
    late = replace(a_stream(), id="1", created_at=100)
    assert member_of(early) < member_of(late)


def test_the_creation_member_never_changes() -> None:
    stream = a_stream()
    gone = after(stream, *commands.cancel(stream, 500))
    assert member_of(gone) == member_of(stream)


def test_a_new_stream_is_added_to_all_its_indexes() -> None:
    stream = a_stream()
    assert {(c.name, c.member): c.score for c in index_changes(None, stream)} == entries_of(stream)
    assert all(change.add for change in index_changes(None, stream))


def test_only_the_indexes_that_differ_are_changed() -> None:
    stream = a_stream()
    assert index_changes(stream, stream) == []
    paused = after(stream, *commands.pause(stream, 100))
    found = {(c.add, c.name) for c in index_changes(stream, paused)}
    assert found == {
        (True, "status:paused"),
        (False, "status:active"),
        (True, "updated:status:paused"),
        (False, "updated:status:active"),
        (False, "schedule:api"),
    }


def test_a_later_change_moves_a_stream_only_in_the_indexes_by_change() -> None:
    stream = a_stream()
    labelled = after(stream, *commands.update(stream, {}, 120))
    moved = index_changes(stream, labelled)
    assert {c.name for c in moved} == {
        "updated:all", f"updated:user:{S}", f"updated:user:{R}", "updated:status:active"
    }  # fmt: skip
    assert {c.member for c in moved if c.add} == {changed_member_of(labelled)}
    assert {c.member for c in moved if not c.add} == {changed_member_of(stream)}


def test_an_index_by_change_contains_every_stream_of_its_filter() -> None:
    stream = a_stream()
    names = {name for name, _ in entries_of(stream)}
    for name in indexes_of(stream):
        wider = by_change(name)
        assert (wider is None) == name.startswith(("token:", "origin:"))
        assert wider is None or wider in names


def test_the_notice_schedule_follows_the_end_of_the_stream() -> None:
    stream = a_stream()
    assert entries_of(stream)["schedule:api", "7"] == 300
    topped = after(stream, *commands.top_up(stream, 5 * 200_000, 100))
    assert entries_of(topped)["schedule:api", "7"] == 200_300 - 48 * 3600
    assert (True, "schedule:api", "7", 200_300 - 48 * 3600) in index_changes(stream, topped)
    gone = after(topped, *commands.cancel(topped, 200))
    assert (False, "schedule:api", "7", 0) in index_changes(topped, gone)


def test_a_sender_stays_indexed_when_another_account_becomes_recipient() -> None:
    own = a_stream(recipient=S)
    given_away = replace(own, recipient=R2)
    found = {(c.add, c.name) for c in index_changes(own, given_away)}
    assert (False, f"user:{S}") not in found
    assert (True, f"user:{R2}") in found
    assert (False, f"recipient:{S}") in found


@given(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc"), st.integers(0, 1))
def test_applying_the_changes_gives_the_entries_of_the_new_state(
    old: str, new: str, sender: str, later: int
) -> None:
    before = replace(a_stream(), sender=sender, recipient=old)
    now = replace(
        before, recipient=new, updated_at=before.updated_at + later, notices_sent=2 + later
    )
    places = entries_of(before)
    for add, name, member, score in index_changes(before, now):
        assert add or (name, member) in places
        if add:
            places[name, member] = score
        else:
            del places[name, member]
    assert places == entries_of(now)

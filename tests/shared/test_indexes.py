"""Indexes: in which lists a stream stands, in what order, and what a change does to them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared import commands
from shared.indexes import changes, indexes_of, member_of, stream_id_of
from tests.shared.samples import R2, TOKEN, R, S, a_stream, after

API_ID = "api-01890a5d-ac96-774b-bcce-b302099a8057"
ids = st.one_of(st.integers(1, (1 << 64) - 1).map(str), st.uuids().map(lambda u: f"api-{u}"))
times = st.integers(0, 10**12 - 1)


def test_a_stream_stands_under_its_parties_status_token_and_origin():
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


def test_a_sender_that_is_its_own_recipient_is_listed_once():
    assert f"user:{S}" in indexes_of(a_stream(recipient=S))
    assert len(indexes_of(a_stream(recipient=S))) == 7


@given(ids, times)
def test_the_id_comes_back_from_a_member(stream_id: str, created_at: int):
    stream = replace(a_stream(), id=stream_id, created_at=created_at)
    assert stream_id_of(member_of(stream)) == stream_id


@given(st.lists(st.tuples(times, st.integers(1, (1 << 64) - 1)), unique=True))
def test_members_sort_as_text_by_time_of_creation_then_number(born: list[tuple[int, int]]):
    members = [
        member_of(replace(a_stream(), id=str(number), created_at=when))
        for when, number in sorted(born)
    ]
    assert members == sorted(members, key=str.encode)


def test_members_of_both_origins_sort_by_time_first():
    early = replace(a_stream(), id=API_ID, created_at=99)
    late = replace(a_stream(), id="1", created_at=100)
    assert member_of(early) < member_of(late)


def test_a_member_outlives_every_change():
    stream = a_stream()
    gone = after(stream, *commands.cancel(stream, 500))
    assert member_of(gone) == member_of(stream)


def test_a_new_stream_is_added_everywhere():
    stream = a_stream()
    assert changes(None, stream) == [(True, name) for name in sorted(indexes_of(stream))]


def test_only_what_differs_changes():
    stream = a_stream()
    assert changes(stream, stream) == []
    paused = after(stream, *commands.pause(stream, 120))
    assert changes(stream, paused) == [(True, "status:paused"), (False, "status:active")]


def test_the_sender_stays_listed_when_it_gives_up_being_the_recipient():
    own = a_stream(recipient=S)
    given_away = replace(own, recipient=R2)
    assert (False, f"user:{S}") not in changes(own, given_away)
    assert (True, f"user:{R2}") in changes(own, given_away)
    assert (False, f"recipient:{S}") in changes(own, given_away)


@given(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc"))
def test_applying_the_changes_leads_from_the_old_lists_to_the_new(old, new, sender):
    before = replace(a_stream(), sender=sender, recipient=old)
    now = replace(before, recipient=new)
    names = set(indexes_of(before))
    for add, name in changes(before, now):
        assert (name in names) is not add
        (names.add if add else names.remove)(name)
    assert names == indexes_of(now)

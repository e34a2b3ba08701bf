"""What each client library gives to its application while connections are cut, killed and drained.

A library's own defect is named in one sentence where it shows, with what Headrace guarantees still.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.clients.front import CUTS
from tests.clients.libraries import LIBRARIES, NAMES, Received, missing, need
from tests.clients.stage import Part
from tests.clients.story import Parts, tell

pytestmark = [pytest.mark.io, pytest.mark.timeout(150)]

Play = Callable[[str], Part]

DEFECTS = {
    *(("aiohttp_sse", where) for where in CUTS),
    *(("sseclient", where) for where in ("in the data", "after the data", "in the id")),
    ("fetch_event_source", "before the blank line"),
}
"""Where a library does not drop the frame that EOF cut off; each has a test of its own below."""


@pytest.fixture(scope="module")
def parts(redis_url: str) -> Parts:
    return asyncio.run(tell(redis_url, [each for each in LIBRARIES if not missing(each)]))


@pytest.fixture
def play(parts: Parts) -> Callable[[str, str], Part]:
    """A library's part in an act; it fails here when it did not come to the act's end."""

    def play(library: str, act: str) -> Part:
        need(library)
        part = parts[library][act]
        assert part.trouble == ""
        return part

    return play


@pytest.fixture(params=LIBRARIES)
def part(request: pytest.FixtureRequest, play: Callable[[str, str], Part]) -> Play:
    need(request.param)
    return lambda act: play(request.param, act)


def is_sound(event: Received) -> bool:
    """Whether the data is the whole event that the id and the name say it is."""
    if not event.whole:
        return False
    data = json.loads(event.data)
    return (event.id, event.name) == (data.get("id"), data.get("type"))


def test_it_connects_and_the_first_frame_is_connected(part: Play) -> None:
    connected = part("connected")
    (top,) = connected.committed
    first = connected.received[0]
    assert (first.name, first.id) == ("message", top)
    assert json.loads(first.data)["type"] == "connected"
    assert json.loads(first.data)["position"] == top
    assert connected.resumed_at == [""]
    assert connected.journal == []


def test_it_receives_named_events_in_order_and_whole(part: Play) -> None:
    live = part("live")
    assert live.ids == live.committed
    assert all(map(is_sound, live.journal))
    kinds = ["stream.created", "stream.fee_collected", "contract.initialized", "stream.created"]
    assert [event.name for event in live.journal] == kinds * 5
    assert live.requests == []


@pytest.mark.parametrize("act", ["cut", "killed", "drained", "overloaded"])
def test_it_comes_back_by_itself_with_nothing_missed_and_nothing_twice(
    part: Play, act: str
) -> None:
    lived = part(act)
    assert lived.ids == lived.committed
    assert all(map(is_sound, lived.journal))
    assert lived.resumed_at
    assert all(lived.resumed_at)


def test_a_drained_replica_says_goodbye_and_the_cursor_stays(part: Play) -> None:
    (goodbye,) = part("drained").named("goodbye")
    assert json.loads(goodbye.data)["reason"] == "draining"


def test_a_full_replica_says_so_in_band_and_the_cursor_stays(part: Play) -> None:
    overloaded = part("overloaded")
    turned_away = overloaded.named("overload")
    assert turned_away
    assert all(json.loads(event.data)["retry"] >= 2000 for event in turned_away)
    assert len(overloaded.resumed_at) == len(turned_away) + 1
    assert len(set(overloaded.resumed_at)) == 1


def test_sync_moves_the_cursor_of_a_quiet_subscription(part: Play) -> None:
    quiet, after = part("quiet"), part("cut while quiet")
    (position,) = quiet.committed
    assert position in [event.id for event in quiet.named("sync")]
    assert after.resumed_at == [position]
    assert after.named("message")[0].id == position
    assert quiet.journal == after.journal == []


def test_no_event_is_made_up_and_no_connected_frame_comes_twice(
    play: Callable[[str, str], Part], parts: Parts
) -> None:
    for library, acts in parts.items():
        received = [
            event
            for act in acts
            if (library, act) not in DEFECTS
            for event in play(library, act).received
        ]
        assert {event.name for event in received} <= {*NAMES} - {"undefined", "gap", "reset"}
        assert all(event.whole for event in received), library
        greetings = [json.loads(event.data) for event in received if event.name == "message"]
        assert {greeting["type"] for greeting in greetings} == {"connected"}
        clients = [greeting["clientId"] for greeting in greetings]
        assert len(set(clients)) == len(clients)
        for sync in (event for event in received if event.name == "sync"):
            assert json.loads(sync.data)["position"] == sync.id


@pytest.mark.parametrize(
    ("library", "where"),
    [(lib, where) for lib in LIBRARIES for where in CUTS if (lib, where) not in DEFECTS],
)
def test_a_frame_cut_by_eof_is_dropped_and_comes_again_whole(
    play: Callable[[str, str], Part], library: str, where: str
) -> None:
    ended = play(library, where)
    assert ended.ids == ended.committed
    assert all(map(is_sound, ended.journal))
    assert len(ended.resumed_at) == 1


@pytest.mark.parametrize("where", CUTS)
def test_aiohttp_sse_client2_glues_the_cut_frame_to_connected_and_never_to_an_event(
    play: Callable[[str, str], Part], where: str
) -> None:
    """It keeps a cut frame's fields for the next connection, whose first frame takes them."""
    ended = play("aiohttp_sse", where)
    glued, *rest = ended.journal
    assert not is_sound(glued)
    assert '"type":"connected"' in glued.data
    assert [glued.id] == ended.resumed_at, "the cursor stays before the cut event"
    assert [event.id for event in rest] == ended.committed
    assert all(map(is_sound, rest))


def test_sseclient_py_delivers_a_torn_frame_that_is_no_json_and_moves_no_cursor(
    play: Callable[[str, str], Part],
) -> None:
    """It delivers at EOF what it has; the id comes last, so the whole event follows."""
    ended = play("sseclient", "in the data")
    torn, *rest = ended.journal
    assert not torn.whole
    assert torn.id is None
    assert [event.id for event in rest] == ended.committed
    assert all(map(is_sound, rest))


def test_sseclient_py_delivers_a_frame_without_its_id_and_then_again_with_it(
    play: Callable[[str, str], Part],
) -> None:
    """As above; both have the same position and version in their data."""
    ended = play("sseclient", "after the data")
    early, *rest = ended.journal
    assert early.id is None
    assert json.loads(early.data)["id"] == ended.committed[0]
    assert [event.id for event in rest] == ended.committed
    assert all(map(is_sound, rest))


def test_sseclient_py_takes_a_torn_id_as_its_cursor_and_is_told_reset(
    play: Callable[[str, str], Part],
) -> None:
    """A torn id is no position, so what it cannot ask for any more is never skipped silently."""
    ended = play("sseclient", "in the id")
    assert ended.committed[0].startswith(ended.journal[0].id or "none")
    assert ended.resumed_at == [ended.journal[0].id]
    assert len(ended.named("reset")) == 1


def test_fetch_event_source_loses_an_event_cut_between_id_and_blank_line(
    play: Callable[[str, str], Part],
) -> None:
    """It moves its cursor at the id's line, not at the frame's end: one byte of a frame is left."""
    ended = play("fetch_event_source", "before the blank line")
    assert ended.resumed_at == ended.committed[:1]
    assert ended.ids == ended.committed[1:]
    assert all(map(is_sound, ended.journal))


def test_a_browser_page_of_another_origin_needs_no_preflight_to_resume(
    play: Callable[[str, str], Part], parts: Parts
) -> None:
    """Ids of safe characters; fetch-event-source sets the header itself, so it asks first."""
    for library, asks in (("chromium", False), ("fetch_event_source", True)):
        need(library)
        heads = [head for act in parts[library] for head in play(library, act).requests]
        assert all("\r\nOrigin: http://127.0.0.1:" in head for head in heads)
        assert any(head.startswith("OPTIONS ") for head in heads) is asks

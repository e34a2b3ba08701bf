"""The index of endpoints, against a simple filter; and what an endpoint begins with."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.delivering.beginning import begun, furthest
from services.webhooks.delivering.index import EndpointIndex, topics_of_endpoint
from shared.domain.position import Position
from shared.domain.topics import ALL, Subscription, matches
from shared.webhooks.progress import Progress
from tests.webhooks.delivering.samples import ENDPOINT as SAMPLE

TOPICS = st.sampled_from(["1", "2", "3", ALL])
ENDPOINT = replace(SAMPLE, begins_after=Position(5, 0))
TOP = Position(9, 0)


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 9), st.lists(TOPICS, max_size=3), st.booleans()), max_size=60
    ),
    event=st.lists(st.sampled_from(["1", "2", "3"]), max_size=2),
)
def test_the_audience_is_that_of_a_simple_filter(
    steps: list[tuple[int, list[str], bool]], event: list[str]
) -> None:
    index: EndpointIndex[int] = EndpointIndex()
    known: dict[int, list[str]] = {}
    for endpoint, topics, adds in steps:
        if adds:
            index.add(endpoint, topics)
            known[endpoint] = topics
        else:
            index.remove(endpoint)
            known.pop(endpoint, None)
    found = index.audience(event)
    assert len(found) == len(set(found))
    assert set(found) == {each for each, topics in known.items() if matches(topics, event)}
    assert len(index) == len(known)


def test_an_endpoint_that_sees_only_its_own_is_found_under_its_account() -> None:
    everything = replace(ENDPOINT, subscription=Subscription((ALL,)))
    assert topics_of_endpoint(everything) == ("user:G1",)
    assert topics_of_endpoint(replace(everything, sees_all=True)) == (ALL,)
    assert topics_of_endpoint(ENDPOINT) == ("1",)


def test_a_generation_begins_where_its_owner_said_or_where_the_last_one_stopped() -> None:
    stored = Progress(1, Position(7, 0), (Position(8, 0),), failures=4, disabled="gone")
    assert begun(ENDPOINT, None, TOP) == Progress(1, Position(5, 0))
    assert begun(ENDPOINT, stored, TOP) == stored
    second = replace(ENDPOINT, generation=2)
    assert begun(second, stored, TOP) == Progress(2, Position(5, 0))
    third = replace(second, begins_after=None)
    assert begun(third, stored, TOP) == Progress(2, Position(7, 0), (Position(8, 0),))
    assert begun(third, None, TOP) == Progress(2, TOP)


def test_of_two_progresses_the_later_one_of_the_same_generation_counts() -> None:
    early, late = Progress(1, Position(3, 0)), Progress(1, Position(4, 0))
    assert furthest(early, late) == furthest(late, early) == late
    assert furthest(None, late) == furthest(late, None) == late
    rewound = replace(early, acknowledged=(Position(5, 0),), lost=Position(4, 1 << 40))
    assert furthest(early, rewound) == rewound, "after a failover only we know what was taken"
    newer = Progress(2, Position(1, 0))
    assert furthest(newer, late) == newer


def test_at_the_same_position_the_stored_progress_tells_how_the_receiver_is() -> None:
    """Another dispatcher may have had the endpoint, and may have disabled it."""
    remembered = Progress(1, Position(3, 0), failures=2, retry_at=5.0, writes=8)
    stored = Progress(1, Position(3, 0), failures=3, disabled="gone", disabled_at=7.0, writes=6)
    assert furthest(stored, remembered) == replace(stored, writes=8)


def test_a_batch_that_another_dispatcher_began_comes_again_as_it_was() -> None:
    """The other one was frozen. When it went on, it read the answer to its own last delivery."""
    began = ((Position(1, 0),), (Position(2, 0), Position(3, 0)))
    stored = Progress(1, Position(0, 0), writes=9, batches=began)
    assert furthest(stored, Progress(1, Position(1, 0), writes=4)) == replace(
        stored, position=Position(1, 0)
    )


def test_a_generation_that_a_failover_lost_counts_for_the_one_before() -> None:
    lost = Progress(2, Position(7, 0), failures=1, writes=4)
    assert begun(ENDPOINT, lost, TOP) == replace(lost, generation=1)
    assert furthest(Progress(1, Position(9, 0), writes=2), lost) == lost


def test_the_number_of_writes_never_gets_lower() -> None:
    stored = Progress(1, Position(7, 0), writes=3)
    assert furthest(stored, Progress(1, Position(3, 0), writes=8)) == replace(stored, writes=8)
    for endpoint in (ENDPOINT, replace(ENDPOINT, begins_after=None)):
        assert begun(replace(endpoint, generation=2), stored, TOP).writes == 3

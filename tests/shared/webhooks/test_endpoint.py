"""Which events an endpoint gets, and how it is stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.events import LOSS_TYPES, EventType
from shared.domain.position import Position
from shared.domain.topics import ALL, Subscription, user_topic
from shared.journal.wire import JournalEntry
from shared.webhooks.endpoint import (
    DeliveryOrder,
    Endpoint,
    SealedSecret,
    encode_endpoint,
    parse_endpoint,
)
from shared.webhooks.progress import Progress
from shared.webhooks.state import EndpointState, current_progress, state_of
from tests.shared.samples import R, S

TOPICS = ["7", "8", user_topic(S), user_topic(R)]
SOME = st.lists(st.sampled_from([*TOPICS, ALL]), min_size=1, unique=True).map(tuple)
TYPES = st.frozensets(st.sampled_from(EventType), max_size=3)
ENTRIES = st.builds(
    JournalEntry,
    st.just("5-1"),
    st.just("5-0"),
    st.sampled_from(EventType),
    st.lists(st.sampled_from(TOPICS), unique=True).map(tuple),
    st.just(b"{}"),
)
POSITIONS = st.builds(Position, st.integers(0, 1 << 63), st.integers(0, 1 << 63))
SECRETS = st.lists(
    st.builds(SealedSecret, st.text(), st.none() | st.integers(0, 1 << 40)), min_size=1
)
ENDPOINTS = st.builds(
    Endpoint,
    id=st.just("wh_5f0c1d2e3a4b5f0c1d2e3a4b"),
    account=st.sampled_from([S, R, "", "key-5f0c"]),
    url=st.text(),
    subscription=st.builds(Subscription, SOME, TYPES),
    secrets=SECRETS.map(tuple),
    created=st.integers(0, 1 << 40),
    begins_after=st.none() | POSITIONS,
    sees_all=st.booleans(),
    description=st.text(),
    batch=st.integers(1, 100),
    order=st.sampled_from(DeliveryOrder),
    enabled=st.booleans(),
    revision=st.integers(1, 1 << 40),
    generation=st.integers(1, 1 << 40),
)


@given(ENDPOINTS)
def test_an_endpoint_is_read_as_it_was_stored(endpoint: Endpoint) -> None:
    assert parse_endpoint(encode_endpoint(endpoint)) == endpoint


@given(ENDPOINTS, ENTRIES)
def test_an_endpoint_gets_what_it_asked_for_and_its_owner_may_see(
    endpoint: Endpoint, entry: JournalEntry
) -> None:
    topics, types = endpoint.subscription.topics, endpoint.subscription.types
    is_broadcast = not entry.topics
    is_asked_for = is_broadcast or ALL in topics or bool({*topics} & {*entry.topics})
    is_of_type = not types or entry.type in types or entry.type in LOSS_TYPES
    is_own = is_broadcast or endpoint.sees_all or user_topic(endpoint.account) in entry.topics
    passes_loss = bool(types) and entry.type in LOSS_TYPES and entry.type not in types
    assert endpoint.wants(entry) == (is_asked_for and is_of_type and (is_own or passes_loss))


@pytest.mark.parametrize(
    ("enabled", "progress", "state"),
    [
        (True, None, EndpointState.ACTIVE),
        (True, Progress(2, Position(7, 1)), EndpointState.ACTIVE),
        (True, Progress(2, Position(7, 1), failures=1), EndpointState.FAILING),
        (True, Progress(2, Position(7, 1), disabled="gone"), EndpointState.DISABLED),
        (False, Progress(2, Position(7, 1), disabled="gone"), EndpointState.PAUSED),
        (True, Progress(1, Position(7, 1), disabled="gone"), EndpointState.ACTIVE),
    ],
)
def test_the_state_is_that_of_the_present_generation(
    enabled: bool, progress: Progress | None, state: EndpointState
) -> None:
    endpoint = Endpoint(
        id="wh_5f0c1d2e3a4b5f0c1d2e3a4b",
        account=S,
        url="https://shop.example/",
        subscription=Subscription(("7",)),
        secrets=(),
        created=1,
        begins_after=None,
        enabled=enabled,
        generation=2,
    )
    assert state_of(endpoint, progress) == state
    is_current = progress is not None and progress.generation == 2
    assert current_progress(endpoint, progress) == (progress if is_current else None)

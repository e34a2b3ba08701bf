"""Properties of the checker: a correct story has no violation, an incorrect one has."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.checker import ExpectedEvent, Kind, ReceivedFrame, SubscriberView
from tests.chaos.test_checker import connected, fact, gap, kinds, received
from tests.support.tier import examples

PARTIES = ("alice", "bob", "carol")

audiences = st.builds(
    SubscriberView,
    everything=st.booleans(),
    accounts=st.frozensets(st.sampled_from(PARTIES)),
    streams=st.frozensets(st.sampled_from("123")),
    holder=st.sampled_from([None, *PARTIES]),
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[ExpectedEvent]:
    count = draw(st.integers(2, 25))
    return [
        fact(
            n,
            draw(st.sampled_from([None, *"123"])),
            *draw(st.frozensets(st.sampled_from(PARTIES), min_size=1)),
        )
        for n in range(1, count + 1)
    ]


@st.composite
def stories(draw: st.DrawFn) -> tuple[SubscriberView, list[ReceivedFrame], list[ExpectedEvent]]:
    """A correct client: it is disconnected anywhere, reconnects, and gets a gap sometimes."""
    asked, facts = draw(audiences), draw(ledgers())
    story, cursor = [connected()], 0
    for each in facts:
        toid = each.position.toid
        if draw(st.integers(0, 5)) == 0:
            story.append(connected(cursor))
        if draw(st.integers(0, 9)) == 0:
            story.append(gap(cursor, toid))
        elif asked.is_for(each):
            story.append(received(each))
        else:
            continue
        cursor = toid
    return asked, story, facts


@settings(max_examples=examples(40))
@given(stories())
def test_a_story_that_keeps_the_rules_passes(
    drawn: tuple[SubscriberView, list[ReceivedFrame], list[ExpectedEvent]],
) -> None:
    asked, story, facts = drawn
    assert kinds(asked, story, facts) == []


def events(story: list[ReceivedFrame]) -> list[int]:
    return [n for n, each in enumerate(story) if each.name == "stream.paused"]


@settings(max_examples=examples(40))
@given(stories(), st.data())
def test_a_removed_event_is_missing(
    drawn: tuple[SubscriberView, list[ReceivedFrame], list[ExpectedEvent]], data: st.DataObject
) -> None:
    asked, story, facts = drawn
    if indexes := events(story):
        n = data.draw(st.sampled_from(indexes))
        wrong = kinds(asked, story[:n] + story[n + 1 :], facts)
        assert wrong == [Kind.MISSING]


@settings(max_examples=examples(40))
@given(stories(), st.data())
def test_a_repeated_event_is_a_duplicate(
    drawn: tuple[SubscriberView, list[ReceivedFrame], list[ExpectedEvent]], data: st.DataObject
) -> None:
    asked, story, facts = drawn
    if indexes := events(story):
        n = data.draw(st.sampled_from(indexes))
        again = data.draw(st.integers(n + 1, len(story)))
        assert Kind.DUPLICATE in kinds(asked, [*story[:again], story[n], *story[again:]], facts)


@settings(max_examples=examples(40))
@given(stories(), st.data())
def test_two_swapped_events_are_out_of_order(
    drawn: tuple[SubscriberView, list[ReceivedFrame], list[ExpectedEvent]], data: st.DataObject
) -> None:
    asked, story, facts = drawn
    if len(indexes := events(story)) > 1:
        n = data.draw(st.integers(0, len(indexes) - 2))
        a, b = indexes[n], indexes[n + 1]
        swapped = [*story]
        swapped[a], swapped[b] = story[b], story[a]
        assert Kind.DISORDER in kinds(asked, swapped, facts)


@settings(max_examples=examples(40))
@given(stories(), st.data())
def test_an_added_event_for_others_is_a_leak(
    drawn: tuple[SubscriberView, list[ReceivedFrame], list[ExpectedEvent]], data: st.DataObject
) -> None:
    asked, story, facts = drawn
    if others := [each for each in facts if not asked.is_for(each)]:
        each = data.draw(st.sampled_from(others))
        index = next((n for n, s in enumerate(story) if s.position > each.position), len(story))
        assert Kind.LEAK in kinds(asked, [*story[:index], received(each), *story[index:]], facts)

"""The events that each client library delivers while connections are cut, killed and drained.

Where a library has a defect, a test names it and shows what Headrace still guarantees.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.clients.cutting_proxy import CUTS
from tests.clients.libraries import (
    LIBRARIES,
    NAMES,
    ReceivedEvent,
    missing_requirement,
    require_library,
)
from tests.clients.scenario import Results, run_scenario
from tests.clients.setup import StepResult

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]

ResultOfStep = Callable[[str], StepResult]

DEFECTS = {
    *(("aiohttp_sse", where) for where in CUTS),
    *(("sseclient", where) for where in ("in the data", "after the data", "in the id")),
    ("fetch_event_source", "before the blank line"),
}
"""Cases in which a library delivers an event that EOF has cut. Each has a test below."""


@pytest.fixture(scope="module")
def results(redis_url: str) -> Results:
    return asyncio.run(
        run_scenario(redis_url, [each for each in LIBRARIES if not missing_requirement(each)])
    )


@pytest.fixture
def result_of(results: Results) -> Callable[[str, str], StepResult]:
    """Returns the result of a library for a step. Fails the test if the library did not finish."""

    def result_of(library: str, step: str) -> StepResult:
        require_library(library)
        step_result = results[library][step]
        assert step_result.error == ""
        return step_result

    return result_of


@pytest.fixture(params=LIBRARIES)
def step_result(
    request: pytest.FixtureRequest, result_of: Callable[[str, str], StepResult]
) -> ResultOfStep:
    require_library(request.param)
    return lambda step: result_of(request.param, step)


def is_sound(event: ReceivedEvent) -> bool:
    """True if the data is complete and agrees with the id and the name."""
    if not event.is_json_object:
        return False
    data = json.loads(event.data)
    return (event.id, event.name) == (data.get("id"), data.get("type"))


def test_the_first_event_is_connected(step_result: ResultOfStep) -> None:
    connected = step_result("connected")
    (top,) = connected.committed
    first = connected.received[0]
    assert (first.name, first.id) == ("message", top)
    assert json.loads(first.data)["type"] == "connected"
    assert json.loads(first.data)["position"] == top
    assert connected.resumed_at == [""]
    assert connected.journal == []


def test_named_events_arrive_complete_and_in_order(step_result: ResultOfStep) -> None:
    live = step_result("live")
    assert live.ids == live.committed
    assert all(map(is_sound, live.journal))
    kinds = ["stream.created", "stream.fee_collected", "contract.initialized", "stream.created"]
    assert [event.name for event in live.journal] == kinds * 5
    assert live.requests == []


@pytest.mark.parametrize("step", ["cut", "killed", "drained", "overloaded"])
def test_the_library_reconnects_and_gets_each_event_once(
    step_result: ResultOfStep, step: str
) -> None:
    result = step_result(step)
    assert result.ids == result.committed
    assert all(map(is_sound, result.journal))
    assert result.resumed_at
    assert all(result.resumed_at)


def test_a_drained_replica_sends_goodbye(step_result: ResultOfStep) -> None:
    (goodbye,) = step_result("drained").named("goodbye")
    assert json.loads(goodbye.data)["reason"] == "draining"


def test_overload_of_a_full_replica_does_not_move_the_cursor(step_result: ResultOfStep) -> None:
    overloaded = step_result("overloaded")
    overloads = overloaded.named("overload")
    assert overloads
    assert all(json.loads(event.data)["retry"] >= 2000 for event in overloads)
    assert len(overloaded.resumed_at) == len(overloads) + 1
    assert len(set(overloaded.resumed_at)) == 1


def test_sync_moves_the_cursor_of_a_quiet_subscription(step_result: ResultOfStep) -> None:
    quiet, after = step_result("quiet"), step_result("cut while quiet")
    (position,) = quiet.committed
    assert position in [event.id for event in quiet.named("sync")]
    assert after.resumed_at == [position]
    assert after.named("message")[0].id == position
    assert quiet.journal == after.journal == []


def test_no_unexpected_event_and_no_repeated_connected_event_arrives(
    result_of: Callable[[str, str], StepResult], results: Results
) -> None:
    for library, steps in results.items():
        received = [
            event
            for step in steps
            if (library, step) not in DEFECTS
            for event in result_of(library, step).received
        ]
        assert {event.name for event in received} <= {*NAMES} - {"undefined", "gap", "reset"}
        assert all(event.is_json_object for event in received), library
        greetings = [json.loads(event.data) for event in received if event.name == "message"]
        assert {greeting["type"] for greeting in greetings} == {"connected"}
        clients = [greeting["clientId"] for greeting in greetings]
        assert len(set(clients)) == len(clients)
        for sync in (event for event in received if event.name == "sync"):
            assert json.loads(sync.data)["position"] == sync.id


@pytest.mark.parametrize(
    ("library", "where"),
    [(name, where) for name in LIBRARIES for where in CUTS if (name, where) not in DEFECTS],
)
def test_an_event_cut_by_eof_is_dropped_and_sent_again(
    result_of: Callable[[str, str], StepResult], library: str, where: str
) -> None:
    result = result_of(library, where)
    assert result.ids == result.committed
    assert all(map(is_sound, result.journal))
    assert len(result.resumed_at) == 1


@pytest.mark.parametrize("where", CUTS)
def test_aiohttp_sse_client2_merges_a_cut_event_with_connected(
    result_of: Callable[[str, str], StepResult], where: str
) -> None:
    """The library keeps the fields of the cut event and adds them to `connected`."""
    result = result_of("aiohttp_sse", where)
    merged, *rest = result.journal
    assert not is_sound(merged)
    assert '"type":"connected"' in merged.data
    assert [merged.id] == result.resumed_at, "the cursor stays before the cut event"
    assert [event.id for event in rest] == result.committed
    assert all(map(is_sound, rest))


def test_sseclient_py_delivers_a_cut_event_and_keeps_its_cursor(
    result_of: Callable[[str, str], StepResult],
) -> None:
    """At EOF it delivers the incomplete event, without its id. The complete event follows."""
    result = result_of("sseclient", "in the data")
    partial, *rest = result.journal
    assert not partial.is_json_object
    assert partial.id is None
    assert [event.id for event in rest] == result.committed
    assert all(map(is_sound, rest))


def test_sseclient_py_delivers_an_event_first_without_and_then_with_its_id(
    result_of: Callable[[str, str], StepResult],
) -> None:
    """The id is cut off, so the event is sent again, with the same position in its data."""
    result = result_of("sseclient", "after the data")
    early, *rest = result.journal
    assert early.id is None
    assert json.loads(early.data)["id"] == result.committed[0]
    assert [event.id for event in rest] == result.committed
    assert all(map(is_sound, rest))


def test_sseclient_py_resumes_from_a_cut_id_and_gets_reset(
    result_of: Callable[[str, str], StepResult],
) -> None:
    """A cut id is not a valid position, so the server answers with reset and nothing is skipped."""
    result = result_of("sseclient", "in the id")
    assert result.committed[0].startswith(result.journal[0].id or "none")
    assert result.resumed_at == [result.journal[0].id]
    assert len(result.named("reset")) == 1


def test_fetch_event_source_loses_an_event_cut_after_its_id(
    result_of: Callable[[str, str], StepResult],
) -> None:
    """It moves its cursor when it reads the id, before the blank line that completes the event."""
    result = result_of("fetch_event_source", "before the blank line")
    assert result.resumed_at == result.committed[:1]
    assert result.ids == result.committed[1:]
    assert all(map(is_sound, result.journal))


def test_a_browser_page_of_another_origin_needs_no_preflight_to_resume(
    result_of: Callable[[str, str], StepResult], results: Results
) -> None:
    """EventSource needs no preflight. fetch-event-source does, because it sets a header itself."""
    for library, asks in (("chromium", False), ("fetch_event_source", True)):
        require_library(library)
        heads = [head for step in results[library] for head in result_of(library, step).requests]
        assert all("\r\nOrigin: http://127.0.0.1:" in head for head in heads)
        assert any(head.startswith("OPTIONS ") for head in heads) is asks

"""The comparison of `verify`: what counts as a difference between two documents of a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from services.indexer.commands.verification import (
    Difference,
    field_differences,
    with_known_schedule,
)
from shared.domain.events import Event
from shared.domain.stream import Acceptance, Stream
from shared.journal.stream_document import stream_document
from tests.shared.samples import a_stream, at, created


def document(stream: Stream) -> dict[str, Any]:
    shown: dict[str, Any] = orjson.loads(orjson.dumps(stream_document(stream, 100)))
    return shown


def earlier(stream: Stream) -> dict[str, Any]:
    """The document as versions without these fields stored it."""
    new = ("acceptance", "schedule", "claimableUnknown")
    return {name: value for name, value in document(stream).items() if name not in new}


def test_a_document_of_an_earlier_version_is_equal() -> None:
    stream = a_stream()
    assert list(field_differences("7", "", document(stream), earlier(stream))) == []


def test_another_acceptance_is_a_difference() -> None:
    stream = a_stream()
    hidden = replace(stream, acceptance=Acceptance.HIDDEN)
    for actual in (document(stream), earlier(stream)):
        (found,) = field_differences("7", "", document(hidden), actual)
        assert found == Difference("7", "acceptance", "hidden", "accepted")


CLIFF = {"kind": "cliff", "cliffTime": 500}


@pytest.mark.parametrize(
    ("read", "stored", "expected"),
    [
        (None, None, None),
        ({"kind": "unknown"}, None, None),
        ({"kind": "unknown"}, CLIFF, CLIFF),
        (CLIFF, {"kind": "unknown"}, {"kind": "unknown"}),
        (CLIFF, None, CLIFF),
    ],
)
def test_a_schedule_that_one_of_two_does_not_know_is_no_difference(
    read: object, stored: object, expected: object
) -> None:
    def event(schedule: object) -> Event:
        return created("7", at(5), **({"schedule": schedule} if schedule else {}))

    checked = with_known_schedule(event(read), event(stored))
    assert checked.facts.get("schedule") == expected
    assert with_known_schedule(event(read), None) == event(read)

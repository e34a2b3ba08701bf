"""The comparison of `verify`: what counts as a difference between two documents of a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from services.indexer.commands.verification import Difference, field_differences
from shared.domain.stream import Acceptance, Stream
from shared.journal.stream_document import stream_document
from tests.shared.samples import a_stream


def document(stream: Stream) -> dict[str, Any]:
    shown: dict[str, Any] = orjson.loads(orjson.dumps(stream_document(stream, 100)))
    return shown


def earlier(stream: Stream) -> dict[str, Any]:
    """The document as versions without `acceptance` stored it."""
    return {name: value for name, value in document(stream).items() if name != "acceptance"}


def test_a_document_of_an_earlier_version_is_equal() -> None:
    stream = a_stream()
    assert list(field_differences("7", "", document(stream), earlier(stream))) == []


def test_another_acceptance_is_a_difference() -> None:
    stream = a_stream()
    hidden = replace(stream, acceptance=Acceptance.HIDDEN)
    for actual in (document(stream), earlier(stream)):
        (found,) = field_differences("7", "", document(hidden), actual)
        assert found == Difference("7", "acceptance", "hidden", "accepted")

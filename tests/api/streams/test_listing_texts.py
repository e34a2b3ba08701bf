"""A list looks for texts in stored documents before it decodes them. It must not lose a stream."""

from __future__ import annotations

import pytest
from hypothesis import given

from services.api.streams.listing import _texts_of
from shared.domain.stream import Acceptance, Stream
from shared.journal.indexes import indexes_of
from shared.journal.stream_document import encode_stream
from tests.shared.journal.test_wire import streams
from tests.shared.samples import a_stream


@given(streams)
def test_the_document_of_a_stream_has_all_texts_of_its_indexes(stream: Stream) -> None:
    document = encode_stream(stream, stream.updated_at)
    texts = _texts_of(indexes_of(stream), stream.acceptance)
    assert len(texts) >= 5
    assert [text for text in texts if text not in document] == []


@pytest.mark.parametrize("name", ["sender", "recipient", "status", "token", "origin", "pending"])
def test_a_document_lacks_the_text_of_another_index(name: str) -> None:
    (text,) = _texts_of(frozenset({f"{name}:other"}), None)
    assert text not in encode_stream(a_stream(), 100)


def test_documents_of_earlier_versions_have_no_acceptance() -> None:
    assert _texts_of(frozenset({"all"}), Acceptance.ACCEPTED) == []

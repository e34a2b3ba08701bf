"""The response to a repeated request, from the reference that the first request stored.

The reference names the event of the first request. The event contains the document that was the
response. If the journal has trimmed the event, the response is the current document of the stream.

See docs/decisions/0067-stored-answers-are-references.md.
"""

from __future__ import annotations

from typing import Any

import orjson

from services.api.errors import ChangeLostError
from services.api.http.idempotency import HEADER, IdempotencyKey, Reference
from shared.archive.waiting import ArchiveWait
from shared.domain.position import parse_position
from shared.journal.reader import Journal
from shared.journal.streams import StoredStreams


class StoredResponses:
    """The responses of one namespace to repeated requests."""

    def __init__(self, journal: Journal, streams: StoredStreams, archive: ArchiveWait) -> None:
        self._journal = journal
        self._streams = streams
        self._archive = archive

    async def response(self, key: IdempotencyKey, stored: bytes) -> dict[str, Any]:
        """The document of the stream after the first request.

        Raises IdempotencyKeyReusedError if the first request had another body, ChangeLostError if
        Redis no longer has what the first request wrote, and NotArchivedError.
        """
        reference = key.reference(stored)
        if not isinstance(reference, Reference):
            return reference
        await self._archive.until(reference.position)
        (entry,) = await self._journal.at([reference.position])
        if entry and entry.topics[:1] == (reference.stream_id,):
            document: dict[str, Any] = orjson.loads(entry.body)["stream"]
            return document
        return await self._current(reference)

    async def _current(self, reference: Reference) -> dict[str, Any]:
        found = (await self._streams.documents([reference.stream_id]))[reference.stream_id]
        if found is None or parse_position(found.stream.position) < reference.position:
            raise ChangeLostError(
                f"A request with this {HEADER} was carried out, but Redis has lost its change of "
                f"stream {reference.stream_id}. To make the change again, use a new key."
            )
        current: dict[str, Any] = orjson.loads(found.document)
        return current

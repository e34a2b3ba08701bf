"""Erasing the metadata of streams from archived events. Pure.

The metadata becomes empty. The entry keeps the hash that it had, so the chain can be verified.

See docs/decisions/0123-what-the-archive-forgets.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from shared.archive.hashes import entry_hash
from shared.journal.wire import JournalEntry

_EMPTY: Mapping[str, object] = {}


def erase_metadata(
    entries: Sequence[JournalEntry], erased: Mapping[str, bytes], streams: frozenset[str]
) -> tuple[list[JournalEntry], dict[str, bytes]]:
    """The entries without the metadata of these streams, and the hashes of all erased originals.

    `erased`: the hashes of the originals of entries that were erased before, by position.
    """
    hashes, left = dict(erased), []
    for entry in entries:
        body = _without_metadata(entry.body) if not streams.isdisjoint(entry.topics) else None
        if body is not None:
            hashes.setdefault(entry.position, entry_hash(entry))
        left.append(entry if body is None else entry._replace(body=body))
    return left, hashes


def _without_metadata(body: bytes) -> bytes | None:
    """The body of an event with empty metadata; None if it has none."""
    event: dict[str, Any] = orjson.loads(body)
    holders = [each for each in (event, event.get("stream")) if each and each.get("metadata")]
    for each in holders:
        each["metadata"] = _EMPTY
    return orjson.dumps(event) if holders else None

"""Keeps the whole journal of a soak, because Redis trims its old end. Uses little memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import orjson

from shared.domain.position import START, parse_position
from shared.journal.reader import Journal, JournalPage
from shared.journal.wire import JournalEntry
from tests.chaos.run import Run
from tests.chaos.world import KEYS, World
from tests.support.pace import last

_LONG = 1500
"""Bytes of a body. Only the metadata of a flood makes a body longer."""


class JournalRecorder:
    """`journal` has all entries; the clients' frames share the text of each event with it."""

    def __init__(self, system: World, chaos_run: Run) -> None:
        self.journal: list[JournalEntry] = []
        self._reader = Journal(system.redis, KEYS)
        self._chaos_run = chaos_run
        self._bodies: dict[str, str] = {}
        self._seen: Counter[str] = Counter()

    async def record(self) -> None:
        """Read new entries until cancelled."""
        while True:
            await self._read()
            self._share_bodies()
            await last(1.0)

    async def read_all(self) -> list[JournalEntry]:
        """All entries up to now."""
        await self._read()
        self._share_bodies()
        return self.journal

    async def _read(self) -> None:
        """Read the new entries. If some were already trimmed, the check reports them as lost."""
        while True:
            after = parse_position(self.journal[-1].position) if self.journal else START
            match await self._reader.after(after):
                case JournalPage(entries, _):
                    self.journal += [
                        entry._replace(body=shortened(entry.body)) for entry in entries
                    ]
                case _:
                    return

    def _share_bodies(self) -> None:
        """Let all clients share one copy of the text of each event."""
        for client in self._chaos_run.clients:
            for n in range(self._seen[client.name], len(client.frames)):
                frame = client.frames[n]
                body = shortened(frame.body.encode()).decode()
                client.frames[n] = replace(frame, body=self._bodies.setdefault(body, body))
            self._seen[client.name] = len(client.frames)


def shortened(body: bytes) -> bytes:
    """The body of an event. In a long body, a hash of the body replaces the metadata.

    Two bodies are equal if their short forms are.
    """
    if len(body) < _LONG or b'"metadata"' not in body:
        return body
    document = orjson.loads(body)
    document.pop("metadata", None)
    document.get("stream", {}).pop("metadata", None)
    return orjson.dumps(document | {"hash": hashlib.sha256(body).hexdigest()})

"""Parses an event stream from chunks of bytes, and checks the rules in docs/events.md."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """A dispatched event. `own_id` is its `id:` line, `id` the lastEventId after it."""

    name: str
    data: str
    id: str
    own_id: str | None
    retry: int | None
    at: float

    @property
    def json(self) -> Any:
        """The data as JSON."""
        return json.loads(self.data)


class Parser:
    """Turns bytes into events. Keeps `last_id` and `retry` like an EventSource."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retry: int | None = None
        self.faults: list[str] = []
        self._rest = b""
        self._clear()

    def _clear(self) -> None:
        self._fields: list[tuple[str, str]] = []

    @property
    def unfinished(self) -> bool:
        """Whether the bytes so far end inside an event, before its blank line."""
        return bool(self._rest or self._fields)

    def feed(self, data: bytes) -> list[Event]:
        """Parse bytes. Returns the events that they complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")  # the fanout never sends CR
        events = []
        for raw in lines:
            line = raw.decode("utf-8")
            if "\r" in line or "\0" in line:
                self.faults.append(f"CR or NUL in {line[:80]!r}")
            if line == "":
                events += self._dispatch()
            elif not line.startswith(":"):
                field, _, value = line.partition(":")
                self._fields.append((field, value.removeprefix(" ")))
        return events

    def _dispatch(self) -> list[Event]:
        fields, named = self._fields, dict(self._fields)
        self._clear()
        if "retry" in named and named["retry"].isdigit():
            self.retry = int(named["retry"])
        self.last_id = named.get("id", self.last_id)
        if "data" not in named:
            self.faults.append(f"a block without data: {fields}")
            return []
        if len(named) != len(fields):
            self.faults.append(f"a field twice: {fields}")
        if "id" in named and fields[-1][0] != "id":
            self.faults.append(f"id is not last: {fields}")
        return [
            Event(
                name=named.get("event", "message"),
                data="\n".join(value for field, value in fields if field == "data"),
                id=self.last_id,
                own_id=named.get("id"),
                retry=int(named["retry"]) if "retry" in named else None,
                at=time.monotonic(),
            )
        ]


class Chunks:
    """Decodes the chunked transfer coding of HTTP/1.1 (RFC 9112 7.1), which gateways send."""

    def __init__(self) -> None:
        self._rest = b""
        self._left = 0  # remaining bytes of the current chunk, with its CRLF

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body in these bytes."""
        self._rest += data
        body = b""
        while self._rest:
            if not self._left:
                size, found, rest = self._rest.partition(b"\r\n")
                if not found:
                    break
                self._rest, self._left = rest, int(size.partition(b";")[0], 16) + 2
            part = self._rest[: self._left]
            self._rest, self._left = self._rest[len(part) :], self._left - len(part)
            body += part[: max(0, len(part) + min(0, self._left - 2))]
        return body

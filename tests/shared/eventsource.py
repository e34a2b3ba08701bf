"""A strict EventSource parser that follows WHATWG HTML 9.2.6 step by step."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A message that a browser dispatches: type, data and lastEventId."""

    type: str
    data: str
    last_id: str


def parse(body: bytes) -> tuple[list[Message], str]:
    """The messages of a complete response, and the lastEventId for a reconnect."""
    text = body.decode("utf-8").removeprefix("\ufeff")
    *lines, _cut_off = re.split(r"\r\n|\n|\r", text)
    messages: list[Message] = []
    last_id = id_buffer = ""
    data: list[str] = []
    kind = ""
    for line in lines:
        if line == "":
            last_id = id_buffer
            if data:
                messages.append(Message(kind or "message", "\n".join(data), last_id))
            data, kind = [], ""
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            id_buffer = value
    return messages, last_id

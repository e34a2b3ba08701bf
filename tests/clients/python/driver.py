"""Common parts of the drivers for Python libraries. They print one line of JSON per event."""

from __future__ import annotations

import json
import os
import select
import sys
import threading

URL, NAMES = sys.argv[1:3]


def report(name: str, event_id: str | None, data: str) -> None:
    """Print one event as the library gave it to its application."""
    print(json.dumps({"name": name, "id": event_id, "data": data}), flush=True)


def end_with_stdin() -> None:
    """End this process when the test closes stdin."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def pause(milliseconds: float) -> None:
    """Wait before a reconnect."""
    if select.select([sys.stdin], [], [], milliseconds / 1000)[0]:
        sys.exit()

"""httpx-sse: it reads one response. The application must reconnect with the last id."""

from __future__ import annotations

import httpx
from driver import URL, pause, report
from httpx_sse import connect_sse


def main() -> None:
    last, retry = "", 1000
    with httpx.Client(timeout=None, trust_env=False) as client:
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            try:
                with connect_sse(client, "GET", URL, headers=headers) as source:
                    for event in source.iter_sse():
                        report(event.event, event.id, event.data)
                        last, retry = event.id or last, event.retry or retry
            except httpx.TransportError:
                pass
            pause(retry)


main()

"""sseclient-py: it parses one response. The application must reconnect with the last id."""

from __future__ import annotations

import httpx
import sseclient
from driver import URL, pause, report


def main() -> None:
    last, retry = "", 1000
    with httpx.Client(timeout=None, trust_env=False) as client:
        while True:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            try:
                with client.stream("GET", URL, headers=headers) as response:
                    for event in sseclient.SSEClient(response.iter_bytes()).events():
                        report(event.event, event.id, event.data)
                        last, retry = event.id or last, int(event.retry or retry)
            except httpx.TransportError:
                pass
            pause(retry)


main()

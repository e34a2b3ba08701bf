"""aiohttp-sse-client2: it reconnects after EOF, and stops when a connection is refused.

Importing it changes aiohttp.StreamReader in the whole process, so it has a separate process.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
from aiohttp_sse_client2.client import EventSource
from driver import URL, end_with_stdin, report


async def main() -> None:
    end_with_stdin()
    last = ""
    while True:
        source = EventSource(
            URL,
            reconnection_time=timedelta(milliseconds=100),
            max_connect_retry=5,
            timeout=aiohttp.ClientTimeout(),
            headers={"Last-Event-ID": last} if last else {},
        )
        try:
            async with source:
                async for event in source:
                    report(event.type or "message", event.last_event_id, event.data)
                    last = event.last_event_id or last
        except aiohttp.ClientError:
            continue


asyncio.run(main())

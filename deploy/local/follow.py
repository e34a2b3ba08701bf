"""Prints a line for each event that arrives through the gateway, as any subscriber gets it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson

from shared.domain.instant import unix_seconds
from shared.web import client as http

_SHOWN = ("amount", "depositedAmount", "newDepositedAmount", "totalWithdrawn", "refundedAmount")


class SubscribeRefusedError(Exception):
    """The gateway or a fanout answered with a status other than 200. The message has the answer."""


async def follow(url: str) -> None:
    """Print events until cancelled. After a lost connection, resume from the last id.

    If a connection is refused, print the reason. Print each reason only once.
    """
    last: str | None = None
    last_refusal: SubscribeRefusedError | None = None
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
    async with http.session(timeout=timeout, read_bufsize=1 << 20) as session:
        while True:
            try:
                async for name, data, position in events(session, url, last):
                    last = position or last
                    if "." in name:  # frames of the fanout, such as `sync`, have no dot
                        print(line(name, orjson.loads(data), time.time()), flush=True)
            except (aiohttp.ClientError, TimeoutError):
                pass
            except SubscribeRefusedError as error:
                if last_refusal is None or error.args != last_refusal.args:
                    print(f"  no events are shown here: {error}", flush=True)
                last_refusal = error
            await asyncio.sleep(0.5)


async def events(
    session: aiohttp.ClientSession, url: str, last: str | None
) -> AsyncIterator[tuple[str, str, str | None]]:
    """Connect once and yield the name, data and id of each event after the id `last`.

    Raises SubscribeRefusedError.
    """
    headers = {"Last-Event-ID": last} if last else {}
    async with session.get(url, headers=headers) as response:
        if response.status != 200:
            raise SubscribeRefusedError(f"{response.status} {await response.text()}")
        fields: dict[str, str] = {}
        async for raw in response.content:
            name, colon, value = raw.decode().rstrip("\n").partition(": ")
            if colon:
                fields[name] = value
            elif fields:
                yield fields.get("event", ""), fields.get("data", "{}"), fields.get("id")
                fields = {}


def line(name: str, event: dict[str, Any], now: float) -> str:
    """One event as text: `stream.withdrawn  #3  amount 1100  ledger 370, 0.8 s after its close`."""
    facts = ", ".join(f"{key} {event[key]}" for key in _SHOWN if key in event)
    stream = f"#{event['streamId']}" if event.get("streamId") else "-"
    if closed := event.get("ledgerClosedAt"):
        late = now - unix_seconds(closed)
        where = f"ledger {event['ledger']}, {late:.1f} s after its close"
    else:
        where = f"by the API, {(now - event['publishedAt'] / 1e6) * 1000:.0f} ms after its commit"
    return f"  {time.strftime('%H:%M:%S')}  {name:<28} {stream:<6} {facts:<44} {where}"

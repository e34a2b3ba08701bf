"""What a receiver answered: the beginning of the body, and what the status means."""

from __future__ import annotations

import asyncio
import re

import aiohttp

from services.webhooks.metrics import Outcome
from shared.web.client import http_date

SHOWN_BYTES = 256
"""How much of the body the owner sees."""

READ_BYTES = 4_096
"""A longer body is cut, and the connection is closed."""

BODY_SECONDS = 1.0
"""The body is only for the eyes of the owner, so nobody waits longer for it."""

_SECONDS = re.compile(r"\d{1,10}", re.ASCII)


async def read_head(response: aiohttp.ClientResponse) -> str:
    """The beginning of the body, as text. The connection can be used again if the body was short.

    The status has come already, and it counts: a body that breaks off or never ends is no error.
    """
    content, head = response.content, b""
    if content.at_eof():
        return ""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while len(head) < READ_BYTES and not content.at_eof():
                head += await content.read(READ_BYTES)
    except (aiohttp.ClientError, OSError):
        pass
    finally:
        if not content.at_eof():
            response.close()
    return printable(head[:SHOWN_BYTES])


def printable(head: bytes) -> str:
    """Bytes as text. What cannot be shown is a replacement character."""
    text = head.decode(errors="replace")
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def outcome_of(status: int) -> Outcome:
    """What a status means. Only 2xx acknowledges (Standard Webhooks)."""
    if 200 <= status < 300:
        return Outcome.TAKEN
    return Outcome.GONE if status == 410 else Outcome.REFUSED


def explanation(status: int, host: str) -> str:
    """What is wrong with a status, for the owner. "" for 2xx."""
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return (
            f"{host} answered {status}, a redirect, which is not followed: change the URL of the "
            "webhook to the final address"
        )
    if status == 410:
        return f"{host} answered 410 (Gone): it wants no more events"
    return f"{host} answered {status}: expected 2xx, which says that the event was taken"


def retry_after(header: str | None, now: float) -> float | None:
    """The seconds of a Retry-After header (RFC 9110, 10.2.3). `now` is in Unix seconds.

    None if there is no such header, or it is neither a number of seconds nor a date.
    """
    if header is None:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    date = http_date(header)
    return None if date is None else max(0.0, date.timestamp() - now)

"""Ids of the API's own streams: `api-<uuid7>`. Sorted as text, they are in order of creation."""

from __future__ import annotations

import secrets
from uuid import UUID

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def uuid7(milliseconds: int, entropy: int) -> UUID:
    """A UUID version 7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then 74 bits of `entropy`.

    Pure. If an argument has more bits, the higher bits are ignored.
    """
    time = (milliseconds & (1 << 48) - 1) << 80
    rand_a = (entropy >> 62 & (1 << 12) - 1) << 64
    rand_b = entropy & (1 << 62) - 1
    return UUID(int=time | _VERSION | rand_a | _VARIANT | rand_b)


def new_stream_id(now: float) -> str:
    """A new, unique id; `now` is in Unix seconds."""
    return f"api-{uuid7(int(now * 1000), secrets.randbits(74))}"

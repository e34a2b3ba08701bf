"""Positions: the ids of events, and their order. Pure."""

from __future__ import annotations

from functools import lru_cache

START = "0-0"
"""The position before the first event of every server."""


@lru_cache(maxsize=256)
def position_key(position: str) -> tuple[int, int]:
    """The two numbers of `<toid>-<n>`, by which positions are ordered.

    Raises ValueError if the text is no position.
    """
    toid, dash, n = position.partition("-")
    if not (dash and toid.isascii() and toid.isdecimal() and n.isascii() and n.isdecimal()):
        raise ValueError(
            f"{position[:64]!r} is not a position: expected <toid>-<n>, such as 16010972359577600-1"
        )
    return int(toid), int(n)


def is_after(position: str, other: str) -> bool:
    """True if `position` comes after `other` in the order of the events."""
    return position_key(position) > position_key(other)

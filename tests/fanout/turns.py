"""Lets a test advance the event loop by one turn."""

from __future__ import annotations

from collections.abc import Generator


class _Turn:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def turn() -> None:
    """Run everything that is ready, once."""
    await _Turn()

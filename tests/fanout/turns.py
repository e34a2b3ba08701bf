"""Turns of the loop, for tests of what happens between them."""

from __future__ import annotations

from collections.abc import Generator


class _Turn:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def turn() -> None:
    """Let everything that is ready run once."""
    await _Turn()

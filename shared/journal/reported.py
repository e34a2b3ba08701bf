"""Remembers what was reported, so that each loss is logged and counted once. Pure."""

from __future__ import annotations

from collections.abc import Hashable

_MOST = 10_000


class Reported:
    """The names of what was reported. After 10,000 names it forgets all, to bound its memory."""

    def __init__(self) -> None:
        self._names: set[Hashable] = set()

    def is_new(self, name: Hashable) -> bool:
        """Remember the name. False if it was remembered already."""
        if name in self._names:
            return False
        if len(self._names) >= _MOST:
            self._names.clear()
        self._names.add(name)
        return True

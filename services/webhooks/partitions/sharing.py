"""How dispatchers share the partitions. Pure.

See docs/decisions/0128-webhooks-are-in-partitions.md.
"""

from __future__ import annotations

from collections.abc import Collection
from zlib import crc32

PARTITIONS = 64
"""More dispatchers than this have nothing to do."""


def partition_of(endpoint_id: str) -> int:
    """The partition of an endpoint. It never changes."""
    return crc32(endpoint_id.encode()) % PARTITIONS


def fair_share(members: int) -> int:
    """The most partitions that one of so many dispatchers has. All shares together are enough."""
    return -(-PARTITIONS // max(1, members))


def surplus(held: Collection[int], members: int) -> list[int]:
    """The partitions that a dispatcher gives up, because others have too few."""
    return sorted(held)[fair_share(members) :]


def wanted(held: Collection[int], free: Collection[int], members: int, *, first: int) -> list[int]:
    """The free partitions that a dispatcher tries to take, and that it does not have.

    One that it has is free if its lease has expired. Then the next renewal says so.

    The search begins at `first`. Dispatchers that start together begin at different partitions, so
    they rarely want the same one.
    """
    missing = max(0, fair_share(members) - len(held))
    others = set(free).difference(held)
    return sorted(others, key=lambda number: (number - first) % PARTITIONS)[:missing]

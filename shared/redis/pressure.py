"""What Redis is short of: memory, or a disk that it can write to. Pure.

The sentences are for operators, in the notes of /readyz, and for clients whose change is refused.

See docs/decisions/0100-memory-and-disk-are-told-before-they-are-full.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REFUSE_FROM = 0.8
"""From this fraction of maxmemory on, the API changes no streams.

The rest is for writes that cannot wait: events of the chain, logins and revocations. A fifth of
1 GB has room for about 100,000 events, which is more than an hour at 25 events a second. It also
has room for what all replicas of the API can write between two checks.
"""


def memory_reason(info: Mapping[str, Any]) -> str | None:
    """Why no stream may be changed, from an answer of INFO; None if there is enough memory.

    Without maxmemory, or without these fields, Redis never counts as full.
    """
    used, limit = info.get("used_memory", 0), info.get("maxmemory", 0)
    if not limit or used < REFUSE_FROM * limit:
        return None
    if used >= limit:
        return f"The memory of Redis is {used / limit:.0%} full, so Redis refuses every write"
    return (
        f"The memory of Redis is {used / limit:.0%} full, and from {REFUSE_FROM:.0%} on the API "
        "changes no streams, so that events of the chain still fit"
    )


def disk_reason(info: Mapping[str, Any]) -> str | None:
    """What Redis could not write to its disk, from an answer of INFO; None if it wrote all.

    Managed services omit some fields. A missing field is assumed to be fine.
    """
    for field, consequence in _FAILURES.items():
        if info.get(field, "ok") != "ok":
            return f"{consequence} ({field} is {info[field]}): free space on the disk of Redis"
    return None


_FAILURES = {
    "aof_last_write_status": "Redis cannot write its append-only file, so it refuses every write",
    "aof_last_bgrewrite_status": (
        "Redis could not rewrite its append-only file, so the file grows until the disk is full"
    ),
    "rdb_last_bgsave_status": "Redis could not write a snapshot, which backups and replicas need",
}

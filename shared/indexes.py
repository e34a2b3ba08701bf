"""Indexes: by what a stream can be listed, as names of sorted sets and the member it has in them.

Pure. All members score 0, so a set is in the order of its members: creation time, then id. A member
never changes while its stream lives, so a page's cursor is the last member read.
"""

from __future__ import annotations

from shared.streams import Stream

EVERYTHING = "all"


def indexes_of(stream: Stream) -> frozenset[str]:
    """The names of the indexes that a stream stands in now."""
    return frozenset(
        {
            EVERYTHING,
            f"sender:{stream.sender}",
            f"recipient:{stream.recipient}",
            f"user:{stream.sender}",
            f"user:{stream.recipient}",
            f"status:{stream.status}",
            f"token:{stream.token}",
            f"origin:{stream.origin}",
        }
    )


def member_of(stream: Stream) -> str:
    """`<createdAt, 12 digits>:<id, numbers padded>`: sorts as text into order of creation."""
    return f"{stream.created_at:012d}:{stream.id:0>20}"


def stream_id_of(member: str) -> str:
    """The stream's id in a member."""
    padded = member.partition(":")[2]
    return padded if padded.startswith("api-") else padded.lstrip("0")


def changes(before: Stream | None, after: Stream) -> list[tuple[bool, str]]:
    """What a commit must do to the indexes: (True, name) to add, (False, name) to remove."""
    old = indexes_of(before) if before else frozenset()
    new = indexes_of(after)
    return [(True, n) for n in sorted(new - old)] + [(False, n) for n in sorted(old - new)]

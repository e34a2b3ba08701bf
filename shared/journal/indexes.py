"""Indexes: by what a stream can be listed, as names of sorted sets and the member it has in them.

Pure. In the order of creation and of the latest change, all members score 0, so that a set is in
the order of its members: time, then id. A member by creation never changes while its stream lives,
so a page's cursor is the last member read. The schedules hold bare ids by the time of the next
notice about a stream's end.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.domain.commands import next_notice
from shared.domain.events import Origin
from shared.domain.stream import Stream

EVERYTHING = "all"

_FAR = 1 << 53
"""Scores are doubles; what is due later than this is as good as never."""


class IndexChange(NamedTuple):
    """What a commit does to one index; `add` says with which score, or to remove."""

    add: bool
    name: str
    member: str
    score: int = 0


def indexes_of(stream: Stream) -> frozenset[str]:
    """The names of the indexes by creation that a stream stands in now."""
    return frozenset(_by_creation(stream))


def _by_creation(stream: Stream) -> tuple[str, ...]:
    return (
        EVERYTHING,
        f"sender:{stream.sender}",
        f"recipient:{stream.recipient}",
        f"user:{stream.sender}",
        f"user:{stream.recipient}",
        f"status:{stream.status}",
        f"token:{stream.token}",
        f"origin:{stream.origin}",
    )


def by_change(name: str) -> str | None:
    """The index in the order of the latest change that holds at least what `name` holds."""
    kind, _, rest = name.partition(":")
    if kind in ("sender", "recipient"):
        return f"updated:user:{rest}"
    return f"updated:{name}" if kind in (EVERYTHING, "user", "status") else None


def notice_schedule(origin: Origin) -> str:
    """The index of when to tell next about the ends of streams: their time is not one clock's."""
    return f"schedule:{origin}"


def member_of(stream: Stream) -> str:
    """`<createdAt, 12 digits>:<id, numbers padded>`: sorts as text into order of creation."""
    return f"{stream.created_at:012d}:{stream.id:0>20}"


def changed_member_of(stream: Stream) -> str:
    """The same with updatedAt: sorts into order of the latest change."""
    return f"{stream.updated_at:012d}:{stream.id:0>20}"


def stream_id_of(member: str) -> str:
    """The stream's id in a member."""
    padded = member.partition(":")[2]
    return padded if padded.startswith("api-") else padded.lstrip("0")


def entries_of(stream: Stream) -> dict[tuple[str, str], int]:
    """Every place of a stream: (index, member) and its score."""
    names = _by_creation(stream)
    created, changed = member_of(stream), changed_member_of(stream)
    entries = {(name, created): 0 for name in names}
    entries |= {(name, changed): 0 for each in names if (name := by_change(each))}
    if (due := next_notice(stream)) is not None:
        entries[notice_schedule(stream.origin), stream.id] = min(due, _FAR)
    return entries


def index_changes(before: Stream | None, after: Stream) -> list[IndexChange]:
    """What a commit must do to the indexes."""
    old = entries_of(before) if before else {}
    new = entries_of(after)
    added = [IndexChange(True, *at, score) for at, score in new.items() if old.get(at) != score]
    return added + [IndexChange(False, *at) for at in old if at not in new]

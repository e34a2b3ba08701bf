"""Indexes of streams: which sorted sets a stream belongs to, and its member in each. Pure.

There are indexes in the order of creation, and indexes in the order of the latest change. All their
scores are 0, so Redis sorts the members as text: by time, then by id. In an index by creation a
member never changes, so the cursor of a page is the last member that was read. The notice schedules
hold stream ids, scored by the time at which the next notice about the end of the stream is due.

`user:<account>` has the streams that the account sends, and those that it receives and has
accepted. What it has not accepted is in `pending:<account>` or `hidden:<account>` instead. So a
flood of streams from others neither fills the account's own list nor slows its summary down.
`updated:user:<account>` has all these streams, because it also serves lists by sender, recipient
and acceptance.

`tokens` has the tokens of all streams. The score is the time when the indexer reads the token next
(shared.journal.tokens). A token is never removed.

See docs/decisions/0018-notices-from-a-schedule.md,
docs/decisions/0073-recipients-accept-streams.md,
docs/decisions/0084-tokens-name-themselves.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from shared.domain.commands import next_notice
from shared.domain.events import Origin
from shared.domain.stream import Acceptance, Stream
from shared.domain.strkeys import account_of_login, is_contract

EVERYTHING = "all"
TOKENS = "tokens"

_FAR = 1 << 53
"""Scores are doubles, which are exact up to this number. A notice due later is never sent."""


class IndexChange(NamedTuple):
    """One change of an index: add the member with this score, or remove it."""

    add: bool
    name: str
    member: str
    score: int = 0


def indexes_of(stream: Stream) -> frozenset[str]:
    """The names of the stream's indexes, only of the indexes in the order of creation."""
    return frozenset(_by_creation(stream))


def made_by(account: str) -> str:
    """The index of the API streams that an account has made, also with its muxed addresses.

    Streams from before this index existed are not in it.
    """
    return f"made-by:{account_of_login(account)}"


def _by_creation(stream: Stream) -> tuple[str, ...]:
    return (
        EVERYTHING,
        f"sender:{stream.sender}",
        f"recipient:{stream.recipient}",
        f"user:{stream.sender}",
        received(stream.recipient, stream.acceptance),
        f"status:{stream.status}",
        f"token:{stream.token}",
        of_origin(stream.origin),
    )


def received(recipient: str, acceptance: Acceptance) -> str:
    """The index of the streams to which this recipient has given this answer.

    The index of accepted streams also has the streams that the account sends.
    """
    return f"{'user' if acceptance is Acceptance.ACCEPTED else acceptance}:{recipient}"


@lru_cache(maxsize=4096)
def by_change(name: str) -> str | None:
    """The index of the same streams in the order of their latest change; None if there is none."""
    kind, _, rest = name.partition(":")
    if kind in ("sender", "recipient", Acceptance.PENDING, Acceptance.HIDDEN):
        return f"updated:user:{rest}"
    return f"updated:{name}" if kind in (EVERYTHING, "user", "status") else None


def notice_schedule(origin: Origin) -> str:
    """The schedule of notices. Each origin has its own schedule, because each has its own clock."""
    return f"schedule:{origin}"


def of_origin(origin: Origin) -> str:
    """The index of all streams of an origin."""
    return f"origin:{origin}"


def token_entry(stream: Stream) -> dict[str, int]:
    """The stream's token with the score of a new token in `tokens`: it is read at once.

    Strangers can make API streams with tokens that do not exist. So new tokens of chain streams
    are read first, and a flood of API streams does not delay them. Empty if the token is not a
    contract.
    """
    score = 0 if stream.origin is Origin.CHAIN else 1
    return {stream.token: score} if is_contract(stream.token) else {}


def member_of(stream: Stream) -> str:
    """`<createdAt, 12 digits>:<id, padded>`, so that members sort in the order of creation."""
    return f"{stream.created_at:012d}:{stream.id:0>20}"


def changed_member_of(stream: Stream) -> str:
    """`<updatedAt, 12 digits>:<id, padded>`, so that members sort in the order of change."""
    return f"{stream.updated_at:012d}:{stream.id:0>20}"


def stream_id_of(member: str) -> str:
    """The stream id in a member."""
    padded = member.partition(":")[2]
    return padded if padded.startswith("api-") else padded.lstrip("0")


def entries_of(stream: Stream) -> dict[tuple[str, str], int]:
    """The score of each index entry of a stream. An entry is a pair (index, member)."""
    names = _by_creation(stream)
    created, changed = member_of(stream), changed_member_of(stream)
    entries = {(name, created): 0 for name in names}
    entries |= {(name, changed): 0 for each in names if (name := by_change(each))}
    if stream.origin is Origin.API:
        entries[made_by(stream.sender), created] = 0
    if (due := next_notice(stream)) is not None:
        entries[notice_schedule(stream.origin), stream.id] = min(due, _FAR)
    return entries


def index_changes(before: Stream | None, after: Stream) -> list[IndexChange]:
    """The changes that a commit must make to the indexes."""
    old = entries_of(before) if before else {}
    new = entries_of(after)
    added = [IndexChange(True, *at, score) for at, score in new.items() if old.get(at) != score]
    return added + [IndexChange(False, *at) for at in old if at not in new]

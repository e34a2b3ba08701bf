"""Why a commit is refused: one error for each outcome of commit.lua that is not a success."""

from __future__ import annotations

from collections.abc import Sequence

from shared.domain.errors import HeadraceError
from shared.journal.plan import SourceProgress


class CommitError(HeadraceError):
    """The commit was refused, and nothing of it was written."""


class FencedError(CommitError):
    """Another indexer is active. This indexer must stop writing."""


class JournalInconsistentError(CommitError):
    """A chain event is missing in the journal, but later ones exist. An operator must decide."""


class JournalBehindError(CommitError):
    """Redis may have lost writes, and the indexer has not read them again yet. Try again later."""


class CursorMovedError(CommitError):
    """The stored cursor is not `after`: Redis lost writes. Read again from the stored cursor."""


class QuotaExceededError(CommitError):
    """The index of an IndexLimit is full. `most` is the number of members that it may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the index has {most} members, and may have no more")
        self.most = most


class ContentionError(CommitError):
    """Other commits changed the same streams at each attempt. Try again later."""


def refusal_of(outcome: bytes, rest: Sequence[bytes], progress: SourceProgress) -> Exception:
    """The error for an outcome of commit.lua that another attempt would not change."""
    detail = rest[0].decode() if rest else ""
    match outcome:
        case b"fenced":
            return FencedError(f"another indexer is active: {detail or '(none)'}")
        case b"disorder":
            return JournalInconsistentError(
                f"event {detail} is not in the journal, but later events are; the journal must be "
                "rebuilt from the chain (docs/operations/namespace.md)"
            )
        case b"behind":
            return JournalBehindError(
                f"Redis lost events, and the journal has not reached {detail} again"
            )
        case b"unsettled":
            return JournalBehindError(
                "Redis was restarted or failed over, and the indexer has not caught up since then"
            )
        case b"quota":
            return QuotaExceededError(int(detail))
        case b"moved":
            return CursorMovedError(
                f"the stored cursor is {detail or 'missing'}, not {progress.after}: Redis lost "
                "writes, so the indexer reads again from the stored cursor"
            )
        case _:
            return AssertionError(f"commit.lua returned an unknown outcome: {outcome!r}")

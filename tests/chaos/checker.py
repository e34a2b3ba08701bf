"""Compares the frames that a client received with the expected events. Pure.

`check_client` checks a client that always resumed with its last id and has caught up. It finds
events that are missing although they were not lost and covered by a `gap`, duplicates, events out
of order, events that the client may not see, and altered events. A violation has the shortest part
of the history that shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.position import END, START, Position


class Kind(StrEnum):
    """The kinds of violations."""

    MISSING = "missing"
    DUPLICATE = "duplicated"
    DISORDER = "out of order"
    LEAK = "leaked"
    ALTERED = "altered"
    UNKNOWN = "unknown"
    RESET = "reset"
    LOST = "lost by the journal"
    FENCE = "written by a replaced indexer"
    STUCK = "not recovered"
    ENDED = "received after the end of the token"
    GAP = "gap without a loss"
    UNANNOUNCED = "lost without a notice"
    EARLY = "notice before its time"
    FINAL = "response that stops a native client"


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation: who saw it, at which position, and the lines that show it."""

    kind: Kind
    observer: str
    where: str
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """An event that clients must receive. `parties` are its accounts; empty if it is for everyone.

    If several journals had the event, `parties` follow from the first journal. `sure` are the
    accounts that had to get it from each of these journals.
    """

    position: Position
    type: str
    stream_id: str | None
    parties: frozenset[str]
    body: str = ""
    sure: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """One frame that a client received. `since` is the `from` of a gap.

    The frame without an event name is called "connected". `at` is in seconds since the start of the
    run, `token` is the name of the connection's token. `published` is the time of publication in
    Unix seconds; 0 for frames that are no events.
    """

    at: float
    via: str
    name: str
    position: Position
    body: str = ""
    since: Position | None = None
    token: str = ""
    published: float = 0.0

    def __str__(self) -> str:
        span = f" from {self.since}" if self.since else ""
        return f"{self.at:8.3f} s  {self.via:<9} {self.name:<18} {self.position}{span}"


@dataclass(frozen=True, slots=True)
class SubscriberView:
    """What a client subscribed to.

    `holder` is the account of its token; None may see all events.
    """

    everything: bool = False
    accounts: frozenset[str] = frozenset()
    streams: frozenset[str] = frozenset()
    holder: str | None = None

    def is_for(self, fact: ExpectedEvent) -> bool:
        """True if the client subscribed to the event and may see it."""
        return self._concerns(fact, fact.parties)

    def is_due(self, fact: ExpectedEvent) -> bool:
        """True if the client must receive the event."""
        return self._concerns(fact, fact.parties if fact.sure is None else fact.sure)

    def _concerns(self, fact: ExpectedEvent, parties: frozenset[str]) -> bool:
        if not parties:
            return True
        asked = self.everything or fact.stream_id in self.streams or self.accounts & parties
        return bool(asked) and (self.holder is None or self.holder in parties)


_CONTROL = frozenset({"connected", "sync", "overload", "goodbye", "token_expiring"})

_LOSS = frozenset({"gap", "reset"})

Frames = Sequence[ReceivedFrame]

Span = tuple[Position, Position]
"""First and last position, both included."""

ANY = ((START, END),)
"""The span for "any event may have been lost"."""


def check_client(
    observer: str,
    asked: SubscriberView,
    frames: Frames,
    facts: Iterable[ExpectedEvent],
    lost: Sequence[Span] = (),
) -> list[Violation]:
    """The violations of one client. `facts` are all expected events of the run, in order.

    `lost` has the spans of positions that were really lost. A gap elsewhere is a violation.
    """
    known = {fact.position: fact for fact in facts}
    return [
        *_received(observer, asked, frames, known),
        *_gaps(observer, frames, lost),
        *_missing(observer, asked, frames, known, lost),
    ]


def _received(
    observer: str, asked: SubscriberView, frames: Frames, known: Mapping[Position, ExpectedEvent]
) -> Iterable[Violation]:
    """Check each frame, alone and against the frames before it."""
    top, first_at = START, dict[Position, int]()
    for n, each in enumerate(frames):
        if each.name == "reset":
            yield violation(Kind.RESET, observer, frames, n - 1, n)
        if each.name not in _CONTROL | _LOSS:
            fact = known.get(each.position)
            if each.position in first_at:
                yield violation(Kind.DUPLICATE, observer, frames, first_at[each.position], n)
            elif each.position <= top:
                yield violation(Kind.DISORDER, observer, frames, _setter(frames, n, top), n)
            if fact is None:
                yield violation(Kind.UNKNOWN, observer, frames, n, n)
            elif not asked.is_for(fact):
                yield violation(Kind.LEAK, observer, frames, n, n)
            elif fact.body and fact.body != each.body:
                yield violation(Kind.ALTERED, observer, frames, n, n)
            first_at.setdefault(each.position, n)
        top = max(top, each.position)


def _setter(frames: Frames, before: int, top: Position) -> int:
    """The index of the frame that moved the client's cursor to `top`."""
    return next(n for n in range(before) if frames[n].position == top)


def _gaps(observer: str, frames: Frames, lost: Sequence[Span]) -> Iterable[Violation]:
    """Gaps that cover no lost position."""
    for n, each in enumerate(frames):
        since = each.since
        if since is None:
            continue
        if not any(since < last and first <= each.position for first, last in lost):
            yield violation(Kind.GAP, observer, frames, n, n)


def _missing(
    observer: str,
    asked: SubscriberView,
    frames: Frames,
    known: Mapping[Position, ExpectedEvent],
    lost: Sequence[Span],
) -> Iterable[Violation]:
    """Events that the client did not get after its first position.

    Events that were really lost and that a gap covers are not reported.
    """
    began = next((each.position for each in frames if each.name == "connected"), None)
    if began is None:
        return
    received = {(each.position, each.name in _LOSS) for each in frames if each.name not in _CONTROL}
    gaps = [(each.since, each.position) for each in frames if each.since is not None]
    for position, fact in known.items():
        if position <= began or (position, fact.type in _LOSS) in received:
            continue
        if not asked.is_due(fact):
            continue
        announced = any(since < position <= to for since, to in gaps)
        if not (announced and any(first <= position <= last for first, last in lost)):
            yield _skipped(observer, frames, position)


def _skipped(observer: str, frames: Frames, position: Position) -> Violation:
    """The violation for an event that is missing, with the frames before and after its position."""
    after = next((n for n, each in enumerate(frames) if each.position > position), len(frames) - 1)
    before = max((n for n in range(after) if frames[n].position < position), default=0)
    return violation(Kind.MISSING, observer, frames, before, after, where=str(position))


def violation(
    kind: Kind, observer: str, frames: Frames, first: int, last: int, *, where: str = ""
) -> Violation:
    """A violation with the frames from `first` to `last`."""
    lines = tuple(str(each) for each in frames[max(0, first) : last + 1])
    return Violation(kind, observer, where or str(frames[last].position), lines)


def shortest(violations: Iterable[Violation]) -> Violation | None:
    """The violation that is quickest to read. One with a history comes before one without."""
    return min(violations, key=lambda each: (not each.history, len(each.history)), default=None)

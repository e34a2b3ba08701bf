"""What a failover of Redis excuses, and what it does not: rules for the checker. Pure.

Redis acknowledges a write before its replicas have it, so the newest writes can be lost with the
primary. A `Loss` is the time in which this could happen. It excuses three things only:

* A write of the API that was published in this time and never acknowledged may be gone, even if
  clients received it. Its caller got 503 and tries again, which makes another event.
* A client gets a `reset` if its cursor was given out in this time and the journal ends below it, or
  if it received an event that is gone. After the `reset` it starts anew: it must get all events
  after the position of the `reset`, in order, also those that it had before.
* An event of the chain that was published in this time was lost and restored. It may have another
  `publishedAt` and another state of the stream.

All other rules apply: with WAIT_REPLICAS=1 an acknowledged write exists at its position, each event
of the ledger exists, and no client misses an event without a notice.

A loss of all data (tests.chaos.lost) is a `Loss` from the start of the run. It also loses
acknowledged writes, so the journal has a `reset` for everyone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from math import inf

import orjson

from shared.domain.position import START, Position
from tests.chaos.checker import ExpectedEvent, ReceivedFrame

_OF_REDIS = frozenset({"publishedAt", "stream"})
"""The fields of a body that depend on the commit. All others come from the chain."""

_OF_STREAM = frozenset({"sender", "recipient", "tokenAddress"})
"""The fields that are missing while the journal does not know the stream of the event."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Unix seconds: from the first write that could be lost to the last one."""

    began: float
    ended: float


def lost_at(at: float, losses: Iterable[Loss], *, noticed: float = 0.0) -> bool:
    """True if writes could be lost at this Unix time, or up to `noticed` seconds before."""
    return any(loss.began <= at <= loss.ended + noticed for loss in losses)


@dataclass(frozen=True, slots=True)
class ClientPeriod:
    """The frames of a client from its start or a reset to the next reset or its end."""

    frames: Sequence[ReceivedFrame]
    expected: Sequence[ExpectedEvent]


@dataclass(frozen=True, slots=True)
class DataLoss:
    """The effects of losses of all data.

    `events` has the positions of events that are gone, with the Unix time of their loss. `resets`
    has the positions of `journal.reset`. `begins` has the time of each loss and the start of the
    next journal. `held` has all positions that were lost, also those that were restored.
    """

    events: Mapping[Position, float] = field(default_factory=dict)
    resets: Set[Position] = frozenset()
    begins: Sequence[tuple[float, Position]] = ()
    held: Set[Position] = frozenset()

    def began(self, at: float) -> Position:
        """The start of the journal after the last loss before this time."""
        return next((began for lost, began in reversed(self.begins) if lost <= at), START)


NO_DATA_LOSS = DataLoss()


def split_at_resets(
    frames: Sequence[ReceivedFrame],
    expected: Sequence[ExpectedEvent],
    losses: Sequence[Loss],
    began: float,
    data_loss: DataLoss = NO_DATA_LOSS,
) -> Iterator[ClientPeriod]:
    """The periods for `check_client`. `began` is the Unix time of second 0 of the frames."""
    if not losses:
        yield ClientPeriod(frames, expected)
        return
    known = {fact.position for fact in expected} - data_loss.events.keys()
    start = 0
    for n, each in enumerate(frames):
        if each.name == "reset" and _is_due(frames[start : n + 1], known, losses, began, data_loss):
            yield _life(
                frames[start:n], expected, losses, data_loss, _reached(frames[start : n + 1])
            )
            if (
                each.position == START
            ):  # from an empty Redis: the client gets all of the next journal
                first = replace(each, position=data_loss.began(began + each.at))
                frames = [*frames[:n], first, *frames[n + 1 :]]
            expected = [
                f for f in expected if data_loss.events.get(f.position, inf) > began + each.at
            ]
            start = n
    yield _life(frames[start:], expected, losses, data_loss, None)


def _is_due(
    period: Sequence[ReceivedFrame],
    known: Set[Position],
    losses: Sequence[Loss],
    began: float,
    data_loss: DataLoss,
) -> bool:
    """True if a loss explains the reset at the end of this period.

    Either the reset announced a loss of all data. Or the cursor before it was given out during a
    loss, and is above the reset or at a position that is gone. Or the client received an event of
    the API that is gone.
    """
    *before, reset = period
    if not before:
        return False
    cursor = before[-1].position
    if reset.position in data_loss.resets:
        return cursor < reset.position
    given = next(each.at for each in before if each.position == cursor)
    moved = cursor > reset.position or cursor not in known
    if moved and lost_at(began + given, losses):
        return True
    return any(
        "." in each.name and each.position not in known and _is_void(each, losses, data_loss)
        for each in before
    )


def _reached(period: Sequence[ReceivedFrame]) -> Position:
    """The position up to which events were due before the reset at the end of this period.

    During a handshake, events between the client's cursor and the reset are no longer sent.
    """
    *before, reset = period
    names = [each.name for each in before]
    if names[-1] == "connected" and len(before) > 1:
        return min(before[-2].position, reset.position)
    return reset.position


def _life(
    frames: Sequence[ReceivedFrame],
    expected: Sequence[ExpectedEvent],
    losses: Sequence[Loss],
    data_loss: DataLoss,
    reset: Position | None,
) -> ClientPeriod:
    """A period.

    If a reset ends it, events after the reset are not due; if a reset began it, it starts there.
    """
    if frames and frames[0].name == "reset":
        frames = [replace(frames[0], name="connected"), *frames[1:]]
    had = {each.position: each for each in reversed(frames) if "." in each.name}
    facts = [_as_received(fact, had, losses, data_loss) for fact in expected]
    if reset is not None:
        facts = [
            fact
            for fact in facts
            if (fact.position <= reset and fact.type != "reset") or fact.position in had
        ]
    known = {fact.position for fact in facts}
    gone = [
        fact
        for each in had.values()
        if each.position not in known
        for fact in _void(each, losses, data_loss)
    ]
    return ClientPeriod(frames, sorted([*facts, *gone], key=lambda fact: fact.position))


def _as_received(
    fact: ExpectedEvent,
    had: Mapping[Position, ReceivedFrame],
    losses: Sequence[Loss],
    data_loss: DataLoss,
) -> ExpectedEvent:
    """The expected event. Without its body if the received body differs only in commit fields."""
    each = had.get(fact.position)
    if each is None or each.body == fact.body or not _was_lost(each, losses, data_loss):
        return fact
    if not fact.body:
        return fact
    ours, theirs = (orjson.loads(body) for body in (each.body, fact.body))
    unknown = {name for name in _OF_STREAM if name not in theirs or name not in ours}
    same = _without(ours, _OF_REDIS | unknown) == _without(theirs, _OF_REDIS | unknown)
    return replace(fact, body="") if same else fact


def _without(body: Mapping[str, object], names: Set[str]) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in names}


def _void(
    each: ReceivedFrame, losses: Sequence[Loss], data_loss: DataLoss
) -> Iterable[ExpectedEvent]:
    """The expected event for a received event of the API that is gone."""
    if _is_void(each, losses, data_loss):
        body = orjson.loads(each.body)
        parties = frozenset(body[name] for name in ("sender", "recipient") if name in body)
        yield ExpectedEvent(each.position, each.name, body["streamId"], parties)


def _is_void(each: ReceivedFrame, losses: Sequence[Loss], data_loss: DataLoss) -> bool:
    """True if the event is from the API and was published while writes could be lost."""
    return _was_lost(each, losses, data_loss) and orjson.loads(each.body).get("origin") == "api"


def _was_lost(each: ReceivedFrame, losses: Sequence[Loss], data_loss: DataLoss) -> bool:
    """True if the event was published while writes could be lost, or was lost for certain."""
    if each.position in data_loss.held:
        return True
    return bool(each.body) and lost_at(orjson.loads(each.body)["publishedAt"] / 1e6, losses)

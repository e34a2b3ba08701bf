"""What a failover may take, and what it may not: the checker's rule where replicas take over. Pure.

Redis acknowledges before its replicas have a write, so the primary's last ones can die with it. A
`Loss` is the time in which that could be. It excuses three things and nothing else:

* A write of the API that was published in that time and never acknowledged may be gone, though
  clients were told of it: the one who asked was answered 503, asks again, and gets another event.
* A client whose cursor was given out in that time gets a `reset` when it comes back to a journal
  that ends below it, and so does one that was told an event that is gone. From the position of the
  `reset` on it begins anew: what follows it has to come, in order, had before or not.
* An event of the chain that was published in that time was lost and brought back, and may bear
  another `publishedAt` and the stream's other state.

So all else holds as ever: with WAIT_REPLICAS=1 an acknowledged write is there, at its place; each
event of the ledger is there; and nothing that a client has not seen is left out without a word.

The loss of everything that Redis held (tests.chaos.lost) is a `Loss` from the beginning of the run.
Acknowledged writes are gone with it, so everyone has to be told: by the `reset` in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from math import inf

import orjson

from shared.domain.position import START, Position
from tests.chaos.checker import ExpectedEvent, ReceivedFrame

_OF_REDIS = frozenset({"publishedAt", "stream"})
"""What a commit puts into a body; the rest is the chain's."""

_OF_STREAM = frozenset({"sender", "recipient", "tokenAddress"})
"""What is not in the body where the journal began after the stream was created."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Unix seconds: from the first write that could be lost to the last."""

    began: float
    ended: float


def lost_at(at: float, losses: Iterable[Loss], *, noticed: float = 0.0) -> bool:
    """Whether writes could be lost at that time (Unix seconds), or `noticed` that long after."""
    return any(loss.began <= at <= loss.ended + noticed for loss in losses)


@dataclass(frozen=True, slots=True)
class ClientPeriod:
    """What a client was told from its beginning, or a reset, to the end or the next reset."""

    told: Sequence[ReceivedFrame]
    due: Sequence[ExpectedEvent]


@dataclass(frozen=True, slots=True)
class DataLoss:
    """Of the loss of everything: positions of the events that are gone, and of what told of it.

    Each event with the Unix time at which it was lost; `begins`: when, and where the next began;
    `held`: all that was lost, what came back included.
    """

    events: Mapping[Position, float] = field(default_factory=dict)
    resets: Set[Position] = frozenset()
    begins: Sequence[tuple[float, Position]] = ()
    held: Set[Position] = frozenset()

    def began(self, at: float) -> Position:
        """Where the journal that followed on the last loss before that time began."""
        return next((began for lost, began in reversed(self.begins) if lost <= at), START)


NO_DATA_LOSS = DataLoss()


def split_at_resets(
    told: Sequence[ReceivedFrame],
    due: Sequence[ExpectedEvent],
    losses: Sequence[Loss],
    began: float,
    data_loss: DataLoss = NO_DATA_LOSS,
) -> Iterator[ClientPeriod]:
    """For `check_client`, one by one. `began` is the Unix time of the frames' second 0."""
    if not losses:
        yield ClientPeriod(told, due)
        return
    known = {fact.position for fact in due} - data_loss.events.keys()
    start = 0
    for n, each in enumerate(told):
        if each.name == "reset" and _is_due(told[start : n + 1], known, losses, began, data_loss):
            yield _life(told[start:n], due, losses, data_loss, _reached(told[start : n + 1]))
            if each.position == START:  # of an empty Redis: it is sent the next journal, all of it
                first = replace(each, position=data_loss.began(began + each.at))
                told = [*told[:n], first, *told[n + 1 :]]
            due = [f for f in due if data_loss.events.get(f.position, inf) > began + each.at]
            start = n
    yield _life(told[start:], due, losses, data_loss, None)


def _is_due(
    life: Sequence[ReceivedFrame],
    known: Set[Position],
    losses: Sequence[Loss],
    began: float,
    data_loss: DataLoss,
) -> bool:
    """Whether the reset that ends this life is one that a loss explains.

    It told everyone of a loss of everything; or the cursor before it was given out in a loss, and
    lies above it or at a place that is gone; or an event of the API's that this life was told is.
    """
    *before, reset = life
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


def _reached(life: Sequence[ReceivedFrame]) -> Position:
    """Up to where all was due before the reset at the end of this life.

    In a handshake what lies between the client's cursor and the reset is not sent any more.
    """
    *before, reset = life
    names = [each.name for each in before]
    if names[-1] == "connected" and len(before) > 1:
        return min(before[-2].position, reset.position)
    return reset.position


def _life(
    told: Sequence[ReceivedFrame],
    due: Sequence[ExpectedEvent],
    losses: Sequence[Loss],
    data_loss: DataLoss,
    reset: Position | None,
) -> ClientPeriod:
    """One that a reset ends need not have what comes after that; one that it began starts there."""
    if told and told[0].name == "reset":
        told = [replace(told[0], name="connected"), *told[1:]]
    had = {each.position: each for each in reversed(told) if "." in each.name}
    facts = [_as_told(fact, had, losses, data_loss) for fact in due]
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
    return ClientPeriod(told, sorted([*facts, *gone], key=lambda fact: fact.position))


def _as_told(
    fact: ExpectedEvent,
    had: Mapping[Position, ReceivedFrame],
    losses: Sequence[Loss],
    data_loss: DataLoss,
) -> ExpectedEvent:
    """The fact without its body where what was told is the same but for what a commit puts in."""
    each = had.get(fact.position)
    if each is None or each.body == fact.body or not _was_lost(each, losses, data_loss):
        return fact
    if not fact.body:
        return fact
    ours, theirs = (orjson.loads(body) for body in (each.body, fact.body))
    unknown = {name for name in _OF_STREAM if name not in theirs}
    same = _without(ours, _OF_REDIS | unknown) == _without(theirs, _OF_REDIS | unknown)
    return replace(fact, body="") if same else fact


def _without(body: Mapping[str, object], names: Set[str]) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in names}


def _void(
    each: ReceivedFrame, losses: Sequence[Loss], data_loss: DataLoss
) -> Iterable[ExpectedEvent]:
    """The fact that it was when it was told: of the API, and gone with the old primary."""
    if _is_void(each, losses, data_loss):
        body = orjson.loads(each.body)
        parties = frozenset(body[name] for name in ("sender", "recipient") if name in body)
        yield ExpectedEvent(each.position, each.name, body["streamId"], parties)


def _is_void(each: ReceivedFrame, losses: Sequence[Loss], data_loss: DataLoss) -> bool:
    """Whether it is the API's, and was published while writes could be lost."""
    return _was_lost(each, losses, data_loss) and orjson.loads(each.body).get("origin") == "api"


def _was_lost(each: ReceivedFrame, losses: Sequence[Loss], data_loss: DataLoss) -> bool:
    """Whether it was published while writes could be lost, or lost for certain."""
    if each.position in data_loss.held:
        return True
    return bool(each.body) and lost_at(orjson.loads(each.body)["publishedAt"] / 1e6, losses)

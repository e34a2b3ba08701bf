"""What a failover may take, and what it may not: the checker's rule where replicas take over. Pure.

Redis acknowledges before its replicas have a write, so the primary's last ones can die with it. A
`Loss` is the time in which that could be. It excuses three things and nothing else:

* A write of the API that was published in that time and never acknowledged may be gone, though
  clients were told of it: the one who asked was answered 503, asks again, and gets another event.
* A client whose cursor was given out in that time gets a `reset` when it comes back to a journal
  that ends below it, or holds nothing at that place. So does one that was told of a write that is
  gone, while it is connected. From the position of the `reset` on it begins anew: what follows it
  has to come, in order, had before or not.
* An event of the chain that was published in that time was lost and brought back, and may bear
  another `publishedAt` and the stream's other state.

So all else holds as ever: with WAIT_REPLICAS=1 an acknowledged write is there, at its place; each
event of the ledger is there; and nothing that a client has not seen is left out without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from shared.positions import Position
from tests.chaos.checker import Fact, Told

_OF_REDIS = ("publishedAt", "stream")
"""What a commit puts into a body; the rest is the chain's."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Unix seconds: from the first write that could be lost to the last."""

    began: float
    ended: float


def lost_at(at: float, losses: Iterable[Loss], *, noticed: float = 0.0) -> bool:
    """Whether writes could be lost at that time (Unix seconds), or `noticed` that long after."""
    return any(loss.began <= at <= loss.ended + noticed for loss in losses)


@dataclass(frozen=True, slots=True)
class Life:
    """What a client was told from its beginning, or a reset, to the end or the next reset."""

    told: Sequence[Told]
    due: Sequence[Fact]


def lives(
    told: Sequence[Told], due: Sequence[Fact], losses: Sequence[Loss], began: float
) -> Iterator[Life]:
    """For `check_client`, one by one. `began` is the Unix time of the frames' second 0."""
    if not losses:
        yield Life(told, due)
        return
    held = {fact.position for fact in due}
    resets = [n for n, each in enumerate(told) if each.name == "reset"]
    start = 0
    for n in resets:
        if not _is_due(told[start : n + 1], held, losses, began):
            continue
        yield _life(told[start:n], due, losses, told[n].position)
        start = n
    yield _life(told[start:], due, losses, None)


def _is_due(
    told: Sequence[Told], held: Collection[Position], losses: Sequence[Loss], began: float
) -> bool:
    """Whether the last of these, a reset, is explained by what a loss took from those before."""
    *before, reset = told
    if not before:
        return False
    cursor = before[-1].position
    given = next(each.at for each in before if each.position == cursor)
    moved = cursor > reset.position or cursor not in held
    void = any(each.position not in held for each in before if any(_void(each, losses)))
    return void or (moved and lost_at(began + given, losses))


def _life(
    told: Sequence[Told], due: Sequence[Fact], losses: Sequence[Loss], reset: Position | None
) -> Life:
    """One that a reset ends need not have what comes after that; one that it began starts there."""
    if told and told[0].name == "reset":
        told = [replace(told[0], name="connected"), *told[1:]]
    had = {each.position: each for each in reversed(told) if "." in each.name}
    facts = [_as_told(fact, had, losses) for fact in due]
    if reset is not None:
        facts = [fact for fact in facts if fact.position <= reset or fact.position in had]
    known = {fact.position for fact in facts}
    gone = [
        fact for each in had.values() if each.position not in known for fact in _void(each, losses)
    ]
    return Life(told, sorted([*facts, *gone], key=lambda fact: fact.position))


def _as_told(fact: Fact, had: Mapping[Position, Told], losses: Sequence[Loss]) -> Fact:
    """The fact without its body where what was told is the same but for what a commit puts in."""
    each = had.get(fact.position)
    if each is None or each.body == fact.body or not _was_lost(each.body, losses):
        return fact
    ours, theirs = (_of_chain(orjson.loads(body)) for body in (each.body, fact.body))
    return replace(fact, body="") if ours == theirs else fact


def _of_chain(body: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in _OF_REDIS}


def _void(each: Told, losses: Sequence[Loss]) -> Iterable[Fact]:
    """The fact that it was when it was told: of the API, and gone with the old primary."""
    if "." not in each.name:
        return
    body = orjson.loads(each.body)
    if body.get("origin") == "api" and _was_lost(each.body, losses):
        parties = frozenset(body[name] for name in ("sender", "recipient") if name in body)
        yield Fact(each.position, each.name, body["streamId"], parties)


def _was_lost(body: str, losses: Sequence[Loss]) -> bool:
    """Whether it was published while writes could be lost."""
    return bool(body) and lost_at(orjson.loads(body)["publishedAt"] / 1e6, losses)

"""The actions on a stream, and the party that may do each of them.

`services.api.auth.permissions` checks that a caller may act as the party. What an action does to a
stream, and in which state it is refused, is in `shared.domain.commands`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.api.auth.permissions import Party
from shared.domain import commands
from shared.domain.events import Event
from shared.domain.stream import Stream

Command = Callable[[Stream, int], Sequence[Event]]
"""Decides what happens to a stream at a time (Unix seconds). Raises CommandRefusedError."""


@dataclass(frozen=True, slots=True)
class StreamAction:
    """Something that a party does with a stream.

    `function` is the function of the contract that does the same on the chain. If `function` is
    None, the API may do the action with chain streams too.
    """

    function: str | None
    command: Command
    party: Party = Party.SENDER


WITHDRAW = StreamAction("withdraw", commands.withdraw, Party.RECIPIENT)
PAUSE = StreamAction("pause_stream", commands.pause)
RESUME = StreamAction("resume_stream", commands.resume)
CANCEL = StreamAction("cancel_stream", commands.cancel)
ACCEPT = StreamAction(None, commands.accept, Party.RECIPIENT)
HIDE = StreamAction(None, commands.hide, Party.RECIPIENT)


def top_up(amount: int) -> StreamAction:
    """Add money to a stream."""
    return StreamAction("top_up_stream", lambda stream, now: commands.top_up(stream, amount, now))


def update(metadata: Mapping[str, object]) -> StreamAction:
    """Replace the metadata of a stream, also of a chain stream."""
    return StreamAction(None, lambda stream, now: commands.update(stream, metadata, now))

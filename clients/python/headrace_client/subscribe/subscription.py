"""What a client subscribes to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headrace_client.model.stream import Stream


@dataclass(frozen=True, slots=True)
class Subscription:
    """Streams by id, accounts, or all events; `types` keeps only these types.

    Without all three it is to the events of the account of the token.
    """

    streams: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    all: bool = False
    types: tuple[str, ...] = ()
    compact: bool = False

    @property
    def is_own(self) -> bool:
        """True if it names nothing, so the token decides."""
        return not (self.streams or self.users or self.all)

    def query(self) -> list[tuple[str, str]]:
        """The parameters of the request."""
        pairs = [("streams", each) for each in self.streams]
        pairs += [("users", each) for each in self.users]
        pairs += [("types", each) for each in self.types]
        pairs += [("all", "true")] if self.all else []
        pairs += [("view", "compact")] if self.compact else []
        return pairs

    def includes(self, stream: Stream) -> bool:
        """True if the subscription gets the events of this stream.

        A recipient gets no events of an API stream that it has hidden.
        """
        refused = stream.origin == "api" and stream.acceptance == "hidden"
        return (
            self.all
            or stream.id in self.streams
            or stream.sender in self.users
            or (stream.recipient in self.users and not refused)
        )


def subscription_of(
    streams: Iterable[str | int] = (),
    users: Iterable[str] = (),
    *,
    all: bool = False,  # noqa: A002 - the name of the parameter in the API
    types: Iterable[str] = (),
    compact: bool = False,
    with_token: bool = False,
) -> Subscription:
    """A subscription from what a caller gave. Raises ValueError and TypeError.

    It must name something, except `with_token`: then it can be to the events of the own account.
    A single text is refused: its characters would be taken for ids.
    """
    for name, given in (("streams", streams), ("users", users), ("types", types)):
        if isinstance(given, str):
            raise TypeError(f"{name}: expected a list, such as [{given!r}], not a text")
    made = Subscription(
        tuple(dict.fromkeys(map(str, streams))),
        tuple(dict.fromkeys(users)),
        all,
        tuple(dict.fromkeys(map(str, types))),
        compact,
    )
    if made.is_own and not with_token:
        raise ValueError("without a token, name at least one of streams, users and all=True")
    return made

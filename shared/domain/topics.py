"""Topics: what an event is filed under, and what one subscribes to.

A stream is the topic of its id (`"7"`), an account `"user:G…"`, and `"*"` is everything. An event
without topics goes to everyone (a broadcast): what the stream contract says of itself. An event of
a token concerns whom it names, or where nobody knows whom, those who ask for the token.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from shared.domain.events import TOKEN_TYPES, Event, EventType
from shared.domain.stream import Stream
from shared.domain.strkeys import is_account

ALL = "*"

_STREAM_ID = re.compile(r"[1-9]\d{0,19}|api-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PARTIES = ("sender", "recipient", "oldRecipient", "newRecipient")
_PARTIES_OF_TOKEN = ("from", "to")


def user_topic(account: str) -> str:
    """The topic of all streams that an account sends or receives."""
    return f"user:{account}"


def topics_of(event: Event, *states: Stream | None) -> tuple[str, ...]:
    """Stream id and both parties: those the event names, and those of the stream before and after.

    Many events name one party or none (facts of the contract), and a stream that changes hands
    concerns the old and the new recipient; the stored states know them.
    """
    if event.stream_id is None:
        return _users(map(event.text, _outside_streams(event.type)))
    named = map(event.text, _PARTIES)
    stored = (party for s in states if s for party in (s.sender, s.recipient))
    return (event.stream_id, *_users((*named, *stored)))


def _outside_streams(kind: EventType) -> tuple[str, ...]:
    """Which facts of an event of no stream hold whom it concerns; none of a broadcast's do."""
    if kind in TOKEN_TYPES:
        return _PARTIES_OF_TOKEN
    return ("tokenAddress",) if kind is EventType.CHAIN_UNKNOWN else ()


def _users(parties: Iterable[str | None]) -> tuple[str, ...]:
    # Heads are split at spaces and lines, so only what looks like an address may enter one.
    users = (user_topic(p) for p in parties if p and p.isascii() and p.isalnum())
    return tuple(dict.fromkeys(users))


def matches(subscribed: Collection[str], topics: Collection[str]) -> bool:
    """Whether an event with `topics` is for a subscription to `subscribed`."""
    return not topics or ALL in subscribed or any(topic in subscribed for topic in topics)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a subscriber asked for; `types` empty means every type."""

    topics: tuple[str, ...]
    types: frozenset[str] = frozenset()


def parse_subscription(
    *,
    streams: Iterable[str] = (),
    users: Iterable[str] = (),
    everything: str | None = None,
    types: Iterable[str] = (),
) -> tuple[Subscription, list[tuple[str, str]]]:
    """A subscription from query parameters, and its mistakes as (parameter, what would be right).

    The first hundred of them: an answer should not be much longer than its question. Each of
    `streams`, `users` and `types` may repeat or hold several, comma-separated.
    """
    stream_ids, accounts, wanted = _split(streams), _split(users), _split(types)
    mistakes = [("streams", _BAD_STREAM.format(s[:64])) for s in stream_ids if not is_stream_id(s)]
    mistakes += [("users", _BAD_USER.format(u[:64])) for u in accounts if not is_account(u)]
    mistakes += [("types", _BAD_TYPE.format(t[:64])) for t in wanted if t not in _TYPES]
    if everything not in (None, "true", "false"):
        mistakes.append(("all", f"{everything[:64]!r} is neither 'true' nor 'false'"))
    topics = [ALL] if everything == "true" else []
    topics += [*stream_ids, *map(user_topic, accounts)]
    if not topics and not mistakes:
        mistakes.append(("streams", "name at least one of streams=<id>, users=<G…>, all=true"))
    return Subscription(tuple(dict.fromkeys(topics)), frozenset(wanted)), mistakes[:100]


def is_stream_id(text: str) -> bool:
    """Whether `text` is a chain stream's u64 or an API stream's `api-<uuid>`."""
    return _STREAM_ID.fullmatch(text) is not None and (text[0] == "a" or int(text) < 1 << 64)


def _split(values: Iterable[str]) -> list[str]:
    parts = (part.strip() for value in values for part in value.split(","))
    return [part for part in dict.fromkeys(parts) if part]


_TYPES = frozenset(EventType)
_BAD_STREAM = "{!r} is no stream id: expected a number from 1, or api-<uuid>"
_BAD_USER = "{!r} is no account: expected a valid G…, C… or M… address (its checksum counts)"
_BAD_TYPE = "{!r} is no event type: expected one such as stream.withdrawn"

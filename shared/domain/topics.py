"""Topics: each event has some, and clients subscribe to topics.

The topic of a stream is its id (`"7"`). The topic of an account is `"user:G…"`. `"*"` is the topic
of all events. An event without topics is a broadcast: everyone gets it. The stream contract's
events about the contract itself are broadcasts. An event of a token has the topics of the accounts
in it. If Headrace cannot decode an event of a token, the topic is `"user:C…"` with the token's
address. An event of a webhook has the topic of the webhook's owner.

See docs/decisions/0073-recipients-accept-streams.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from shared.domain.events import TOKEN_TYPES, Event, EventType, Origin
from shared.domain.stream import Acceptance, Stream
from shared.domain.strkeys import is_account

ALL = "*"

_STREAM_ID = re.compile(r"[1-9]\d{0,19}|api-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_PARTIES = ("sender", "recipient", "oldRecipient", "newRecipient")
_PARTIES_OF_TOKEN = ("from", "to")


def user_topic(account: str) -> str:
    """The topic of an account: events of its streams, as sender or recipient, and of its tokens."""
    return f"user:{account}"


def own_topics(account: str) -> tuple[str, ...]:
    """The topics for a token that names no topic; () if `account` cannot be a party of a stream."""
    return (user_topic(account),) if is_account(account) else ()


def topics_of(
    event: Event, before: Stream | None = None, after: Stream | None = None
) -> tuple[str, ...]:
    """The topics of an event: the stream id and the parties of the stream.

    The parties come from the event and from the stream before and after it. Both states are needed:
    many events of the contract name only one party or none, and a change of the recipient concerns
    both the old and the new recipient. An event of an API stream that is hidden both before and
    after it concerns only the sender.
    """
    if event.type is EventType.WEBHOOK_DISABLED:
        return (_owner(event.facts.get("account")),)
    if event.stream_id is None:
        return _users(event.facts.get(name) for name in _outside_streams(event.type))
    if before and after and _is_refused(before) and _is_refused(after):
        return (event.stream_id, *_users((after.sender,)))
    parties = [event.facts.get(name) for name in _PARTIES]
    for stream in (before, after):
        if stream:
            parties += (stream.sender, stream.recipient)
    return (event.stream_id, *_users(parties))


def _is_refused(stream: Stream) -> bool:
    """True if the recipient hid a stream of the API. Nobody can refuse a stream of the chain."""
    return stream.origin is Origin.API and stream.acceptance is Acceptance.HIDDEN


def _outside_streams(kind: EventType) -> tuple[str, ...]:
    """The keys in `facts` with the accounts of an event without a stream; none for a broadcast."""
    if kind in TOKEN_TYPES:
        return _PARTIES_OF_TOKEN
    return ("tokenAddress",) if kind is EventType.CHAIN_UNKNOWN else ()


def _owner(account: object) -> str:
    """The topic of the owner of a webhook, who may be no account of the chain (`key-…`).

    The event must not become a broadcast, so there is always a topic: `user:` if a topic cannot
    have the owner's name. Then only subscribers to `*` get the event.
    """
    is_word = isinstance(account, str) and account.isascii() and account.isprintable()
    return user_topic(str(account)) if is_word and " " not in str(account) else user_topic("")


def _users(parties: Iterable[object]) -> tuple[str, ...]:
    """The topics of these parties, each once. What is no address is skipped."""
    unique = {party: None for party in parties if isinstance(party, str)}
    # An entry's header is one line with spaces between the topics. So a topic has no white space.
    return tuple(user_topic(p) for p in unique if p.isascii() and p.isalnum())


def matches(subscribed: Collection[str], topics: Collection[str]) -> bool:
    """True if a subscription to `subscribed` gets an event with `topics`."""
    return not topics or ALL in subscribed or any(topic in subscribed for topic in topics)


@dataclass(frozen=True, slots=True)
class Subscription:
    """The topics and event types that a client subscribes to. Without `types`: all types."""

    topics: tuple[str, ...]
    types: frozenset[str] = frozenset()


def parse_subscription(
    *,
    streams: Iterable[str] = (),
    users: Iterable[str] = (),
    everything: str | None = None,
    types: Iterable[str] = (),
    topics_required: bool = True,
) -> tuple[Subscription, list[tuple[str, str]]]:
    """Parse query parameters. Returns the subscription, and mistakes as (parameter, explanation).

    If `topics_required`, a subscription without topics is a mistake. At most 100 mistakes are
    returned, so that a response is not much longer than its request. Each of `streams`, `users` and
    `types` may be repeated and may hold several values, separated by commas.
    """
    stream_ids, accounts, wanted = _split(streams), _split(users), _split(types)
    mistakes = [("streams", _BAD_STREAM.format(s[:64])) for s in stream_ids if not is_stream_id(s)]
    mistakes += [("users", _BAD_USER.format(u[:64])) for u in accounts if not is_account(u)]
    mistakes += [("types", _BAD_TYPE.format(t[:64])) for t in wanted if t not in _TYPES]
    if everything not in (None, "true", "false"):
        mistakes.append(("all", f"{everything[:64]!r} is neither 'true' nor 'false'"))
    topics = [ALL] if everything == "true" else []
    topics += [*stream_ids, *map(user_topic, accounts)]
    if topics_required and not topics and not mistakes:
        mistakes.append(NO_TOPICS)
    return Subscription(tuple(dict.fromkeys(topics)), frozenset(wanted)), mistakes[:100]


def is_stream_id(text: str) -> bool:
    """True if `text` is a stream id: a u64 for a chain stream, `api-<uuid>` for an API stream."""
    return _STREAM_ID.fullmatch(text) is not None and (text[0] == "a" or int(text) < 1 << 64)


def is_topic(text: str) -> bool:
    """True if a subscription can have this topic: a stream id, `user:<account>`, or `*`."""
    kind, _, account = text.partition(":")
    return text == ALL or is_stream_id(text) or (kind == "user" and is_account(account))


def _split(values: Iterable[str]) -> list[str]:
    parts = (part.strip() for value in values for part in value.split(","))
    return [part for part in dict.fromkeys(parts) if part]


NO_TOPICS = ("streams", "give at least one of streams=<id>, users=<G…>, all=true")
"""The mistake of a subscription without topics: the parameter and the explanation."""

_TYPES = frozenset(EventType)
_BAD_STREAM = "{!r} is not a stream id: expected a number from 1, or api-<uuid>"
_BAD_USER = "{!r} is not an account: expected a G…, C… or M… address with a valid checksum"
_BAD_TYPE = "{!r} is not an event type: expected a type such as stream.withdrawn"

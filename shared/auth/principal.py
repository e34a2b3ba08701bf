"""The principal: the account that makes a request and its permissions.

shared.auth.claims makes it from the claims of a token.

See docs/decisions/0076-topics-narrow-everything.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.topics import ALL, user_topic


class Scope(StrEnum):
    """What a token allows, besides reading the account's own streams."""

    EVENTS_ALL = "events:all"
    STREAMS_WRITE = "streams:write"
    TRANSACTIONS_ANY = "transactions:any"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a valid token, or ANYONE in AUTH_MODE=open.

    `expires` and `issued` are Unix seconds. `expires` is None when the principal never expires.
    `topics` is None when the token does not limit the topics. `max_amounts` is the most that one
    transaction may take of each token; None when the API key does not limit it.
    """

    account: str
    scopes: frozenset[str]
    topics: frozenset[str] | None = None
    expires: float | None = None
    issued: float = 0.0
    token_id: str = ""
    max_amounts: Mapping[str, int] | None = field(default=None, hash=False)

    def has(self, scope: Scope) -> bool:
        """True if the token has this scope. The scope admin includes all others."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def covers(self, *topics: str) -> bool:
        """True if the claim `topics` is missing, or has one of these topics or `*`."""
        return self.topics is None or not self.topics.isdisjoint((ALL, *topics))

    def is_admin(self) -> bool:
        """True if the principal may administer the installation: API keys, revocations, services.

        A token that is limited to some topics may not: it could make a token without this limit.
        """
        return Scope.ADMIN in self.scopes and self.covers()

    def may_see_all(self) -> bool:
        """True if the principal may read the events of all accounts, in the allowed topics."""
        return self.has(Scope.EVENTS_ALL)

    def may_subscribe(self, topic: str, parties: Collection[str]) -> bool:
        """True if the principal may subscribe to this topic.

        `parties` are the accounts of the stream, when the topic names a stream.
        """
        if self.topics is not None and topic not in self.topics:
            return False
        if self.may_see_all():
            return True
        if topic == ALL:
            return False
        return topic == user_topic(self.account) or self.account in parties

    def may_see(self, event_topics: Collection[str]) -> bool:
        """True if the principal may see an event with these topics.

        Checked for each event, because a stream can get new parties.
        """
        return not event_topics or self.may_see_all() or user_topic(self.account) in event_topics


MAX_ISSUED_AHEAD = 60.0
"""Seconds that `iat` may be ahead of Redis' clock, because the issuer's clock can be ahead."""

ANYONE = Principal("", frozenset(Scope))
"""The principal of every request in AUTH_MODE=open. It may do and see everything."""

"""Who is asking, and what they may see: the claims of a token.

Claims: `sub` (the account), `scope` (space-separated), optional `topics` (an allow-list that only
narrows), `jti` (one login or one API key; a refreshed token keeps it, and a revocation names it),
`iat` and `exp` (Unix seconds).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt

from shared.domain.topics import ALL, user_topic


class Scope(StrEnum):
    """What a token allows beyond seeing one's own streams."""

    EVENTS_ALL = "events:all"
    STREAMS_WRITE = "streams:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose token held. `expires` in Unix seconds, None for never (open mode)."""

    account: str
    scopes: frozenset[str]
    topics: frozenset[str] | None = None
    expires: float | None = None
    issued: float = 0.0
    token_id: str = ""

    def has(self, scope: Scope) -> bool:
        """Whether the token carries a scope; admin carries all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_see_all(self) -> bool:
        """Whether every event is visible, within the allow-list."""
        return self.has(Scope.EVENTS_ALL)

    def may_subscribe(self, topic: str, parties: Collection[str]) -> bool:
        """Whether a topic may be subscribed to; `parties` are those of the stream it names."""
        if self.topics is not None and topic not in self.topics:
            return False
        if self.may_see_all():
            return True
        if topic == ALL:
            return False
        return topic == user_topic(self.account) or self.account in parties

    def may_see(self, event_topics: Collection[str]) -> bool:
        """Whether an event may be delivered: checked anew for each, as streams change hands."""
        return not event_topics or self.may_see_all() or user_topic(self.account) in event_topics


ANYONE = Principal("", frozenset(Scope))
"""Everybody in AUTH_MODE=open: anyone may do and see anything, as any party."""


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """Claims as a principal. Raises jwt.InvalidTokenError on claims of the wrong shape."""
    scope, topics = claims.get("scope", ""), claims.get("topics")
    if not isinstance(claims["sub"], str) or not claims["sub"] or not isinstance(scope, str):
        raise jwt.InvalidTokenError("sub and scope must be strings, and sub not empty")
    if topics is not None and not (
        isinstance(topics, list) and all(isinstance(topic, str) for topic in topics)
    ):
        raise jwt.InvalidTokenError("topics must be a list of strings")
    return Principal(
        account=claims["sub"],
        scopes=frozenset(scope.split()),
        topics=None if topics is None else frozenset(topics),
        expires=float(claims["exp"]),
        issued=float(claims.get("iat", 0)),
        token_id=str(claims.get("jti", "")),
    )

"""Who may do what with which stream. Pure: principals and streams in, a Problem 403 or nothing out.

Reading: a stream's parties, and those with `events:all`; a token's `topics` narrow that. Changing:
the party that the rules of a stream name, with `streams:write`, which every wallet login has for
its own account. `admin` may all.
"""

from __future__ import annotations

from enum import StrEnum

from shared.auth.credentials import forbidden
from shared.auth.principal import Principal, Scope
from shared.domain.stream import Stream
from shared.domain.topics import ALL, user_topic


class Party(StrEnum):
    """Whose a step of a stream's life is."""

    SENDER = "sender"
    RECIPIENT = "recipient"


def require_account(principal: Principal, account: str, what: str) -> None:
    """Raise Problem 403 unless the principal may act as `account`."""
    if Scope.ADMIN in principal.scopes:
        return
    if principal.account != account:
        raise forbidden(f"{what}: only {account} may, and you are {principal.account or 'nobody'}")
    if Scope.STREAMS_WRITE not in principal.scopes:
        raise forbidden(f"{what}: your token lacks the scope {Scope.STREAMS_WRITE}")


def require_party(principal: Principal, stream: Stream, party: Party) -> None:
    """Raise Problem 403 unless the principal is that party of the stream."""
    account = stream.sender if party is Party.SENDER else stream.recipient
    require_account(principal, account, f"stream {stream.id}, as its {party}")


def require_read(principal: Principal, stream: Stream) -> None:
    """Raise Problem 403 unless the principal may see the stream."""
    if principal.may_subscribe(ALL, ()):
        return
    parties = (stream.sender, stream.recipient)
    topics = (ALL, stream.id, *map(user_topic, parties))
    if not any(principal.may_subscribe(topic, parties) for topic in topics):
        raise forbidden(f"stream {stream.id} is not yours to see")


def restrict_to_own(
    principal: Principal,
    *,
    user: str | None = None,
    sender: str | None = None,
    recipient: str | None = None,
) -> str | None:
    """The `user` filter that a list or a history gets: one's own account where none was named.

    Raises Problem 403 that names the filters given when none of them is the principal's own.
    """
    if principal.may_subscribe(ALL, ()):
        return user
    given = {"user": user, "sender": sender, "recipient": recipient}
    named = {name: account for name, account in given.items() if account}
    if any(principal.may_subscribe(user_topic(account), ()) for account in named.values()):
        return user
    own = principal.account  # "" would filter nothing
    if not named and own and principal.may_subscribe(user_topic(own), ()):
        return own
    errors = [{"parameter": name, "detail": "must be your own account"} for name in named]
    raise forbidden("you may list your own streams and their events only", errors)


def require_topic(principal: Principal, topic: str) -> None:
    """Raise Problem 403 unless the principal may see all of a topic (`user:G…`, `*`)."""
    if not principal.may_subscribe(topic, ()):
        raise forbidden(f"{topic[:64]!r} is not yours to see")

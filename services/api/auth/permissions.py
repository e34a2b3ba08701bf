"""Who may do what with which stream. Pure.

* The sender, the recipient and callers with the scope `events:all` may read a stream. The claim
  `topics` of a token can exclude streams.
* One of the two parties may change a stream, if its token has the scope `streams:write`. The token
  of every wallet login has this scope. `services.api.streams.actions` says which party may do what.
* A caller with the scope `admin` may do everything.

Each function returns nothing if the caller has the permission, else it raises
PermissionDeniedError.
"""

from __future__ import annotations

from enum import StrEnum

from services.api.errors import PermissionDeniedError
from shared.auth.principal import Principal, Scope
from shared.domain.stream import Stream
from shared.domain.topics import ALL, user_topic


class Party(StrEnum):
    """The two accounts of a stream."""

    SENDER = "sender"
    RECIPIENT = "recipient"


def require_account(principal: Principal, account: str, action: str) -> None:
    """Check that the caller may act as `account`. The error message calls the action `action`."""
    if Scope.ADMIN in principal.scopes:
        return
    if principal.account != account:
        you = principal.account or "no account"
        raise PermissionDeniedError(f"Only {account} may {action}. Your token is for {you}.")
    if Scope.STREAMS_WRITE not in principal.scopes:
        scope = Scope.STREAMS_WRITE
        raise PermissionDeniedError(f"You need the scope {scope} to {action}.")


def require_party(principal: Principal, stream: Stream, party: Party) -> None:
    """Check that the caller may act as this party of the stream."""
    account = stream.sender if party is Party.SENDER else stream.recipient
    require_account(principal, account, f"change stream {stream.id} as its {party}")


def require_read(principal: Principal, stream: Stream) -> None:
    """Check that the caller may read the stream."""
    if principal.may_subscribe(ALL, ()):
        return
    parties = (stream.sender, stream.recipient)
    topics = (ALL, stream.id, *map(user_topic, parties))
    if not any(principal.may_subscribe(topic, parties) for topic in topics):
        raise PermissionDeniedError(f"You may not read stream {stream.id}.")


def require_topic(principal: Principal, topic: str) -> None:
    """Check that the caller may read everything of a topic (`user:G…`, `*`)."""
    if not principal.may_subscribe(topic, ()):
        raise PermissionDeniedError(f"You may not read {topic[:64]!r}.")


def restrict_to_own(
    principal: Principal,
    *,
    user: str | None = None,
    sender: str | None = None,
    recipient: str | None = None,
) -> str | None:
    """The value of the filter `user` for a list of streams that this caller may see.

    The arguments are the filters of the request. If the request has no filter, the result is the
    caller's own account. If no filter of the request is the caller's own account, this raises
    PermissionDeniedError with the names of the filters.
    """
    if principal.may_subscribe(ALL, ()):
        return user
    filters = {"user": user, "sender": sender, "recipient": recipient}
    given = {name: account for name, account in filters.items() if account}
    if any(principal.may_subscribe(user_topic(account), ()) for account in given.values()):
        return user
    own = principal.account  # can be None or ""; "" as a filter would mean no filter
    if not given and own and principal.may_subscribe(user_topic(own), ()):
        return own
    errors = [{"parameter": name, "detail": "must be your own account"} for name in given]
    raise PermissionDeniedError("You may list only your own streams and their events.", errors)

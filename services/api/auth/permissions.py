"""Who may do what with which stream. Pure.

* The sender, the recipient and callers with the scope `events:all` may read a stream. The claim
  `topics` of a token can exclude streams. Nobody can change a stream without reading it. To create
  a stream, a token with `topics` needs the topic `user:<sender>` or `*`.
* One of the two parties may change a stream, if its token has the scope `streams:write`. The token
  of every wallet login has this scope. `services.api.streams.actions` says which party may do what.
* A caller with the scope `admin` may do everything, within the claim `topics`.

If the caller does not have the permission, each function raises PermissionDeniedError. Its message
names no party of a stream, and does not show whether a stream exists.

See docs/decisions/0076-topics-narrow-everything.md.
"""

from __future__ import annotations

from enum import StrEnum

from services.api.errors import PermissionDeniedError, StreamNotFoundError
from shared.auth.principal import Principal, Scope
from shared.domain.stream import Stream
from shared.domain.topics import ALL, user_topic


class Party(StrEnum):
    """The two accounts of a stream."""

    SENDER = "sender"
    RECIPIENT = "recipient"


def require_sender(principal: Principal, sender: str) -> None:
    """Check that the caller may create streams of this sender."""
    if not principal.covers(user_topic(sender)):
        raise PermissionDeniedError(
            "The claim `topics` of your token does not have the account of the sender."
        )
    require_account(principal, sender, "Only the sender may create a stream")


def require_party(
    principal: Principal, stream_id: str, stream: Stream | None, party: Party
) -> Stream:
    """The stream, if the caller may act as this party of it. `stream` is None if there is none.

    Raises StreamNotFoundError, PermissionDeniedError.
    """
    stream = require_read(principal, stream_id, stream)
    account = stream.sender if party is Party.SENDER else stream.recipient
    require_account(principal, account, f"Only the {party} of the stream may do this")
    return stream


def require_account(principal: Principal, account: str, rule: str) -> None:
    """Check that the caller is this account and may write. `rule` begins the error's message."""
    if Scope.ADMIN in principal.scopes:
        return
    if principal.account != account:
        raise PermissionDeniedError(f"{rule}. Your token is for another account.")
    if Scope.STREAMS_WRITE not in principal.scopes:
        raise PermissionDeniedError(f"{rule}, with the scope {Scope.STREAMS_WRITE}.")


def require_read(principal: Principal, stream_id: str, stream: Stream | None) -> Stream:
    """The stream, if the caller may read it. `stream` is None if there is no stream with this id.

    Somebody who may not read the stream must not learn whether it exists. So only a caller who
    may read this id, whoever the parties are, gets StreamNotFoundError.
    """
    parties = (stream.sender, stream.recipient) if stream else ()
    topics = (ALL, stream_id, *map(user_topic, parties))
    if not any(principal.may_subscribe(topic, parties) for topic in topics):
        raise PermissionDeniedError(f"There is no stream {stream_id!r} that you may read.")
    if stream is None:
        raise StreamNotFoundError(stream_id)
    return stream


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

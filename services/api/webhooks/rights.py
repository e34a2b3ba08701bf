"""Who may do what with which webhook. Pure.

* An account reads its own webhooks. An admin reads all of them. The claim `topics` of a token
  excludes each webhook with another topic. Everybody else gets the answer for an unknown id.
* To change something, a token needs the scope `streams:write` or `admin`. If the webhook gets the
  events of all accounts, the token needs `events:all` too. Otherwise, somebody could lead events
  that the token may not read to another URL.

See docs/decisions/0130-a-webhook-keeps-the-rights-of-its-creation.md.
"""

from __future__ import annotations

from services.api.errors import PermissionDeniedError, WebhookNotFoundError
from shared.auth.principal import Principal, Scope
from shared.webhooks.endpoint import Endpoint


def may_read(caller: Principal, endpoint: Endpoint) -> bool:
    """True if the caller may read this webhook."""
    if not all(map(caller.covers, endpoint.subscription.topics)):
        return False
    return Scope.ADMIN in caller.scopes or caller.account == endpoint.account


def require_readable(caller: Principal, endpoint_id: str, endpoint: Endpoint | None) -> Endpoint:
    """The webhook, if the caller may read it. Raises WebhookNotFoundError."""
    if endpoint is None or not may_read(caller, endpoint):
        raise WebhookNotFoundError(endpoint_id)
    return endpoint


def require_changeable(caller: Principal, endpoint: Endpoint) -> None:
    """Check that the caller may change this webhook, which it may read."""
    require_writer(caller)
    if endpoint.sees_all and not caller.may_see_all():
        raise PermissionDeniedError(
            "The webhook gets the events of all accounts. To change it, your token needs the scope "
            f"{Scope.EVENTS_ALL} too."
        )


def require_writer(caller: Principal) -> None:
    """Check that the caller may create and change anything at all."""
    if not caller.has(Scope.STREAMS_WRITE):
        raise PermissionDeniedError(
            f"To create or change a webhook, your token needs the scope {Scope.STREAMS_WRITE}."
        )


def rights_of(endpoint: Endpoint) -> Principal:
    """Who a webhook without `sees_all` gets events for: its account, without any scope."""
    return Principal(endpoint.account, frozenset())


def too_wide(error: PermissionDeniedError) -> PermissionDeniedError:
    """The error for a change to topics that the webhook does not get, whoever makes the change."""
    detail = "has events that this webhook cannot get: make a new webhook"
    return PermissionDeniedError(
        f"The webhook was made without the scope {Scope.EVENTS_ALL}, so it gets only the events of "
        "its account. Make a new webhook for other events.",
        [{**each, "detail": detail} for each in error.errors],
    )


def listed_account(caller: Principal, account: str | None) -> str | None:
    """The account whose webhooks the caller lists; None for those of all accounts.

    Raises PermissionDeniedError if it is another account's.
    """
    if Scope.ADMIN in caller.scopes:
        return account
    if account in (None, caller.account):
        return caller.account
    errors = [{"parameter": "account", "detail": "must be your own account"}]
    raise PermissionDeniedError("You may list only your own webhooks.", errors)

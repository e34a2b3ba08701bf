"""Who may prepare, submit and read which transaction. Pure.

A caller may act for its own account. The scope `transactions:any` allows every account; it is for
servers that prepare transactions for their users. An API key can have `maxAmounts`, the most that
one transaction may take of each token.
"""

from __future__ import annotations

from services.api.auth.permissions import require_account
from services.api.errors import AmountLimitError, PermissionDeniedError
from services.api.transactions.calls import Action, ActionCall
from shared.auth.principal import Principal, Scope
from shared.domain.stream import Stream
from shared.domain.topics import user_topic

_RULE = "Only the source of a transaction may prepare, submit or read it"


def require_source(by: Principal, source: str) -> None:
    """Check that the caller may act for this account. Raises PermissionDeniedError."""
    if not by.covers(user_topic(source)):
        raise PermissionDeniedError(
            "The claim `topics` of your token does not have the account of the source."
        )
    if not by.has(Scope.TRANSACTIONS_ANY):
        require_account(by, source, _RULE)


def require_amount(by: Principal, call: ActionCall, token: str | None) -> None:
    """Check the amount that a call takes from its source. Raises AmountLimitError.

    `token` is the token that it takes; None if it takes none.
    """
    amount = call.value("amount")
    if by.max_amounts is None or token is None or amount is None:
        return
    most = by.max_amounts.get(token)
    if most is None or int(amount) > most:
        raise AmountLimitError(token, most)


def token_taken(call: ActionCall, stream: Stream | None) -> str | None:
    """The token that a call takes from its source; None if it takes none.

    "" if it is not known, because the stream of the call is not known here.
    """
    if call.action is Action.CREATE:
        return str(call.value("tokenAddress"))
    if call.action is Action.TOP_UP:
        return stream.token if stream else ""
    return None
